"""``manage.py proxystorage explain``: why a file is delivered or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.management.subcommand import Subcommand
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import escape_control_characters
from proxy_storage.suggestions import describe_error, suggest
from proxy_storage_api.explanation import (
    Delivery,
    FileExplanation,
    explain_delivery,
    explain_file,
    find_records,
    find_similar_paths,
    get_view,
    parse_target,
)
from proxy_storage_api.generics import ONE_FILE_ACTIONS

# The names of users that are compared with an unknown one.
_COMPARED_USERS = 10_000


class Explain(Subcommand):
    """Print why a file is delivered to a user or refused."""

    summary = "Print why a file is delivered to a user or refused."
    description = (
        "Print the record of a file, the answer of each permission for a user, and how the file "
        "would be delivered. Nothing is changed. The exit status is 1 if the file is not found."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the path, the user and the options of the request."""
        parser.add_argument(
            "path",
            metavar="PATH",
            help="Path of the file: the name in a file field, or the URL of the file.",
        )
        requester = parser.add_mutually_exclusive_group()
        requester.add_argument("--user", metavar="NAME", help="Name of the user.")
        requester.add_argument(
            "--anonymous", action="store_true", help="Explain an anonymous request (the default)."
        )
        parser.add_argument(
            "--storage", metavar="NAME", help="Name of the proxy storage, if several have the path."
        )
        parser.add_argument(
            "--action",
            choices=ONE_FILE_ACTIONS,
            default="download",
            help="Action of the endpoint. Default: download",
        )
        parser.add_argument(
            "--link", metavar="URL", help="A signed link, or its query, to explain a request by it."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Print the explanation."""
        path, storage, query = parse_target(options["path"])
        if options["link"]:
            link = options["link"]
            query = urlsplit(link).query if "?" in link else link
        record = _find_record(path, options["storage"] or storage)
        user = _find_user(options["user"])
        view = get_view(options["action"], user, query)
        found, delivery = explain_file(view, record), explain_delivery(record, view.request)
        if options["json"]:
            data = {
                "record": dict(record),
                "content_object": _get_content_object(record),
                "user": options["user"],
                "action": options["action"],
                "viewset": found.viewset,
                "is_allowed": found.is_allowed,
                "problems": found.problems,
                "permissions": [one.as_dict() for one in found.permissions],
                "delivery": asdict(delivery),
            }
            command.stdout.write(json.dumps(data, indent=2, default=str))
            return
        for line in _get_lines(record, found, delivery, options):
            command.stdout.write(line)


def _find_record(path: str, proxy_storage_name: str | None) -> MetaBackendObject:
    records = find_records(path, proxy_storage_name)
    if not records:
        similar = find_similar_paths(path)
        lines = [f"No record has the path {path!r}."]
        lines += ["Similar paths:", *(f"  {one!r}" for one in similar)] if similar else []
        raise CommandError("\n".join(lines))
    if len(records) > 1:
        names = ", ".join(record["proxy_storage_name"] for record in records)
        raise CommandError(
            f"Several proxy storages have the path {path!r}: {names}. Choose one with --storage."
        )
    return records[0]


def _find_user(name: str | None) -> Any:
    from django.contrib.auth.models import AnonymousUser

    if name is None:
        return AnonymousUser()
    model: Any = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        known = model._default_manager.values_list(model.USERNAME_FIELD, flat=True)
        similar = suggest(name, map(str, known[:_COMPARED_USERS]))
        raise CommandError(f"The user {name!r} does not exist.{similar}") from None


def _get_content_object(record: MetaBackendObject) -> str | None:
    try:
        instance = record.get_content_object()
        return None if instance is None else f"{instance._meta.label} {instance.pk}: {instance}"
    except Exception as error:  # noqa: BLE001  (the model may not exist any more)
        return f"not readable. {describe_error(error)}"


def _get_lines(
    record: MetaBackendObject, found: FileExplanation, delivery: Delivery, options: dict[str, Any]
) -> Iterator[str]:
    yield "Record"
    for key, value in record.items():
        # The representation of text has no control characters.
        yield f"    {key}: {value!r}"
    content_object = escape_control_characters(str(_get_content_object(record)))
    yield f"    content object: {content_object}"
    with suppress(ConfigurationError):  # It is one of the problems below.
        yield f"    original storage: {type(record.get_original_storage()).__qualname__}"
    user = "an anonymous user" if options["user"] is None else f"user {options['user']!r}"
    yield f"Permissions of {found.viewset} for {options['action']} by {user}"
    for explanation in found.permissions:
        yield from (f"    {line}" for line in str(explanation).splitlines())
    yield from (f"    no  {problem}" for problem in found.problems)
    yield f"Answer: {'allowed' if found.is_allowed else 'refused'}"
    yield "Delivery"
    words = {True: "yes", False: "no", None: "not known"}
    yield f"    file exists: {words[delivery.exists]}"
    yield f"    server: {delivery.server}"
    yield f"    response: {delivery.sends or 'none'}"
    yield from (f"        {name}: {value}" for name, value in delivery.headers.items())
    if delivery.problem is not None:
        yield f"    problem: {escape_control_characters(delivery.problem)}"
