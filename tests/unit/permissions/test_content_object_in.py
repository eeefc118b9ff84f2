"""The condition that the content object of a file is one of some instances."""

import pytest
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test, matches
from proxy_storage_permissions import content_object_in, owned_by
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    ProxyDocument,
    ScannedDocument,
)
from tests.unit.permissions.asking import own

pytestmark = pytest.mark.django_db
UNBOUND = MetaBackendObject(path="/x")


@pytest.fixture
def records():
    """Files of two instances of each of three models. The tests select the first one."""
    documents = [Document.objects.create() for _ in range(2)]
    keyed = [KeyedDocument.objects.create() for _ in range(2)]
    # These have the same keys as the documents.
    named = [NamedDocument.objects.create(code=str(one.pk)) for one in documents]
    return [[own(one, "orm_file") for one in some] for some in (documents, keyed, named)]


def test_selects_files_of_these_instances(records):
    for chosen, _ in records:
        model = type(chosen.get_content_object())
        test = get_test(content_object_in(model.objects.filter(pk=chosen["object_id"])))
        assert [one for some in records for one in some if test(one)] == [chosen]
        assert not test(UNBOUND)


def test_fields_select_files_of_these_fields(records):
    chosen = records[0][0]
    queryset = Document.objects.filter(pk=chosen["object_id"])
    assert matches(content_object_in(queryset, "orm_file"), chosen)
    assert matches(content_object_in(queryset, "mongo_file", "orm_file"), chosen)
    assert not matches(content_object_in(queryset, "mongo_file"), chosen)


def test_parents_and_proxies_have_the_same_files():
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
        assert list(filter(get_test(content_object_in(queryset)), every)) == owned
        by_field = get_test(content_object_in(queryset, "orm_file"))
        assert list(filter(by_field, every)) == [record, proxied]
    child_only = content_object_in(ScannedDocument.objects.all(), model=ScannedDocument)
    assert list(filter(get_test(child_only), every)) == [of_child]
    parent_only = content_object_in(ScannedDocument.objects.all(), "orm_file", model=Document)
    assert list(filter(get_test(parent_only), every)) == [record, proxied]


@isolate_apps("tests.testapp")
def test_key_of_each_parent_is_used():
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
        condition = content_object_in(Child.objects.all(), model=model)
        keys[model] = dict(condition.children)["object_id__in"].query.values_select
    assert keys == {
        Child: ("left_ptr_id",),
        Left: ("base_ptr_id",),
        Base: ("id",),
        Right: ("number",),
    }
    assert len(content_object_in(Child.objects.all()).children) == 4


def test_fields_of_several_tables():
    scanned = ScannedDocument.objects.create()
    condition = content_object_in(ScannedDocument.objects.all(), "orm_file", "pages")
    assert matches(condition, own(scanned, "orm_file"))
    assert matches(condition, own(scanned, "pages"))
    assert not matches(condition, own(scanned, "pages", field="orm_file"))


def test_empty_sliced_and_other_querysets(records):
    chosen = records[0][0]
    assert not matches(content_object_in(Document.objects.none()), chosen)
    for queryset in (
        Document.objects.only("title"),
        Document.objects.values("title"),
        Document.objects.order_by("-title").distinct(),
        Document.objects.filter(pk=chosen["object_id"])[:1],
    ):
        assert matches(content_object_in(queryset), chosen)


def test_queryset_of_another_model_is_refused():
    with pytest.raises(ConfigurationError, match=r"a queryset of testapp\.KeyedDocument, not of"):
        content_object_in(Document.objects.all(), model=KeyedDocument)


def test_unknown_field_is_refused():
    with pytest.raises(ConfigurationError, match=r"testapp\.Document has no field 'scan'"):
        content_object_in(Document.objects.all(), "scan")


def test_former_name():
    assert owned_by is content_object_in
