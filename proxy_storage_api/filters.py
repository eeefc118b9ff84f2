"""Choose and order records by the query."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.settings import api_settings as drf_settings
from rest_framework.views import APIView

from proxy_storage.meta_backends.conditions import Condition, all_of
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_api.serializers import RecordFilterSerializer

#: what records can be ordered by; with ``-`` the other way round
ORDERINGS = ("path", "size", "mime_type", "created_at")


class RecordFilter(BaseFilterBackend):
    """Filter by the parameters of `RecordFilterSerializer`, and by ``ordering``.

    Source: https://www.django-rest-framework.org/api-guide/filtering/
    """

    def filter_queryset(self, request: Request, queryset: RecordSet, view: APIView) -> RecordSet:  # type: ignore[override]  # DRF takes what a view's get_queryset gives
        """Return the records that the query asks for.

        Raises:
            ValidationError: 400, a value is none of its parameter.
        """
        given = RecordFilterSerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        condition = get_condition(given.validated_data)
        return queryset.filter(condition).order_by(*self.get_ordering(request, queryset, view))

    def get_ordering(self, request: Request, queryset: Any, view: APIView) -> list[str]:
        """Return what to order by; DRF's paginator by cursor asks for it as well.

        Raises:
            ValidationError: 400, records cannot be ordered so.
        """
        parameter = drf_settings.ORDERING_PARAM
        given = request.query_params.get(parameter)
        names = given.split(",") if given else []
        if any(name.removeprefix("-") not in ORDERINGS for name in names):
            raise ValidationError({parameter: [f"Known are {', '.join(ORDERINGS)}."]})
        return names or ["path"]


def get_condition(given: dict[str, Any]) -> Condition:
    """Return the condition that the values of a `RecordFilterSerializer` are."""
    given = dict(given)
    conditions: list[Condition] = []
    if "storage" in given:
        conditions.append(Q(proxy_storage_name=given.pop("storage")))
    if "content_type" in given:
        conditions.append(_is_of_model(given.pop("content_type")))
    return all_of(*conditions, *(Q(**{key: value}) for key, value in given.items()))


def _is_of_model(label: str) -> Condition:
    app_label, _, model = label.lower().partition(".")
    try:
        return Q(content_type_id=ContentType.objects.get_by_natural_key(app_label, model).pk)
    except ContentType.DoesNotExist:
        return False
