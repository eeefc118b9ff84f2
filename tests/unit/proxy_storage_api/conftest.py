"""Fixtures of the tests of the endpoint: settings and logged-in clients."""

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
    """Return a client of a user, who is created if necessary."""

    def log_in(who, **kwargs):
        client = Client(**kwargs)
        user, _ = User.objects.get_or_create(username=who, is_staff=who == "admin")
        client.force_login(user)
        client.user = user
        return client

    return log_in
