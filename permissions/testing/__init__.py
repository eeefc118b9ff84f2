"""Helpers for tests of a project's permissions. They need neither pytest nor a client.

::

    from proxy_storage_permissions.testing import assert_matrix, override_storages

    with override_storages():
        letter = Letter.objects.create(reader=anna)
        letter.scan.save("scan.pdf", ContentFile(b"..."))
        assert_matrix(
            users={"anna": anna, "stranger": stranger, "anonymous": None},
            files={"scan": (letter.scan, {"anna"})},
        )
"""

from .assertions import assert_matrix, assert_may_not_read, assert_may_read
from .storages import override_storages

__all__ = ["assert_matrix", "assert_may_not_read", "assert_may_read", "override_storages"]
