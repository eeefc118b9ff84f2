"""django-simple-history, whose rows name the former files of a row."""

import pytest
from django.core.files.base import ContentFile

from proxy_storage.db.fields import assign
from tests.applications.models import TracedLetter


@pytest.fixture(params=["file", "scan"])
def field(request):
    return request.param


@pytest.fixture
def letter(db, field):
    return TracedLetter.objects.create(**{field: ContentFile(b"1", "a.txt")})


def get_keys(records, path):
    record = records.get(path=path)
    return record.object_id, record.field


def test_a_historical_row_does_not_take_the_file(letter, field, records):
    path = getattr(letter, field).name
    (historical,) = letter.history.all()
    assert getattr(historical, field) == path
    historical.save()
    assert get_keys(records, path) == (str(letter.pk), field)
    historical.delete()
    assert get_keys(records, path) == (str(letter.pk), field)


def test_a_former_file_is_released_and_kept(letter, field, records, media):
    former = getattr(letter, field).name
    setattr(letter, field, ContentFile(b"2", "b.txt"))
    letter.save()
    new = getattr(letter, field).name
    assert [getattr(row, field) for row in letter.history.all()] == [new, former]
    assert get_keys(records, former) == (None, None)
    assert get_keys(records, new) == (str(letter.pk), field)
    assert media() == {former: b"1", new: b"2"}


def test_a_row_that_is_reverted_can_be_assigned_its_former_file(letter, field, records):
    former = getattr(letter, field).name
    setattr(letter, field, ContentFile(b"2", "b.txt"))
    letter.save()
    new = getattr(letter, field).name
    reverted = letter.history.earliest().instance
    reverted.save()
    assert getattr(TracedLetter.objects.get(), field).name == former
    assert [get_keys(records, path) for path in (former, new)] == [(None, None)] * 2
    assign(getattr(reverted, field))
    assert get_keys(records, former) == (str(letter.pk), field)
