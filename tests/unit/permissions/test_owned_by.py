"""Files whose owner is among some instances, as a condition."""

import pytest
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test, matches
from proxy_storage_permissions import owned_by
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    ProxyDocument,
    ScannedDocument,
)
from tests.unit.permissions.asking import own

pytestmark = [pytest.mark.database, pytest.mark.django_db]
UNBOUND = MetaBackendObject(path="/x")


@pytest.fixture
def records():
    """Files of two instances of each of three models; the first one is chosen."""
    documents = [Document.objects.create() for _ in range(2)]
    keyed = [KeyedDocument.objects.create() for _ in range(2)]
    # keys that are those of documents as well
    named = [NamedDocument.objects.create(code=str(one.pk)) for one in documents]
    return [[own(one, "orm_file") for one in some] for some in (documents, keyed, named)]


def test_is_true_of_files_of_these_instances(records):
    for chosen, _ in records:
        model = type(chosen.get_content_object())
        test = get_test(owned_by(model.objects.filter(pk=chosen["object_id"])))
        assert [one for some in records for one in some if test(one)] == [chosen]
        assert not test(UNBOUND)


def test_may_be_about_some_fields(records):
    chosen = records[0][0]
    queryset = Document.objects.filter(pk=chosen["object_id"])
    assert matches(owned_by(queryset, "orm_file"), chosen)
    assert matches(owned_by(queryset, "mongo_file", "orm_file"), chosen)
    assert not matches(owned_by(queryset, "mongo_file"), chosen)


def test_is_true_of_what_the_parent_or_the_table_owns():
    scanned = ScannedDocument.objects.create()
    others = own(Document.objects.create(), "orm_file")
    record = own(scanned, "orm_file")
    proxied = own(ProxyDocument.objects.get(pk=scanned.pk), "orm_file")
    of_child = own(scanned, "pages")
    for queryset, owned in (
        (ScannedDocument.objects.filter(pk=scanned.pk), [record, proxied, of_child]),
        (ProxyDocument.objects.filter(pk=scanned.pk), [record, proxied]),
        (Document.objects.filter(pk=scanned.pk), [record, proxied]),
    ):
        every = [record, proxied, of_child, others]
        assert list(filter(get_test(owned_by(queryset)), every)) == owned
        by_field = get_test(owned_by(queryset, "orm_file"))
        assert list(filter(by_field, every)) == [record, proxied]
    child_only = owned_by(ScannedDocument.objects.all(), model=ScannedDocument)
    assert list(filter(get_test(child_only), every)) == [of_child]
    parent_only = owned_by(ScannedDocument.objects.all(), "orm_file", model=Document)
    assert list(filter(get_test(parent_only), every)) == [record, proxied]


@isolate_apps("tests.testapp")
def test_knows_which_key_of_a_child_is_that_of_which_parent():
    class Base(models.Model):
        class Meta:
            app_label = "testapp"

    class Left(Base):
        class Meta:
            app_label = "testapp"

    class Right(models.Model):
        number = models.AutoField(primary_key=True)

        class Meta:
            app_label = "testapp"

    class Child(Left, Right):
        class Meta:
            app_label = "testapp"

    keys = {}
    for model in (Child, Left, Base, Right):
        condition = owned_by(Child.objects.all(), model=model)
        keys[model] = dict(condition.children)["object_id__in"].query.values_select
    assert keys == {
        Child: ("left_ptr_id",),
        Left: ("base_ptr_id",),
        Base: ("id",),
        Right: ("number",),
    }
    assert len(owned_by(Child.objects.all()).children) == 4


def test_is_about_fields_of_several_tables():
    scanned = ScannedDocument.objects.create()
    condition = owned_by(ScannedDocument.objects.all(), "orm_file", "pages")
    assert matches(condition, own(scanned, "orm_file"))
    assert matches(condition, own(scanned, "pages"))
    assert not matches(condition, own(scanned, "pages", field="orm_file"))


def test_knows_querysets_that_are_annotated_or_empty(records):
    chosen = records[0][0]
    assert not matches(owned_by(Document.objects.none()), chosen)
    for queryset in (
        Document.objects.only("title"),
        Document.objects.values("title"),
        Document.objects.order_by("-title").distinct(),
        Document.objects.filter(pk=chosen["object_id"])[:1],
    ):
        assert matches(owned_by(queryset), chosen)


def test_knows_no_instances_of_another_model():
    with pytest.raises(ConfigurationError, match=r"queryset of testapp\.Document"):
        owned_by(Document.objects.all(), model=KeyedDocument)


def test_has_no_field_of_another_model():
    with pytest.raises(ConfigurationError, match=r"testapp\.Document has no field 'scan'"):
        owned_by(Document.objects.all(), "scan")
