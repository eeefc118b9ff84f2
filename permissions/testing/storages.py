"""Files in memory during a test, instead of the original storages."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterator
from functools import wraps
from threading import Lock
from typing import Any, TypeVar

from django.core.files.storage import InMemoryStorage, Storage
from django.test.utils import TestContextDecorator

from proxy_storage import registry
from proxy_storage.original_storages.inspect import NamedStorage
from proxy_storage.storages.base import ProxyStorageBase

TestCaseClass = TypeVar("TestCaseClass", bound=type[unittest.TestCase])


class override_storages(TestContextDecorator):  # noqa: N801  (as Django's override_settings)
    """Replace the original storages of all proxy storages by files in memory.

    Use it as a context manager, or as the decorator of a test or of a ``TestCase``, whose
    ``setUpTestData`` can then save files::

        @override_storages()
        class LetterTests(TestCase): ...

    Each original storage is replaced by an empty ``InMemoryStorage``, also for the storages of
    model fields. At the end the original storages are used again, and the files in memory are
    gone. Nothing is saved to the disk or to a server in between.

    Records are still written to the meta backends: those in tables of Django need the test
    database, and those in MongoDB need a server. The settings of ``SERVERS`` are not changed: a
    web server cannot deliver files in memory. With full paths, the paths of new files have another
    beginning than on the disk.

    All threads of the process use the files in memory, such as that of ``LiveServerTestCase``.
    """

    def enable(self) -> None:
        """Replace the original storages."""
        self._lock = Lock()
        self._replacements: dict[Any, tuple[Any, Storage]] = {}
        self._replaced: list[tuple[type, str, Any]] = []
        wrappers = {
            "get_original_storage": self._return_storage,
            "get_original_storages": self._return_named_storages,
            "get_originals": self._return_originals,
        }
        for cls in _get_classes():
            for name, wrap in wrappers.items():
                # Each class that defines the method: a subclass may call it with super().
                if name in vars(cls):
                    function = vars(cls)[name]
                    self._replaced.append((cls, name, function))
                    setattr(cls, name, wrap(function))

    def disable(self) -> None:
        """Use the original storages again."""
        for cls, name, function in self._replaced:
            setattr(cls, name, function)

    def decorate_class(self, cls: TestCaseClass) -> TestCaseClass:
        """Replace the storages before ``setUpClass``, and so before ``setUpTestData``.

        Raises:
            TypeError: the class is not a test case.
        """
        if not issubclass(cls, unittest.TestCase):
            raise TypeError("override_storages() decorates functions and subclasses of TestCase.")
        set_up_class = cls.setUpClass.__func__  # type: ignore[attr-defined]  # a class method

        def set_up(test_class: type[unittest.TestCase]) -> None:
            test_class.enterClassContext(self)
            set_up_class(test_class)

        cls.setUpClass = classmethod(wraps(set_up_class)(set_up))  # type: ignore[assignment]  # a method
        return cls

    def _replace(self, storage: Any) -> Storage:
        """Return the storage in memory for an original storage, or for itself."""
        # Storages with equal arguments have the same files.
        arguments = getattr(storage, "_constructor_args", None)
        key = (type(storage), id(storage) if arguments is None else repr(arguments))
        with self._lock:
            if any(storage is memory for _original, memory in self._replacements.values()):
                return storage  # type: ignore[no-any-return]  # a Storage
            # The reference keeps the id of the storage in use.
            return self._replacements.setdefault(key, (storage, InMemoryStorage()))[1]

    def _return_storage(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return self._replace(function(*args, **kwargs))

        return wrapper

    def _return_named_storages(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            named = function(*args, **kwargs)
            return {name: self._replace(storage) for name, storage in named.items()}

        return wrapper

    def _return_originals(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            originals = function(*args, **kwargs)
            return [NamedStorage(self._replace(one.storage), one.name) for one in originals]

        return wrapper


def _get_classes() -> set[type]:
    """Return all classes that can define the methods of a proxy storage."""
    # These functions import the classes in the settings.
    registry.get_proxy_storage_classes(), registry.get_proxy_storage_aliases()
    return {base for cls in _get_subclasses(ProxyStorageBase) for base in cls.__mro__}


def _get_subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclass: type
    for subclass in cls.__subclasses__():
        yield from _get_subclasses(subclass)
