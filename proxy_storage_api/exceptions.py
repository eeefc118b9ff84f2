"""HTTP errors that Django REST framework has no class for."""

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException

#: The header ``Retry-After`` of a response with status 503, in seconds.
RETRY_AFTER = 5


class MetaBackendDoesNotAnswer(APIException):
    """503: a meta backend is not available, or the record is locked by another delete.

    Source: RFC 9110 section 15.6.4. DRF makes the header ``Retry-After`` of ``wait``.
    """

    wait = RETRY_AFTER
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("Service temporarily unavailable, try again later.")
    default_code = "service_unavailable"


class LengthRequired(APIException):
    """411: an upload has no ``Content-Length``, because its body is chunked.

    Source: RFC 9110 section 15.5.12.
    """

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("The request must have the header Content-Length.")
    default_code = "length_required"


class StorageFull(APIException):
    """507: the disk is full, or the quota is exhausted.

    Source: RFC 4918 section 11.5.
    """

    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = _("There is not enough space to save the file.")
    default_code = "insufficient_storage"


class PreconditionFailed(APIException):
    """412: the file is not of the version that the client wants to change.

    Source: RFC 9110 section 15.5.13.
    """

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = _("The file is not of the requested version.")
    default_code = "precondition_failed"


class FileChanged(APIException):
    """409: the file has got another content object since the permissions were checked.

    Source: RFC 9110 section 15.5.10.
    """

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("The file was changed by another request. Try again.")
    default_code = "conflict"


class LinkExpired(APIException):
    """403: the requester has a signed link to this file, and it has expired."""

    status_code = status.HTTP_403_FORBIDDEN
    default_detail = _("This link has expired.")
    default_code = "link_expired"


class FileTooLarge(APIException):
    """413: the file is larger than ``UPLOAD_MAX_SIZE``.

    Source: RFC 9110 section 15.5.14.
    """

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The file is too large.")
    default_code = "too_large"
