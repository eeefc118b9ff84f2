"""nginx: internal locations.

Source: https://nginx.org/en/docs/http/ngx_http_core_module.html
"""

from __future__ import annotations

import ipaddress
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options, WebServer, comment
from proxy_storage.serverconf.plan import AliasLocation, Plan, ProxyPassLocation
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY

# JOINED Headers that nginx is told of by name: those of the site, and those of S3.
#
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
#

#: Of an answer with ``X-Accel-Redirect``, nginx itself keeps ``Content-Type``,
#: ``Content-Disposition``, ``Cache-Control``, ``Expires``, ``Set-Cookie`` and ``Accept-Ranges``.
#: It drops these; the configuration adds them to the answer with the file.
PASSED_ON = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "Cross-Origin-Embedder-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Timing-Allow-Origin",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Request-ID",
    "X-Robots-Tag",
)

# nginx has to be told of each by its full name.
HIDDEN = (
    # Only the site decides on these.
    *PASSED_ON,
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Max-Age",
    "Alt-Svc",
    "Cache-Control",
    "Clear-Site-Data",
    "Content-Disposition",
    "Content-Type",
    "Expires",
    "Link",
    "Location",
    "Pragma",
    "Refresh",
    "Set-Cookie",
    "X-XSS-Protection",
    # These are S3's own.
    "x-amz-bucket-region",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-delete-marker",
    "x-amz-expiration",
    "x-amz-id-2",
    "x-amz-missing-meta",
    "x-amz-mp-parts-count",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-replication-status",
    "x-amz-request-charged",
    "x-amz-request-id",
    "x-amz-restore",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key-MD5",
    "x-amz-storage-class",
    "x-amz-tagging-count",
    "x-amz-version-id",
    "x-amz-website-redirect-location",
    "x-amzn-requestid",
)


# JOINED nginx: objects that it fetches by presigned URLs.
#
# Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html
#

RESOLV_CONF = Path("/etc/resolv.conf")
# of Debian, of Red Hat, of Alpine and the BSDs
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

HOST = """\
# {keys}
location ^~ {location} {{
    internal;

    # The site has escaped the path twice. What is left of that after the first time is the
    # path of the URL; the host is fixed here, whatever the site says.
    location ~ "^{pattern}(?<proxy_storage_key>.*)$" {{
        internal;
        proxy_pass {scheme}://{address}/$proxy_storage_key$is_args$args;
{details}

        # What S3 says of an error is not for the client. Of an object that is gone it says 403
        # where it may not be asked for a list of all.
        proxy_intercept_errors on;
{error_pages}

        # the site has said these, or S3 has no business to; they are many, and long
        proxy_headers_hash_max_size 1024;
        proxy_headers_hash_bucket_size 128;
{hidden}
    }}
}}"""

REQUEST = """\
proxy_http_version 1.1;
proxy_pass_request_body off;
# no cookie and no password of the client goes there
proxy_pass_request_headers off;
proxy_set_header Host "{host}";
proxy_set_header Content-Length "";"""

TLS = """\
proxy_ssl_server_name on;
proxy_ssl_name "{name}";
proxy_ssl_verify on;
proxy_ssl_verify_depth 3;
proxy_ssl_trusted_certificate "{ca_file}";"""

# without a cache, conditions are for S3
CONDITIONS = """\
# S3 promises nothing about If-Range, so nginx looks at it: then it fetches the whole object
# and sends the part
set $proxy_storage_range $http_range;
if ($http_if_range) {
    set $proxy_storage_range "";
}
proxy_force_ranges on;
proxy_set_header Range $proxy_storage_range;
proxy_set_header If-Match $http_if_match;
proxy_set_header If-None-Match $http_if_none_match;
proxy_set_header If-Modified-Since $http_if_modified_since;
proxy_set_header If-Unmodified-Since $http_if_unmodified_since;
# a slow client is waited for, not written to disk for
proxy_max_temp_file_size 0;"""

CACHE = """\
# The site is asked for permission each time all the same. nginx fetches whole objects
# into the cache, also where a part is wanted; the signature is no part of the key.
proxy_cache {zone};
proxy_cache_key "$request_method {scheme}://{host}/$proxy_storage_key";
# the URL is signed for the method of the request
proxy_cache_convert_head off;
proxy_cache_valid 200 10m;
proxy_cache_revalidate on;
proxy_cache_lock on;
if_modified_since before;"""

CACHE_PATH = """\
    proxy_cache_path /var/cache/nginx/{zone} keys_zone={zone}:10m max_size=10g
                     inactive=1d use_temp_path=off;"""

IGNORED = """\
proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Buffering X-Accel-Charset
    X-Accel-Expires X-Accel-Limit-Rate X-Accel-Redirect;"""

#: Header that a 416 must have. Only nginx can set it if S3 has sent the whole object.
ERROR_HEADER = "Content-Range"
ERROR = """\
location @proxy_storage_{status} {{
{more}    return {status};
}}"""
# what the client is told -> what S3 has said; all others are between nginx and S3
TOLD = {404: (403, 404), 412: (412,), 416: (416,)}
NOT_MODIFIED = 304
# all that are in use, and those that proxies in front of such hosts have added
ERRORS = (*range(300, 309), *range(400, 432), 451, *range(500, 531))


def get_host_block(host: ProxyPassLocation, keys: tuple[str, ...], options: Options) -> str:
    """Return a location that fetches from a host.

    Args:
        host: what the location is for.
        keys: whose files they are.
        options: name servers, cache and certificates.

    Raises:
        ConfigurationError: there is no name server, or a cache would mix files up.
    """
    name = str(urlsplit(f"//{host.host}").hostname)
    details = [REQUEST.format(host=host.host), IGNORED]
    if not _needs_no_resolver(name):
        details.insert(0, f"resolver {' '.join(options.resolvers or get_resolvers())};")
    if host.scheme == "https":
        ca_file = options.ca_file or get_ca_file()
        details.append(TLS.format(name=name, ca_file=ca_file))
    if options.cache is None:
        details.append(CONDITIONS)
    else:
        details.append(_get_cache(host, options.cache))
    return HOST.format(
        keys=", ".join(keys),
        location=host.location,
        pattern=re.escape(host.location),
        scheme=host.scheme,
        # nginx asks no hosts file for it
        address=host.host.replace("localhost", "127.0.0.1") if name == "localhost" else host.host,
        details=textwrap.indent("\n".join(details), " " * 8),
        error_pages=textwrap.indent("\n".join(_get_error_pages()), " " * 8),
        hidden="\n".join(
            f"        proxy_hide_header {header};" for header in (*HIDDEN, *options.headers)
        ),
    )


def _needs_no_resolver(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def get_resolvers() -> tuple[str, ...]:
    """Return the name servers of this machine, as nginx wants them.

    Raises:
        ConfigurationError: there are none.
    """
    text = RESOLV_CONF.read_text(errors="replace") if RESOLV_CONF.exists() else ""
    found = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_] if "%" not in address:  # has a zone: not for nginx
                found.append(f"[{address}]" if ":" in address else address)
    if not found:
        raise ConfigurationError(
            f"nginx needs a name server to find the host of presigned URLs, and {RESOLV_CONF} "
            "has none. Name one with --resolver."
        )
    return tuple(found)


def get_ca_file() -> str:
    """Return where this machine has the certificates of authorities."""
    return next((path for path in CA_FILES if Path(path).exists()), CA_FILES[0])


def _get_cache(host: ProxyPassLocation, zone: str) -> str:
    if not host.is_told_by_path:
        raise ConfigurationError(
            f"URLs of {host.host} tell files apart by their queries, and the key of a cache is "
            "the path alone. Leave --cache out."
        )
    return CACHE.format(zone=zone, scheme=host.scheme, host=host.host)


def get_cache_path(zone: str) -> str:
    """Return the lines that a cache needs outside of ``server``."""
    return CACHE_PATH.format(zone=zone)


def get_error_blocks() -> Iterator[str]:
    """Yield the locations that say what went wrong, without a word of S3's."""
    for status in (*TOLD, 502):
        more = ""
        if status == 416:
            more = "    set $file_content_range $upstream_http_content_range;\n"
        yield ERROR.format(status=status, more=more)


def _get_error_pages() -> Iterator[str]:
    seen = {NOT_MODIFIED}
    for told, said in TOLD.items():
        yield f"error_page {' '.join(map(str, said))} ={told} @proxy_storage_{told};"
        seen.update(said)
    others = [str(status) for status in ERRORS if status not in seen]
    lines = textwrap.wrap(" ".join(others), 60, subsequent_indent="    ")
    yield "\n".join([f"error_page {lines[0]}", *lines[1:], "    =502 @proxy_storage_502;"])


# nginx has no other way to write a dollar sign into a path
DOLLAR = "proxy_storage_dollar"

INTRODUCTION = """\
For nginx. Include this file in server { }.

The location there that hands requests on to the site has to say as well:

    proxy_set_header X-Sendfile-Type X-Accel-Redirect;
    proxy_hide_header X-Sendfile;

By the first line the site can tell when it is set up for another web server."""

# nginx evaluates server { } anew for an internal redirect, with the site's answer at hand. A "set"
# without the condition would be executed for the subrequests of auth_request as well, and empty
# the variables of their request.
HEADERS = """\
# nginx drops these headers of the site's answer when it delivers a file, and an add_header in a
# location would keep out those of server {{ }}. So they are added here; in answers without a file
# they are empty, and nginx leaves them out. For the same reason an add_header at the level of
# http does not reach this server any more: repeat it here.
uninitialized_variable_warn off;
if ($upstream_http_x_accel_redirect) {{
{assignments}
    # for an answer of the site that lacks them
    set $file_content_security_policy "{policy}";
    set $file_x_content_type_options nosniff;
}}
if ($upstream_http_content_security_policy) {{
    set $file_content_security_policy $upstream_http_content_security_policy;
}}
{headers}"""

# With the defaults above.
_WITH_DEFAULT = ("Content-Security-Policy", "X-Content-Type-Options")

# Without ^~, a location with a regular expression, such as one for all names that end in .jpg,
# would take precedence over this one.
FOLDER = """\
# {keys}
location ^~ {location} {{
    internal;
    alias {alias};
    disable_symlinks on {start};
    if_modified_since before;
}}"""


class Nginx(WebServer):
    """nginx delivers from folders, and from hosts that presigned URLs lead to."""

    kinds = (AliasLocation, ProxyPassLocation)
    server = "XAccelRedirectServer"

    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield a location for each folder and each host."""
        folders, hosts = plan.of(AliasLocation), plan.of(ProxyPassLocation)
        yield comment(INTRODUCTION)
        yield from _get_lines_for_http(folders, hosts, options)
        yield _get_headers((*PASSED_ON, *options.headers), (ERROR_HEADER,) if hosts else ())
        for folder, keys in folders.items():
            yield FOLDER.format(
                keys=", ".join(keys),
                location=folder.location,
                alias=quote(f"{folder.root}/"),
                start=quote(f"from={folder.root}/"),
            )
        for host, keys in hosts.items():
            yield get_host_block(host, keys, options)
        if hosts:
            yield from get_error_blocks()


def _get_headers(names: Sequence[str], of_errors: Sequence[str]) -> str:
    """Return the block that adds headers of the site's answer to the answer with a file.

    Args:
        names: the headers.
        of_errors: headers whose variables are set where an error is answered.
    """
    # One variable for a header, however it is spelled.
    variables = {name.lower().replace("-", "_"): name for name in names}
    assignments = [
        f"    set $file_{variable} $upstream_http_{variable};"
        for variable, name in variables.items()
        if name not in _WITH_DEFAULT
    ]
    variables.update((name.lower().replace("-", "_"), name) for name in of_errors)
    return HEADERS.format(
        assignments="\n".join(assignments),
        policy=CONTENT_SECURITY_POLICY,
        headers="\n".join(
            f"add_header {name} $file_{variable} always;" for variable, name in variables.items()
        ),
    )


def _get_lines_for_http(
    folders: dict[AliasLocation, tuple[str, ...]],
    hosts: dict[ProxyPassLocation, tuple[str, ...]],
    options: Options,
) -> Iterator[str]:
    lines = []
    if any("$" in folder.root for folder in folders):
        lines.append(f'    geo ${DOLLAR} {{ default "$"; }}')
    if options.cache is not None and hosts:
        lines.append(get_cache_path(options.cache))
    if lines:
        yield comment("\n".join(["http { } has to say, outside of server { }:", "", *lines]))


def quote(text: str) -> str:
    """Return text in quotation marks, of which nginx makes the same text again."""
    for character in ("\\", '"'):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'.replace("$", f"${{{DOLLAR}}}")
