"""Refusals that DRF has no class for."""

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException


class MetaBackendDoesNotAnswer(APIException):
    """503: the place where the records are cannot be asked now."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("Service temporarily unavailable, try again later.")
    default_code = "service_unavailable"


class FileTooLarge(APIException):
    """413: more bytes than ``UPLOAD_MAX_SIZE``.

    Source: RFC 9110 section 15.5.14.
    """

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The file is too large.")
    default_code = "too_large"
