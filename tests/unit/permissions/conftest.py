import pytest
from django.contrib.auth.models import AnonymousUser, User

from jobs.models import JobApply
from tests.unit.permissions.asking import own


@pytest.fixture
def people(db):
    return {
        "anonymous": AnonymousUser(),
        "stranger": User.objects.create(username="stranger"),
        "owner": User.objects.create(username="owner"),
        "staff": User.objects.create(username="staff", is_staff=True),
    }


@pytest.fixture
def resume(people):
    return own(JobApply.objects.create(user=people["owner"]), "resume")
