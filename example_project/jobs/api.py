"""The API of applications, for clients with a session or a token."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import mixins, serializers, viewsets

from jobs.models import JobApply
from proxy_storage_api.fields import SignedFileField
from proxy_storage_api.references import FileReferenceField


class ApplicationSerializer(serializers.ModelSerializer):
    """An application. Its files are the paths of uploads: see ``POST files/``."""

    user = serializers.CharField(source="user.username", read_only=True)
    resume = FileReferenceField()
    avatar = FileReferenceField()
    certificate = FileReferenceField(required=False, allow_blank=True)
    # For <img> elements, which cannot send a token.
    avatar_link = SignedFileField(source="avatar", read_only=True, max_age=600)
    certificate_link = SignedFileField(source="certificate", read_only=True, max_age=600)

    class Meta:
        model = JobApply
        fields = [
            "id",
            "user",
            "what_you_want",
            "resume",
            "avatar",
            "avatar_link",
            "certificate",
            "certificate_link",
        ]


class ApplicationViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    viewsets.GenericViewSet,
):
    """List, show and create the applications of the current user."""

    serializer_class = ApplicationSerializer

    def get_queryset(self) -> QuerySet[JobApply]:
        """Return the user's own applications, the newest first."""
        user: Any = self.request.user
        if not user.is_authenticated:  # The OpenAPI document is made without a user.
            return JobApply.objects.none()
        return JobApply.objects.filter(user=user).select_related("user").order_by("-pk")

    @transaction.atomic
    def perform_create(self, serializer: Any) -> None:
        """Save the application and attach its uploads, or do neither."""
        serializer.save(user=self.request.user)
