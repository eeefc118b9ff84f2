"""Two views that call ``sendfile``."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404
from django.urls import path
from django_sendfile import sendfile

from tests.comparison.contenders.sendfile2.models import Document


@login_required
def show(request, pk):
    document = get_object_or_404(Document, pk=pk, owner=request.user)
    return sendfile(request, document.file.path)


@login_required
def save(request, pk):
    document = get_object_or_404(Document, pk=pk, owner=request.user)
    return sendfile(request, document.file.path, attachment=True, attachment_filename=document.name)


urlpatterns = [path("documents/<int:pk>/", show), path("documents/<int:pk>/save/", save)]
