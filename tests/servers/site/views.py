"""A project's own view that delivers a file, and views with which tests save and delete files."""

import json
import os
from datetime import UTC, datetime

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import Http404, HttpResponseForbidden, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from proxy_storage.exceptions import ProxyFileNotFoundError, ProxyStorageError
from proxy_storage.serving import serve
from proxy_storage.storages.content import uploaded_as
from tests.servers.site.models import StoredFile

OLD = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)


def plain(request, storage):
    """Check the cookie, and let `serve` do the rest."""
    if request.COOKIES.get("reader") != "yes":
        return HttpResponseForbidden("This is for readers.")
    try:
        record = storages[storage].get_meta_backend_obj(request.GET["path"])
        return serve(
            request,
            record,
            as_attachment="attachment" in request.GET,
            filename=request.GET.get("filename"),
        )
    except ProxyFileNotFoundError as error:
        raise Http404 from error


@csrf_exempt
@require_POST
def save(request, storage):
    """Save the body, or create a record for an existing object, under the given name."""
    options = json.loads(request.headers["X-Options"])
    existing = options.get("original_storage_path")
    content = None if existing is not None else ContentFile(request.body)
    name = options.get("name")
    uploaded_name = options.get("uploaded_name", name)
    try:
        with uploaded_as(content, uploaded_name):
            path = storages[storage].save(name, content, original_storage_path=existing)
    except (OSError, ProxyStorageError, SuspiciousOperation) as error:
        return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)
    if options.get("is_old"):
        _make_old(storages[storage].get_meta_backend_obj(path))
    return JsonResponse({"path": path})


def _make_old(record):
    """Date a file back, because a new file may change again within the same second."""
    StoredFile.objects.filter(path=record["path"]).update(created_at=OLD)
    local_path = record.get_original_storage().path(record["original_storage_path"])
    os.utime(local_path, (OLD.timestamp(), OLD.timestamp()))


@csrf_exempt
@require_POST
def delete(request, storage):
    storages[storage].delete(json.loads(request.headers["X-Options"])["path"])
    return JsonResponse({})
