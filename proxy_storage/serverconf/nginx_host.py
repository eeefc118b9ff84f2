"""nginx: objects that it fetches by presigned URLs.

Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html
"""

from __future__ import annotations

import ipaddress
import re
import textwrap
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf.base import Options
from proxy_storage.serverconf.plan import InternalHost

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

        # what S3 says of an error is not for the client
        proxy_intercept_errors on;
{error_pages}

        # once, as the site says it: the site's are taken from its answer before S3 is asked
        set $proxy_storage_nosniff $upstream_http_x_content_type_options;
        set $proxy_storage_policy $upstream_http_content_security_policy;
        set $proxy_storage_vary $upstream_http_vary;
        add_header X-Content-Type-Options $proxy_storage_nosniff always;
        add_header Content-Security-Policy $proxy_storage_policy always;
        add_header Vary $proxy_storage_vary always;
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

# without a cache; it is for S3 to say what has changed, and which part is wanted
CONDITIONS = """\
proxy_set_header Range $http_range;
proxy_set_header If-Range $http_if_range;
proxy_set_header If-Match $http_if_match;
proxy_set_header If-None-Match $http_if_none_match;
proxy_set_header If-Modified-Since $http_if_modified_since;
proxy_set_header If-Unmodified-Since $http_if_unmodified_since;
# a slow client is waited for, not written to disk for
proxy_max_temp_file_size 0;"""

CACHE = """\
# The site is asked for permission each time all the same. nginx fetches whole objects into the
# cache, also where a part is wanted; the signature is no part of the key.
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

HIDDEN = """
    Access-Control-Allow-Credentials Access-Control-Allow-Headers Access-Control-Allow-Methods
    Access-Control-Allow-Origin Access-Control-Expose-Headers Access-Control-Max-Age
    Alt-Svc Cache-Control Clear-Site-Data Content-Disposition Content-Security-Policy Content-Type
    Expires Link Location Pragma Refresh Set-Cookie Strict-Transport-Security Vary
    X-Content-Type-Options X-Frame-Options X-XSS-Protection
    x-amz-bucket-region x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme
    x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-type x-amz-delete-marker
    x-amz-expiration x-amz-id-2 x-amz-meta-s3cmd-attrs x-amz-missing-meta x-amz-mp-parts-count
    x-amz-object-lock-legal-hold x-amz-object-lock-mode x-amz-object-lock-retain-until-date
    x-amz-replication-status x-amz-request-charged x-amz-request-id x-amz-restore
    x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id
    x-amz-server-side-encryption-bucket-key-enabled
    x-amz-server-side-encryption-context
    x-amz-server-side-encryption-customer-algorithm
    x-amz-server-side-encryption-customer-key-MD5
    x-amz-storage-class x-amz-tagging-count x-amz-version-id x-amz-website-redirect-location
""".split()

ERROR = """\
location @proxy_storage_{status} {{
    add_header X-Content-Type-Options nosniff always;
{more}    return {status};
}}"""
# these tell the client something; all others are between nginx and S3
TOLD = (404, 412, 416)
NOT_MODIFIED = 304


def get_host_block(host: InternalHost, keys: tuple[str, ...], options: Options) -> str:
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
        hidden="\n".join(f"        proxy_hide_header {header};" for header in HIDDEN),
    )
