class ElsewhereRouter:
    """Keeps the records of one model in a database of their own, and one model in both."""

    def db_for_read(self, model, **hints):
        return "other" if model.__name__ == "ElsewhereStoredFile" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        if model_name == "sharddocument":
            return True
        return (db == "other") == (model_name == "elsewherestoredfile")


class MovingRouter(ElsewhereRouter):
    """Writes all rows to the default database, wherever they were read from."""

    def db_for_write(self, model, **hints):
        return super().db_for_write(model, **hints) or "default"
