import pytest
from django.core import checks

from tests.safety.mistakes.projects import Project


@pytest.fixture
def project(tmp_path):
    """A project without mistakes."""
    return Project(tmp_path / "project")


@pytest.fixture
def find(settings):
    """Return a function that changes settings and returns the text of one check message.

    Call it with the id of the message and keys of ``PROXY_STORAGE``.
    """

    def find(check_id, **changes):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **changes}
        found = [one for one in checks.run_checks() if one.id == check_id]
        assert found, f"No message has the id {check_id}."
        assert all(one.hint for one in found)
        return "\n".join(f"{one.msg}\n{one.hint}" for one in found)

    return find
