"""What the tests of the endpoint have in common: people, and clients that are logged in."""

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def change(settings):
    """Change keys of ``PROXY_STORAGE``."""

    def change(**values):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **values}

    return change


@pytest.fixture
def log_in(empty_storages):
    """Return a client of somebody, who is made if need be."""

    def log_in(who, **kwargs):
        client = Client(**kwargs)
        user, _ = User.objects.get_or_create(username=who, is_staff=who == "admin")
        client.force_login(user)
        client.user = user
        return client

    return log_in
