"""Two views of a document."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.urls import path
from django_downloadview import ObjectDownloadView

from tests.comparison.contenders.downloadview.models import Document


class DocumentView(LoginRequiredMixin, ObjectDownloadView):
    model = Document
    basename_field = "name"

    def get_queryset(self):
        return super().get_queryset().filter(owner=self.request.user)


urlpatterns = [
    path("documents/<int:pk>/", DocumentView.as_view(attachment=False)),
    path("documents/<int:pk>/save/", DocumentView.as_view()),
]
