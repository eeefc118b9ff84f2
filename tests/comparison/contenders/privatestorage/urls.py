"""The URLs of the storage, and a view of a document."""

import private_storage.urls
from django.contrib.auth.mixins import LoginRequiredMixin
from django.urls import include, path
from private_storage.views import PrivateStorageDetailView

from tests.comparison.contenders.privatestorage.models import Document


class DocumentView(LoginRequiredMixin, PrivateStorageDetailView):
    model = Document
    model_file_field = "file"
    content_disposition = "attachment"

    def get_queryset(self):
        return super().get_queryset().filter(owner=self.request.user)

    def can_access_file(self, private_file):
        return True

    def get_content_disposition_filename(self, private_file):
        return private_file.parent_object.name


urlpatterns = [
    path("private-media/", include(private_storage.urls)),
    path("documents/<int:pk>/", DocumentView.as_view()),
]
