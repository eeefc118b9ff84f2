"""The careful view."""

from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.http import content_disposition_header
from django.views.decorators.cache import cache_control

from tests.comparison.contenders.careful.models import Document


@login_required
@cache_control(private=True, no_cache=True)
def protected_file(request, path):
    """Find the document among those of the user, and let nginx deliver its file."""
    document = get_object_or_404(Document, file=path, owner=request.user)
    response = HttpResponse()
    # nginx chooses the type by the extension.
    del response["Content-Type"]
    response["X-Accel-Redirect"] = "/protected/" + quote(document.file.name)
    as_attachment = "download" in request.GET
    response["Content-Disposition"] = content_disposition_header(as_attachment, document.name)
    return response


urlpatterns = [path("media/<path:path>", protected_file)]
