"""The view of the common recipe. This file is all that a project needs, beside nginx."""

import os

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404
from django.urls import path

from tests.comparison.contenders.recipe.models import Document


@login_required
def protected_file(request, path):
    """Check the owner, and let nginx deliver the file."""
    document = get_object_or_404(Document, file=path)
    if document.owner != request.user and not request.user.is_staff:
        return HttpResponseForbidden("You may not read this file.")
    response = HttpResponse()
    # nginx chooses the type by the extension.
    del response["Content-Type"]
    response["X-Accel-Redirect"] = "/protected/" + path
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="{os.path.basename(path)}"'
    return response


urlpatterns = [path("media/<path:path>", protected_file)]
