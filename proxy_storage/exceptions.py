"""The errors of django-proxy-storage.

::

    ProxyStorageError
      ConfigurationError                 also django's ImproperlyConfigured
        DuplicateRegistrationError
        RuleError
      ContentError                       also ValueError
      InvalidNameError                   also django's SuspiciousFileOperation
      MetaBackendError
        MetaBackendObjectDoesNotExist    also django's ObjectDoesNotExist
        MetaBackendObjectAlreadyExists
        MetaBackendSchemaError
        MetaBackendUnavailable
      ContentObjectError
      ProxyFileNotFoundError             also FileNotFoundError
        LocalPathError                   also NotImplementedError
      ServingError
        UnsafePathError

The built-in parents are there so that code written for Django's own storages
catches the right thing without knowing this package.
"""

from typing import Any

from django.core.exceptions import (
    ImproperlyConfigured,
    ObjectDoesNotExist,
    SuspiciousFileOperation,
)


class ProxyStorageError(Exception):
    """Root of all errors that this package raises on its own account."""


class ConfigurationError(ProxyStorageError, ImproperlyConfigured):
    """Settings, models or classes do not fit together; the message says what to change."""


class DuplicateRegistrationError(ConfigurationError):
    """Two proxy storages have one name, or one has two."""


class RuleError(ConfigurationError):
    """A permission class cannot decide about files. The request is refused.

    It returns a value other than ``True`` or ``False``, or it needs the model of a queryset,
    which records do not have.
    """


class ContentError(ProxyStorageError, ValueError):
    """Content that cannot be read: closed before it came, no file, or text that is not UTF-8."""


class InvalidNameError(ProxyStorageError, SuspiciousFileOperation):
    """A name that no file may be saved under.

    Args:
        message: what is wrong with the name.
        name: the refused name, kept as ``error.name``.
    """

    def __init__(self, message: str, *, name: object = None) -> None:
        super().__init__(message)
        self.name = name


class MetaBackendError(ProxyStorageError):
    """A meta backend could not do what it was asked to do.

    Args:
        message: what failed.
        path: the path in question, kept as ``error.path``.
        nothing_written: whether it is sure that nothing was written, kept as
            ``error.nothing_written``. After a connection that broke it is not.
    """

    def __init__(self, message: str, *, path: Any = None, nothing_written: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.nothing_written = nothing_written


class MetaBackendObjectDoesNotExist(MetaBackendError, ObjectDoesNotExist):
    """No record has this path."""


class MetaBackendObjectAlreadyExists(MetaBackendError):
    """Another record has this path already."""


class MetaBackendSchemaError(MetaBackendError):
    """The table of records does not exist, or lacks a column of its model.

    Nothing was read or written. Run ``manage.py migrate``.
    """


class MetaBackendUnavailable(MetaBackendError):
    """The database of the meta backend did not answer, or refused to work now."""


class ContentObjectError(ProxyStorageError):
    """An instance cannot be the owner of a file.

    Args:
        message: why not.
        path: the file's path, kept as ``error.path``.
    """

    def __init__(self, message: str, *, path: Any = None) -> None:
        super().__init__(message)
        self.path = path


class ProxyFileNotFoundError(ProxyStorageError, FileNotFoundError):
    """No such file: there is no record of this path, or its bytes are gone.

    Args:
        message: which of the two it is.
        path: the path that was asked for, kept as ``error.path``.
    """

    def __init__(self, message: str, *, path: Any = None) -> None:
        super().__init__(message)
        self.path = path


class LocalPathError(ProxyFileNotFoundError, NotImplementedError):
    """The path has no record, and the file would not be on the local disk.

    Code that calls ``path()`` to check whether the files of a storage are local expects
    ``NotImplementedError``.
    """


class ServingError(ProxyStorageError):
    """A server was asked to deliver a file that it has no way to deliver."""


class UnsafePathError(ServingError):
    """The path of a record, or a symbolic link, leads out of the original storage."""


#: the former name of `ContentObjectError`
OwnerError = ContentObjectError
