"""``manage.py proxystorage serverconf``: prints the configuration of a web server."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from proxy_storage.management.subcommand import Subcommand
from proxy_storage.serverconf import WEB_SERVERS, Options, get_configuration
from proxy_storage.serverconf.base import SITE

# option -> web servers that it means something to
_FOR = {
    "site": ("lighttpd", "caddy"),
    "resolvers": ("nginx",),
    "cache": ("nginx",),
    "ca_file": ("nginx",),
    "headers": ("nginx",),
}

# those that may be given more than once -> the option of one
_OPTIONS = {"resolvers": "resolver", "headers": "header"}


class ServerconfPart(Subcommand):
    """Print what the settings need of a web server."""

    summary = "print the configuration that a web server needs"
    description = (
        "Print what a web server has to be told to deliver the files of this project, as "
        "PROXY_STORAGE['SERVERS'] has it. What will not work is said on standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a web server and its options."""
        parser.add_argument(
            "web_server", choices=WEB_SERVERS, metavar="|".join(WEB_SERVERS), help="its name"
        )
        parser.add_argument(
            "--site",
            type=_read_address,
            metavar="HOST:PORT",
            help=f"where the site listens (lighttpd, caddy; default: {SITE})",
        )
        parser.add_argument(
            "--resolver",
            action="append",
            dest="resolvers",
            type=_read_resolver,
            metavar="ADDRESS",
            help="name server that finds the host of presigned URLs; may be given more than "
            "once (nginx; default: those of /etc/resolv.conf)",
        )
        parser.add_argument(
            "--cache",
            type=_read_zone,
            metavar="ZONE",
            help="name of a cache for what is fetched by presigned URLs (nginx; default: none)",
        )
        parser.add_argument(
            "--ca-file",
            type=_read_path,
            metavar="FILE",
            help="certificates of the authorities that nginx trusts when it fetches by https "
            "(nginx; default: those of this machine)",
        )
        parser.add_argument(
            "--header",
            action="append",
            dest="headers",
            type=_read_header,
            metavar="NAME",
            help="header of the site's answers that is in answers with files as well, beside those "
            "that are known; may be given more than once (nginx)",
        )

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Print the configuration, and on standard error what will not work."""
        web_server = options["web_server"]
        given = {name: options[name] for name in _FOR if options[name]}
        for name in given:
            if web_server not in _FOR[name]:
                option = _OPTIONS.get(name, name.replace("_", "-"))
                raise CommandError(f"--{option} is for {' and '.join(_FOR[name])}.")
        for name in _OPTIONS.keys() & given.keys():
            given[name] = tuple(given[name])
        configuration = get_configuration(web_server, Options(**given))
        for warning in configuration.warnings:
            command.stderr.write(f"Warning: {warning}")
        command.stdout.write(configuration.text, ending="")


def _read_address(text: str) -> str:
    return _read(r"([\w.-]+|\[[\da-fA-F:]+\]):\d+", text, "host and port, such as 127.0.0.1:8000")


def _read_resolver(text: str) -> str:
    return _read(r"([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?", text, "an address, such as 127.0.0.53")


def _read_zone(text: str) -> str:
    return _read(r"\w+", text, "a name of letters, digits and underscores")


def _read_header(text: str) -> str:
    # nginx refuses variables with longer names unless it is given larger buckets for them
    pattern = r"(?=.{1,40}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
    return _read(pattern, text, "the name of a header, of at most 40 letters, digits and dashes")


def _read_path(text: str) -> str:
    return _read(r"""[^\x00-\x1f\x7f"$\\]+""", text, "a path without quotation marks and $")


def _read(pattern: str, text: str, what: str) -> str:
    if re.fullmatch(pattern, text, re.ASCII) is None:
        raise ArgumentTypeError(f"{text!r} is not {what}")
    return text
