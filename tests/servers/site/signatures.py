"""Checks the signature of a presigned URL, which the S3 server of the tests does not check.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SECRET_KEY = "tests"


def is_signed_for(method, target, host):
    """Return whether the signature in the query of a request is valid for it."""
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    signature = query.pop("X-Amz-Signature", None)
    if query.get("X-Amz-SignedHeaders") != "host":
        return False
    scope = query["X-Amz-Credential"].partition("/")[2]
    canonical = [
        method,
        quote(unquote(parts.path), safe="/~"),
        "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in sorted(query.items())),
        f"host:{host}\n",
        "host",
        "UNSIGNED-PAYLOAD",
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest])
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return signature == hmac.digest(key, text.encode(), "sha256").hex()
