"""The migrations of the ready model of records."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_migrations_are_complete(settings):
    settings.MIGRATION_MODULES = {}  # The tests run without migrations.
    call_command("makemigrations", "proxy_storage_records", "--check", "--dry-run", verbosity=0)
