"""The files of applications, as the pages show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models.fields.files import FieldFile
from django.http import HttpRequest

from jobs.explanations import Decision, decide, make_view
from jobs.models import JobApply
from jobs.thumbnails import find_thumbnails
from proxy_storage.content_objects import fetch_content_objects
from proxy_storage.db.own_files import get_own_records
from proxy_storage.endpoint import get_file_url
from proxy_storage.meta_backends.base import MetaBackendObject


@dataclass(frozen=True)
class ShownFile:
    """A file of an application, and whether the visitor may read it.

    Attributes:
        application: the application.
        field: the name of the field.
        file: the value of the field.
        record: the file's record.
        thumbnail: the record of the thumbnail of a picture; ``None`` if it does not have one.
        decision: the answer of the rules for the visitor.
    """

    application: JobApply
    field: str
    file: FieldFile
    record: MetaBackendObject
    thumbnail: MetaBackendObject | None
    decision: Decision

    @property
    def label(self) -> str:
        """The name of the field for people."""
        return self.field.capitalize()

    @property
    def thumbnail_url(self) -> str | None:
        """The URL of the thumbnail. Its permission is checked when it is requested."""
        record = self.thumbnail
        if record is None:
            return None
        return get_file_url(record["path"], record["proxy_storage_name"])

    @property
    def is_picture(self) -> bool:
        """Whether the file is a picture."""
        return self.field in JobApply.PICTURE_FIELDS

    @property
    def is_text(self) -> bool:
        """Whether browsers show the file as text."""
        return self.record.get("mime_type") == "text/plain"

    @property
    def is_pdf(self) -> bool:
        """Whether most browsers show the file as a PDF."""
        return self.record.get("mime_type") == "application/pdf"

    @property
    def is_optional(self) -> bool:
        """Whether the file can be deleted without the application."""
        return self.field in JobApply.OPTIONAL_FIELDS

    @property
    def has_links(self) -> bool:
        """Whether signed links are of use: all visitors can read the other files."""
        return self.field != "avatar"


@dataclass(frozen=True)
class ShownApplication:
    """An application with its files."""

    application: JobApply
    files: Sequence[ShownFile]

    @property
    def avatar(self) -> ShownFile | None:
        """The avatar, unless its record is missing."""
        return next((file for file in self.files if file.field == "avatar"), None)


def show_applications(
    request: HttpRequest, applications: Iterable[JobApply]
) -> list[ShownApplication]:
    """Return applications with their files; the number of queries does not depend on theirs.

    A file whose record is missing, or belongs to another application, is left out.

    Args:
        request: the request of the visitor.
        applications: the applications.
    """
    applications = list(applications)
    named = [(one, name, file) for one in applications for name, file in one.get_files()]
    records = get_own_records([file for _, _, file in named])
    paths = [str(file.name) for _, name, file in named if name in JobApply.PICTURE_FIELDS]
    thumbnails = dict(zip(paths, find_thumbnails(paths), strict=True))
    fetch_content_objects([record for record in records if record is not None])
    view = make_view(request)
    shown = [
        ShownFile(one, name, file, record, thumbnails.get(str(file.name)), decide(view, record))
        for (one, name, file), record in zip(named, records, strict=True)
        if record is not None
    ]
    return [
        ShownApplication(one, [file for file in shown if file.application is one])
        for one in applications
    ]
