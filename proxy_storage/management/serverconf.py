"""``manage.py proxystorage serverconf``: prints the configuration of a web server."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from proxy_storage.management.subcommand import Subcommand
from proxy_storage.serverconf import WEB_SERVERS, Options, get_configuration
from proxy_storage.serverconf.base import SITE

# Option -> the web servers that it applies to.
_FOR = {
    "site": ("lighttpd", "caddy"),
    "resolvers": ("nginx",),
    "cache": ("nginx",),
    "ca_file": ("nginx",),
    "headers": ("nginx",),
}

# Options that may be repeated have a plural name here -> their name on the command line.
_REPEATED = {"resolvers": "resolver", "headers": "header"}


class Serverconf(Subcommand):
    """Print the configuration of a web server for the settings of the project."""

    summary = "Print the configuration of a web server."
    description = (
        "Print the configuration with which a web server delivers the files of this project, "
        "according to PROXY_STORAGE['SERVERS']. Warnings are printed to standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name of the web server and its options."""
        parser.add_argument(
            "web_server",
            choices=WEB_SERVERS,
            metavar="|".join(WEB_SERVERS),
            help="Name of the web server.",
        )
        parser.add_argument(
            "--site",
            type=_read_address,
            metavar="HOST:PORT",
            help=f"Address on which Django listens, for lighttpd and caddy. Default: {SITE}",
        )
        parser.add_argument(
            "--resolver",
            action="append",
            dest="resolvers",
            type=_read_resolver,
            metavar="ADDRESS",
            help="Name server with which nginx looks up the host of presigned URLs. May be "
            "repeated. Default: the name servers in /etc/resolv.conf.",
        )
        parser.add_argument(
            "--cache",
            type=_read_zone,
            metavar="ZONE",
            help="Name of a cache zone of nginx for objects fetched by presigned URLs. Default: "
            "no cache.",
        )
        parser.add_argument(
            "--ca-file",
            type=_read_path,
            metavar="FILE",
            help="File with the certificates of the authorities that nginx trusts when it "
            "fetches objects over https. Default: the file of this machine.",
        )
        parser.add_argument(
            "--header",
            action="append",
            dest="headers",
            type=_read_header,
            metavar="NAME",
            help="Header of Django's responses that nginx adds to responses with files, in "
            "addition to the default headers. May be repeated.",
        )

    def handle(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Print the configuration, and warnings to standard error."""
        web_server = options["web_server"]
        given = {name: options[name] for name in _FOR if options[name]}
        for name in given:
            if web_server not in _FOR[name]:
                option = _REPEATED.get(name, name.replace("_", "-"))
                raise CommandError(f"--{option} is for {' and '.join(_FOR[name])} only.")
        for name in _REPEATED.keys() & given.keys():
            given[name] = tuple(given[name])
        configuration = get_configuration(web_server, Options(**given))
        for warning in configuration.warnings:
            command.stderr.write(f"Warning: {warning}")
        command.stdout.write(configuration.text, ending="")


def _read_address(text: str) -> str:
    return _read(
        r"([\w.-]+|\[[\da-fA-F:]+\]):\d+", text, "a host with a port, such as 127.0.0.1:8000"
    )


def _read_resolver(text: str) -> str:
    return _read(r"([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?", text, "an address, such as 127.0.0.53")


def _read_zone(text: str) -> str:
    return _read(r"\w+", text, "a name of letters, digits and underscores")


def _read_header(text: str) -> str:
    # With its default hash buckets, nginx refuses variables with longer names.
    pattern = r"(?=.{1,40}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
    return _read(pattern, text, "the name of a header, of at most 40 letters, digits and dashes")


def _read_path(text: str) -> str:
    return _read(r"""[^\x00-\x1f\x7f"$\\]+""", text, "a path without quotation marks and $")


def _read(pattern: str, text: str, expected: str) -> str:
    if re.fullmatch(pattern, text, re.ASCII) is None:
        raise ArgumentTypeError(f"{text!r} is not {expected}")
    return text
