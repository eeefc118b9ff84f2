"""The exceptions of django-proxy-storage.

::

    ProxyStorageError
      ConfigurationError                 also Django's ImproperlyConfigured
        DuplicateRegistrationError
        RuleError
      ContentError                       also ValueError
      InvalidNameError                   also Django's SuspiciousFileOperation
      MetaBackendError
        MetaBackendObjectDoesNotExist    also Django's ObjectDoesNotExist
        MetaBackendObjectAlreadyExists
        MetaBackendSchemaError
        MetaBackendUnavailable
      ContentObjectError
      ProxyFileNotFoundError             also FileNotFoundError
        LocalPathError                   also NotImplementedError
      ServingError
        UnsafePathError

Some exceptions have a second parent, so that code for Django's own storages catches them.
"""

from typing import Any

from django.core.exceptions import (
    ImproperlyConfigured,
    ObjectDoesNotExist,
    SuspiciousFileOperation,
)


class ProxyStorageError(Exception):
    """The base class of all exceptions of this package."""


class ConfigurationError(ProxyStorageError, ImproperlyConfigured):
    """Settings, models or classes are wrong or incompatible."""


class DuplicateRegistrationError(ConfigurationError):
    """Two proxy storages have the same name, or one proxy storage has two names."""


class RuleError(ConfigurationError):
    """A permission class cannot be evaluated for files. The request is refused.

    For example, it returns a value other than ``True`` or ``False``, or it needs the queryset of
    a view.
    """


class ContentError(ProxyStorageError, ValueError):
    """Content cannot be read: it is closed, is not a file, or is a str that is not valid UTF-8."""


class InvalidNameError(ProxyStorageError, SuspiciousFileOperation):
    """A file cannot be saved with this name.

    Args:
        message: the error message.
        name: the name, which is kept as ``error.name``.
    """

    def __init__(self, message: str, *, name: object = None) -> None:
        super().__init__(message)
        self.name = name


class MetaBackendError(ProxyStorageError):
    """An operation of a meta backend failed.

    Args:
        message: the error message.
        path: the path of the record, which is kept as ``error.path``.
        nothing_written: whether it is certain that nothing was written, which is kept as
            ``error.nothing_written``. It is not certain if the connection was lost.
    """

    def __init__(self, message: str, *, path: Any = None, nothing_written: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.nothing_written = nothing_written


class MetaBackendObjectDoesNotExist(MetaBackendError, ObjectDoesNotExist):
    """There is no record with this path."""


class MetaBackendObjectAlreadyExists(MetaBackendError):
    """There is already a record with this path."""


class MetaBackendSchemaError(MetaBackendError):
    """The table of records does not exist, or lacks a column of its model.

    Nothing was read or written. Run ``manage.py migrate``.
    """


class MetaBackendUnavailable(MetaBackendError):
    """The database of the meta backend cannot be reached, or cannot process the query now."""


class ContentObjectError(ProxyStorageError):
    """An instance cannot be the content object of a file.

    Args:
        message: the error message.
        path: the path of the file, which is kept as ``error.path``.
    """

    def __init__(self, message: str, *, path: Any = None) -> None:
        super().__init__(message)
        self.path = path


class ProxyFileNotFoundError(ProxyStorageError, FileNotFoundError):
    """A file does not exist: there is no record with this path, or its original file is missing.

    Args:
        message: the error message.
        path: the path, which is kept as ``error.path``.
    """

    def __init__(self, message: str, *, path: Any = None) -> None:
        super().__init__(message)
        self.path = path


class LocalPathError(ProxyFileNotFoundError, NotImplementedError):
    """There is no record with this path, and the original storage is not on the local disk.

    It is also a ``NotImplementedError``, which code expects that calls ``path()`` to find out
    whether the files of a storage are local.
    """


class ServingError(ProxyStorageError):
    """A server cannot deliver a file."""


class UnsafePathError(ServingError):
    """The path of a record, or a symbolic link, points outside the original storage."""


#: the former name of `ContentObjectError`
OwnerError = ContentObjectError
