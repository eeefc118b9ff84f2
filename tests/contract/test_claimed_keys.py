"""An instance may say again that a file is its own, whatever type its key has."""

import pytest

from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import Document, KeyedDocument, NamedDocument

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.mark.parametrize("model", [Document, KeyedDocument, NamedDocument])
def test_claiming_what_is_ones_own_changes_nothing(field, model):
    instance = model(pk="a1") if model is NamedDocument else model()
    path = save_file(instance, field)
    getattr(instance, field).claim()
    assert get_row(instance, field, path) == row_of(instance, field, model)
