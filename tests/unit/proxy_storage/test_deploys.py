"""Processes of the previous version save records after a new version has added columns."""

from copy import deepcopy

import pytest
from django.db import connection, models
from django.db.models import NOT_PROVIDED
from django.test.utils import isolate_apps

from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
)

pytestmark = pytest.mark.database

MIXINS = [ContentObjectFieldMixin, FileMetadataMixin, LinkVersionMixin, OriginalStorageNameMixin]


def make_old_model(new, mixin, missing):
    """Return a model of the same table without some columns."""

    class Meta:
        app_label = "testapp"
        db_table = new._meta.db_table

    known = [*ProxyStorageModelBase._meta.local_fields, *mixin._meta.local_fields]
    fields = {field.name: deepcopy(field) for field in known if field.name not in missing}
    name = "".join(["Without", *(part.title() for part in missing)])
    return type(name, (models.Model,), {**fields, "Meta": Meta, "__module__": __name__})


@pytest.fixture
def make_table(transactional_db):
    """Create the table of a model, and delete it after the test."""
    made = []

    def make(model):
        with connection.schema_editor() as editor:
            editor.create_model(model)
        made.append(model)

    yield make
    with connection.schema_editor() as editor:
        for model in made:
            editor.delete_model(model)


@pytest.mark.parametrize("mixin", MIXINS)
@isolate_apps("tests.testapp", "django.contrib.contenttypes")
def test_row_without_new_columns_gets_their_defaults(mixin, make_table):
    class New(mixin, ProxyStorageModelBase):
        class Meta:
            app_label = "testapp"

    make_table(New)
    names = tuple(field.name for field in mixin._meta.local_fields)
    for number, missing in enumerate({names, *((name,) for name in names)}):
        old = make_old_model(New, mixin, missing)
        row = old.objects.create(path=f"/{number}", original_storage_path=f"{number}")
        for name in missing:
            field = New._meta.get_field(name)
            expected = None if field.null else field.get_default()
            assert getattr(New.objects.get(pk=row.pk), field.attname) == expected
            assert field.null or field.db_default is not NOT_PROVIDED
