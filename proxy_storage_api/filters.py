"""Filter and order records by query parameters."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.settings import api_settings as drf_settings
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.queries import Condition, all_of
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_api.pagination import StepPagination
from proxy_storage_api.serializers import DISPOSITION_PARAMETER, RecordFilterSerializer
from proxy_storage_permissions.links import BOUND_PARAMETERS, SIGNATURE_PARAMETER

#: the values of the parameter ``ordering``; ``-`` before a value reverses the order
ORDERINGS = ("path", "name", "size", "mime_type", "created_at")
# The limits of a search. Each term is compared with two values of every record. Databases limit the
# depth of a condition and the length of a pattern: SQLite to 1,000 and 50,000.
MAX_SEARCH_TERMS = 20
MAX_SEARCH_LENGTH = 500
# The list has the URL of downloads, so it accepts the parameters of links.
LINK_PARAMETERS = (DISPOSITION_PARAMETER, SIGNATURE_PARAMETER, *BOUND_PARAMETERS)


class RecordFilter(BaseFilterBackend):
    """Filter by the parameters of `RecordFilterSerializer`, ``search`` and ``ordering``.

    A request for a single file is not filtered, since it has other parameters.

    Source: https://www.django-rest-framework.org/api-guide/filtering/
    """

    def filter_queryset(self, request: Request, queryset: RecordSet, view: APIView) -> RecordSet:  # type: ignore[override]  # The queryset of these views is a RecordSet.
        """Return the records that the query parameters select.

        Raises:
            ValidationError: 400, a parameter is unknown or has an invalid value.
        """
        if getattr(view, "checks_record", False):
            return queryset
        check_parameters(request, view)
        given = RecordFilterSerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        conditions = [get_condition(given.validated_data)]
        if not has_search_filter(view):
            conditions += self.get_search(request)
        return queryset.filter(*conditions).order_by(*self.get_ordering(request, queryset, view))

    def get_search(self, request: Request) -> list[Condition]:
        """Return one condition for each search term.

        Raises:
            ValidationError: 400, the search is not valid text, is too long or has too many terms.
        """
        parameter = drf_settings.SEARCH_PARAM
        if len(request.query_params.get(parameter, "")) > MAX_SEARCH_LENGTH:
            raise ValidationError({parameter: [f"Give at most {MAX_SEARCH_LENGTH} characters."]})
        try:
            terms = SearchFilter().get_search_terms(request)
        except ValidationError as error:
            raise ValidationError({parameter: error.detail}) from error
        if len(terms) > MAX_SEARCH_TERMS:
            raise ValidationError({parameter: [f"Give at most {MAX_SEARCH_TERMS} terms."]})
        return [Q(path__icontains=term) | Q(name__icontains=term) for term in terms if term]

    def get_ordering(self, request: Request, queryset: Any, view: APIView) -> list[str]:
        """Return the keys to order by. DRF's ``CursorPagination`` calls it as well.

        Raises:
            ValidationError: 400, the parameter has another value than `ORDERINGS`.
        """
        parameter = drf_settings.ORDERING_PARAM
        given = request.query_params.get(parameter)
        names = given.split(",") if given else []
        if any(name.removeprefix("-") not in ORDERINGS for name in names):
            raise ValidationError({parameter: [f"This must be one of {', '.join(ORDERINGS)}."]})
        return names or ["path"]


def check_parameters(request: Request, view: Any) -> None:
    """Refuse unknown parameters, since a misspelled filter would list all records.

    Args:
        request: the request.
        view: the view of the list.

    Raises:
        ValidationError: 400.
    """
    known = get_known_parameters(view)
    if known is None:
        return
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise ValidationError({name: ["This parameter is unknown."] for name in unknown})


def get_known_parameters(view: Any) -> set[str] | None:
    """Return the names of the query parameters of a list.

    Returns:
        ``None`` if the view has a filter of the project, whose parameters are not known.
    """
    known = {
        *RecordFilterSerializer().fields,
        drf_settings.ORDERING_PARAM,
        drf_settings.SEARCH_PARAM,
        view.path_parameter,
        view.storage_parameter,
        *LINK_PARAMETERS,
        *view.list_parameters,
        *_get_attributes(view.paginator, "_query_param"),
        StepPagination.position_query_param,
        *_get_attributes(view.versioning_class, "version_param"),
    }
    if drf_settings.URL_FORMAT_OVERRIDE:
        known.add(drf_settings.URL_FORMAT_OVERRIDE)
    for backend in view.filter_backends:
        if not issubclass(backend, RecordFilter | SearchFilter | OrderingFilter):
            return None
        known |= _get_attributes(backend, "_param")
    return known


def _get_attributes(target: Any, suffix: str) -> set[str]:
    names = (name for name in dir(target) if name.endswith(suffix))
    return {value for name in names if isinstance(value := getattr(target, name), str)}


def has_search_filter(view: Any) -> bool:
    """Return whether a view has DRF's ``SearchFilter``."""
    backends = getattr(view, "filter_backends", ())
    return any(issubclass(backend, SearchFilter) for backend in backends)


def get_condition(given: dict[str, Any]) -> Condition:
    """Return the condition for the validated data of a `RecordFilterSerializer`."""
    given = dict(given)
    conditions: list[Condition] = []
    if "storage" in given:
        conditions.append(Q(proxy_storage_name=given.pop("storage")))
    if "content_type" in given:
        conditions.append(_is_of_model(given.pop("content_type")))
    has_content_object = given.pop("has_content_object")
    if has_content_object is not None:
        conditions.append(Q(content_type_id__isnull=not has_content_object))
    return all_of(*conditions, *(Q(**{key: value}) for key, value in given.items()))


def _is_of_model(label: str) -> Condition:
    app_label, _, model = label.lower().partition(".")
    try:
        return Q(content_type_id=ContentType.objects.get_by_natural_key(app_label, model).pk)
    except ContentType.DoesNotExist:
        return False


def apply_filter(backend: Any, request: Any, queryset: Any, view: Any) -> Any:
    """Return the records that a filter backend selects.

    The filters of Django REST framework and django-filter need a queryset. They get the rows of
    the table of records, and the selected rows become a condition on records.

    Args:
        backend: an instance of a filter backend. A filter of the project that needs a queryset has
            the attribute ``filters_rows = True``.
        request: the request.
        queryset: the records.
        view: the view.

    Raises:
        ConfigurationError: the filter needs a queryset, but the records are not in one table.
    """
    if not (isinstance(queryset, RecordSet) and filters_rows(backend)):
        return backend.filter_queryset(request, queryset, view)
    rows = _get_rows(backend, queryset)
    found = backend.filter_queryset(request, rows, view)
    names = found.query.order_by
    if names:
        queryset = queryset.order_by(*names)
    if not found.query.has_filters():
        return queryset
    key = rows.model._meta.pk.attname
    return queryset.filter(Q(**{f"{key}__in": found.order_by().values(key)}))


def filters_rows(backend: Any) -> bool:
    """Return whether a filter backend needs a queryset."""
    modules = (base.__module__.partition(".")[0] for base in type(backend).__mro__)
    return (
        isinstance(backend, SearchFilter)
        or "django_filters" in modules
        or bool(getattr(backend, "filters_rows", False))
    )


def _get_rows(backend: Any, records: RecordSet) -> Any:
    meta_backends = records.meta_backends
    if len(meta_backends) != 1 or not isinstance(meta_backends[0], ORMMetaBackend):
        raise ConfigurationError(
            f"{type(backend).__qualname__} filters the rows of one table, but these records are in "
            f"{', '.join(map(repr, meta_backends)) or 'no meta backend'}. Use RecordFilter, whose "
            "parameter 'search' finds a part of a path or name, or set meta_backends of the view "
            "to one ORMMetaBackend."
        )
    meta_backend = meta_backends[0]
    return meta_backend.model._base_manager.using(meta_backend.get_transaction_alias()).all()
