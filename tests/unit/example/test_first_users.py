"""The secret key and the users of a new site."""

import pytest
from django.core.management import CommandError, call_command

from config.secret_key import read_secret_key


class TestFirstUsers:
    def test_secret_key_is_random_and_stays(self, tmp_path):
        first, second = tmp_path / "first", tmp_path / "second"
        key = read_secret_key(first)
        assert read_secret_key(first) == key
        assert read_secret_key(second) != key
        assert len(key) >= 50
        assert first.stat().st_mode & 0o777 == 0o600

    def test_seed_refuses_the_database_of_another_site(self, django_user_model):
        django_user_model.objects.all().delete()
        django_user_model.objects.create_user("anna", password="secret")
        with pytest.raises(CommandError, match="users of another site"):
            call_command("seed")
        assert list(django_user_model.objects.values_list("username", flat=True)) == ["anna"]
