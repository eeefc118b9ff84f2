"""Parts of error messages: the name that was probably meant, and the package to install."""

from __future__ import annotations

import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from django.conf import settings

from proxy_storage.paths import escape_control_characters

# A module that may be missing, and the extra of this package that installs it.
_EXTRAS = {
    "boto3": "s3",
    "botocore": "s3",
    "bson": "mongo",
    "django_sendfile": "api",
    "drf_spectacular": "schema",
    "gridfs": "mongo",
    "pymongo": "mongo",
    "rest_framework": "api",
    "storages": "s3",
}
_CREDENTIALS = re.compile(r"//[^/\s]*@")
# The query of a URL may be a signature. Errors also contain URLs without a scheme and a host.
_QUERY = re.compile(r"\?[^\s?'\"<>]*=[^\s'\"<>]*")
# pymongo repeats all causes in it.
_TOPOLOGY = re.compile(r", Topology Description: <.*>")


def suggest(value: object, known: Iterable[str]) -> str:
    """Return a sentence with the known name that is most similar to a value.

    Returns:
        A space and the sentence; an empty text if no name is similar.
    """
    matches = get_close_matches(str(value), sorted(set(known)), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def describe_import_error(path: str, error: BaseException) -> str:
    """Return the text of an error of ``import_string``, with a suggestion.

    Args:
        path: the dotted path that could not be imported.
        error: the error.
    """
    return end_sentence(f"{error}{get_install_hint(error) or _suggest_path(path)}")


def _suggest_path(path: str) -> str:
    parts = path.split(".")
    # The packages in front of the part that does not exist have been imported.
    found = next((n for n in range(len(parts) - 1, 0, -1) if ".".join(parts[:n]) in sys.modules), 0)
    if found:
        module = sys.modules[".".join(parts[:found])]
        submodules = pkgutil.iter_modules(getattr(module, "__path__", []))
        known = {*dir(module), *(submodule.name for submodule in submodules)}
    else:
        known = {app.partition(".")[0] for app in settings.INSTALLED_APPS}
    if parts[found] in known:
        return ""  # The module exists, and its import failed.
    matches = get_close_matches(parts[found], sorted(known), n=1)
    if not matches:
        return ""
    meant = ".".join([*parts[:found], *matches, *parts[found + 1 :]])
    return f". Did you mean {meant!r}?"


def get_install_hint(error: BaseException) -> str:
    """Return how to install the module that an error, or one of its causes, is about.

    Returns:
        A period and a sentence; an empty text if the error has another cause.
    """
    cause: BaseException | None = error
    while cause is not None:
        extra = _EXTRAS.get(str(cause.name)) if isinstance(cause, ModuleNotFoundError) else None
        if extra is not None:
            return f'. Install it with: pip install "django-proxy-storage[{extra}]"'
        cause = cause.__cause__ or cause.__context__
    return ""


def describe_build_error(entry: Any, error: Exception) -> str:
    """Return why the object that an entry of the settings describes could not be built.

    Args:
        entry: ``{"BACKEND": dotted path of a class, "OPTIONS": its keyword arguments}``.
        error: the error of the import or of the call.
    """
    backend, options = (
        (entry.get("BACKEND"), entry.get("OPTIONS", {}))
        if isinstance(entry, Mapping)
        else (None, None)
    )
    if not isinstance(backend, str):
        return end_sentence(repr(error))
    module, _, name = backend.rpartition(".")
    cls = getattr(sys.modules.get(module), name, None)
    if isinstance(error, TypeError) and isinstance(cls, type) and isinstance(options, Mapping):
        return _describe_call_error(cls, options, error)
    return describe_import_error(backend, error)


def _describe_call_error(cls: type[Any], options: Mapping[str, Any], error: TypeError) -> str:
    # The signature of a class with Django's deconstructible is not that of its constructor.
    parameters = inspect.signature(cls.__init__).parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for option in options:
        if not takes_all and option not in parameters:
            known = [name for name in parameters if name != "self"]
            return (
                f"{cls.__qualname__} does not have the option {option!r}."
                f"{suggest(option, known)} The options are {', '.join(known) or 'none'}."
            )
    return end_sentence(str(error))


def end_sentence(text: str) -> str:
    """Return a text with a period at its end, unless it ends with a punctuation mark.

    An extra in brackets is the end of a command, which a period would change.
    """
    return text if text.endswith((".", "?", ']"')) else f"{text}."


def describe_error(error: BaseException) -> str:
    """Return an error as one line for a log, without credentials and queries of URLs."""
    return f"{type(error).__name__}: {describe_text(str(error))}"


def describe_text(text: str) -> str:
    """Return the text of an error as one line, without credentials and queries of URLs."""
    text = _TOPOLOGY.sub("", escape_control_characters(" ".join(text.split())))
    return _QUERY.sub("?...", _CREDENTIALS.sub("//***@", text))
