"""Request files from a running site, to check that its web server delivers them.

A file is requested only as the permissions of the project allow it: by an anonymous request, by a
signed link, or with headers that the operator passes. The check does not have special access,
because such access could be misused.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db.models import Q

from proxy_storage.endpoint import get_file_url
from proxy_storage.exceptions import ConfigurationError, ProxyStorageError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.operations.doctor import PROBE, Finding
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_names
from proxy_storage.serving import get_server, x_accel, x_sendfile
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lookup import get_all_originals
from proxy_storage.suggestions import describe_error
from proxy_storage_api.explanation import explain_delivery, find_records, get_view
from proxy_storage_permissions import get_signed_url

# The time limit of a request, in seconds.
_TIMEOUT = 10
# The number of bytes that are compared.
_COMPARED = 65_536
# The number of records among which a readable one is looked for.
_CANDIDATES = 50
_LINK_AGE = 60  # seconds


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class _Redirects(HTTPRedirectHandler):
    """Follow redirects to presigned URLs without the cookies of the site."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next request without headers."""
        request: Any = super().redirect_request(*args, **kwargs)
        request.headers.clear()
        return request


def examine_site(
    site: str,
    *,
    paths: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    skip_writes: bool = False,
) -> Iterator[Finding]:
    """Check that the site delivers files, and only with a permission check.

    Args:
        site: its URL.
        paths: the files to request. Without them, one file of each original storage is requested.
        headers: the headers of the requests for these files.
        skip_writes: only read. Without it, a file is written, and deleted afterwards, to a storage
            without a readable file.
    """
    try:
        problem = None if get_file_url("", "") else "The project has no download endpoint."
    except ConfigurationError as error:
        problem = str(error)
    if problem is not None:
        cure = "Add 'proxy_storage_api' to INSTALLED_APPS, and its URLs to the project."
        yield Finding("site: endpoint", problem, cure)
        return
    for path in paths:
        for record in find_records(path):
            yield from _examine_record(site, record, _get_url(record), headers or {})
            break
        else:
            yield Finding(f"site: {path!r}", "No record has this path.", "Correct the path.")
    for name in () if paths else get_proxy_storage_names():
        storage = get_proxy_storage(name)
        for _, original_name in get_all_originals(storage):
            yield from _examine_storage(site, name, original_name, skip_writes)


def _examine_storage(
    site: str, name: str, original_name: str | None, skip_writes: bool
) -> Iterator[Finding]:
    storage = get_proxy_storage(name)
    key = name if original_name is None else f"{name}/{original_name}"
    try:
        found = _find_readable(storage, name, original_name)
        if found is not None:
            yield from _examine_record(site, *found, {})
            return
        is_first = get_all_originals(storage)[0].name == original_name
        if not skip_writes and is_first:
            record = _save_probe(storage)
            try:
                url = _get_open_url(record)
                if url is not None:
                    yield from _examine_record(site, record, url, {})
                    return
            finally:
                storage.delete_record(record)
    except Exception as error:  # noqa: BLE001  (the errors of drivers are not known here)
        yield Finding(f"site: {key!r}", describe_error(error), "Correct the problems above first.")
        return
    yield Finding(
        f"site: {key!r}",
        "The delivery was not checked: no existing file may be read by an anonymous request or by "
        "a signed link.",
        "Request a file with --path PATH and --header 'Cookie: sessionid=...' of a user who may "
        "read it.",
        is_warning=True,
    )


# Find a file that may be read.


def _find_readable(
    storage: ProxyStorageBase, name: str, original_name: str | None
) -> tuple[MetaBackendObject, str] | None:
    """Return a record whose file may be read, and the URL for it."""
    records = storage.meta_backend.select(Q(proxy_storage_name=name), ["path"], 0, _CANDIDATES)
    for record in records:
        if record.get_original_storage_name() == original_name:
            url = _get_open_url(record)
            if url is not None and _read(record):
                return record, url
    return None


def _get_open_url(record: MetaBackendObject) -> str | None:
    """Return a URL by which an anonymous request may read a file, or ``None``."""
    from django.contrib.auth.models import AnonymousUser

    for url in (_get_url(record), get_signed_url(record, max_age=_LINK_AGE).url):
        view = get_view("download", AnonymousUser(), urlsplit(url).query)
        if view.has_access(record):
            return url
    return None


def _get_url(record: MetaBackendObject) -> str:
    return str(get_file_url(record["path"], record["proxy_storage_name"]))


def _save_probe(storage: ProxyStorageBase) -> MetaBackendObject:
    content = ContentFile(uuid4().hex.encode())
    path = storage.save(f"{PROBE}{uuid4().hex}.txt", content)
    return storage.get_meta_backend_obj(path)


def _read(record: MetaBackendObject) -> bytes:
    """Return the beginning of a file; nothing if it is missing."""
    original: Storage = record.get_original_storage()
    try:
        with original.open(record["original_storage_path"]) as file:
            content: bytes = file.read(_COMPARED)
            return content
    except (FileNotFoundError, ProxyStorageError):
        return b""


# Request it.


def _examine_record(
    site: str, record: MetaBackendObject, url: str, headers: Mapping[str, str]
) -> Iterator[Finding]:
    """Request a file through the endpoint, and by the ways around it."""
    server = type(get_server(record)).__name__
    check = f"site: {record['path']!r} of {record['proxy_storage_name']!r} by {server}"
    content = _read(record)
    try:
        answer = _request(urljoin(site, url), headers)
    except (OSError, http.client.HTTPException) as error:
        yield Finding(check, describe_error(error), "Start the web server, or correct --site.")
        return
    problem = _find_problem(answer, content)
    yield Finding(check, *(problem or (None, None)))
    for kind, address in _get_ways_around(record, site):
        yield _examine_way_around(f"{kind} {urlsplit(address).path!r}", address, content)


def _find_problem(answer: _Answer, content: bytes) -> tuple[str, str] | None:
    """Return the problem of a response, and its cure."""
    for name in (x_accel.HEADER, x_sendfile.HEADER):
        if name in answer.headers:
            return (
                f"The client gets the header {name}, and not the file.",
                "Send requests through the web server, and configure it as in the output of "
                "manage.py proxystorage serverconf.",
            )
    if answer.status == 200 and answer.content == content and content:
        return None
    if answer.status == 200 and not answer.content:
        problem = "The response is empty."
    elif answer.status == 200:
        problem = "The response does not have the content of the file."
    else:
        problem = f"The status of the response is {answer.status}."
    if answer.status in (401, 403):
        return problem, "Run manage.py proxystorage explain with the path to find the permission."
    if answer.status >= 500:
        return problem, "The log of the site has the error."
    return (
        problem,
        "Compare the configuration of the web server with the output of manage.py proxystorage "
        "serverconf. Its log has the path of the file that it has looked for.",
    )


def _get_ways_around(record: MetaBackendObject, site: str) -> Iterator[tuple[str, str]]:
    """Yield the internal location and the public URL of a file, if it has them."""
    view = get_view("download", None)
    sends = explain_delivery(record, view.request).sends or ""
    name, _, uri = sends.partition(": ")
    if name == x_accel.HEADER:
        yield "internal location", urljoin(site, uri.partition("?")[0])
    try:
        url = record.get_original_storage().url(record["original_storage_path"])
    except Exception:  # noqa: BLE001  (most original storages have no URL)
        return
    # Without its signature, a presigned URL must not give access.
    address = urljoin(site, url.partition("?")[0])
    endpoint = urlsplit(str(get_file_url("", ""))).path
    if urlsplit(address).scheme in ("http", "https") and urlsplit(address).path != endpoint:
        yield "URL of the original storage", address


def _examine_way_around(check: str, address: str, content: bytes) -> Finding:
    check = f"site: {check} is closed"
    try:
        answer = _request(address, {})
    except (OSError, http.client.HTTPException):
        return Finding(check)  # The address does not respond.
    if answer.status == 200 and answer.content == content and content:
        return Finding(
            check,
            f"PUBLIC: {address!r} returns the file without a permission check.",
            "Add 'internal' to the location of the web server, or move the files to a place that "
            "is not public.",
        )
    return Finding(check)


def _request(url: str, headers: Mapping[str, str]) -> _Answer:
    """Return the answer of a server, with the beginning of the content."""
    # The scheme is http or https: the command and the callers check it.
    request = Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=dict(headers))  # noqa: S310
    try:
        with build_opener(ProxyHandler({}), _Redirects()).open(
            request, timeout=_TIMEOUT
        ) as response:
            return _Answer(response.status, dict(response.headers), response.read(_COMPARED))
    except HTTPError as error:
        with error:
            return _Answer(error.code, dict(error.headers), b"")
