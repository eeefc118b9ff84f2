"""Permission for the files in a folder, whether or not they belong to an instance."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Model, Q
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError, InvalidNameError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, any_of, matches
from proxy_storage.paths import normalize_name, validate_name
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_names
from proxy_storage.storages.lookup import get_roots

from .base import FilePermission


class HasPathPrefix(FilePermission):
    """Allow the files in a folder, to all users: combine it with other permissions.

    ::

        HasPathPrefix("editor") & IsAuthenticated | HasPathPrefix("covers", storage="public")

    It is for files that do not belong to an instance, such as thumbnails and the uploads of an
    editor. The files of instances are allowed as well if they are in this folder.

    Args:
        prefix: the folder, relative to the storage; it has the same form for all kinds of paths.
            The files in its subfolders are included. ``"editor"`` and ``"editor/"`` are equal, and
            neither includes ``editor-secret/x``. With a slash at the beginning, it is the
            beginning of the path of the record.
        storage: the name of a proxy storage, if the same folder of other storages is not allowed.

    Raises:
        ConfigurationError: the folder is empty or not a valid name; on use, if the storage is not
            registered.
    """

    def __init__(self, prefix: str, storage: str | None = None) -> None:
        self.prefix = _get_folder(prefix)
        self.storage = storage

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare the path of the record, without a query."""
        return matches(self._get_condition([obj["proxy_storage_name"]]), obj)

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files in the folder, in each storage that is allowed."""
        return self._get_condition(get_proxy_storage_names())

    def _get_condition(self, names: Iterable[str]) -> Condition:
        """Return the condition for the files of proxy storages with these names."""
        if self.storage is not None:
            get_proxy_storage(self.storage)  # An unknown name would allow all files under "~".
            names = [name for name in names if name == self.storage]
        registered = get_proxy_storage_names()
        return any_of(
            *(
                Q(proxy_storage_name=name) & self._get_condition_on_paths(name)
                for name in names
                if name in registered
            )
        )

    def _get_condition_on_paths(self, name: str) -> Q:
        if self.prefix.startswith("/"):
            return Q(path__startswith=self.prefix)
        condition = Q()
        # The path of a record begins with a root, which depends on the original storage.
        roots = get_roots(get_proxy_storage(name)) or [""]
        for root in roots:
            is_in_folder = Q(path__startswith=f"{root}{self.prefix}")
            for other in roots:
                # The folder of one original storage may be in the folder of another one.
                if other != root and other.startswith(root):
                    is_in_folder &= ~Q(path__startswith=other)
            condition |= is_in_folder
        return condition


def _get_folder(prefix: str) -> str:
    """Return a folder with a slash at its end.

    Raises:
        ConfigurationError: it is not a valid name.
    """
    name = prefix.strip("/") if isinstance(prefix, str) else prefix
    try:
        folder = normalize_name(validate_name(name))
    except InvalidNameError as error:
        raise ConfigurationError(
            f"The prefix of HasPathPrefix must be a folder such as 'editor', not {prefix!r}. "
            f"{error}"
        ) from error
    return f"/{folder}/" if prefix.startswith("/") else f"{folder}/"
