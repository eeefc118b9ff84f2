"""The public names of the packages."""

import proxy_storage.exceptions
import proxy_storage.serving
import proxy_storage_permissions


def test_public_names():
    assert proxy_storage_permissions.__all__ == [
        "CanReadFile",
        "DenyAll",
        "FieldPermissions",
        "FilePermission",
        "HasModelPermission",
        "HasObjectPermission",
        "HasValidSignature",
        "IsOwner",
        "Readable",
        "SignedLink",
        "decide",
        "get_readable",
        "get_signed_url",
        "may_read",
        "owned_by",
        "revoke_links",
    ]
    assert proxy_storage.serving.__all__ == [
        "RedirectServer",
        "SendfileServer",
        "ServerBase",
        "StreamingServer",
        "XAccelRedirectServer",
        "XSendfileServer",
        "get_server",
        "serve",
    ]
