class ElsewhereRouter:
    """Stores one model of records in a separate database, and two models in both databases."""

    def db_for_read(self, model, **hints):
        return "other" if model.__name__ == "ElsewhereStoredFile" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        if model_name in ("sharddocument", "latetrackeddocument"):
            return True
        return (db == "other") == (model_name == "elsewherestoredfile")


class MovingRouter(ElsewhereRouter):
    """Writes all rows to the default database, regardless of where they were read."""

    def db_for_write(self, model, **hints):
        return super().db_for_write(model, **hints) or "default"
