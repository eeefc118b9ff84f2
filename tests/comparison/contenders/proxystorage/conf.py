"""The settings of Django and nginx."""

INTERNAL = "/internal/files/"
# The README's lines for `location / { }`.
NGINX_LOCATION = """
            proxy_set_header X-Sendfile-Type X-Accel-Redirect;
            proxy_hide_header X-Sendfile;
"""
PATH_URLS = ["/files/{}", "/files/?path={}"]


def get_settings(root):
    return {
        "INSTALLED_APPS": [
            "rest_framework",
            "proxy_storage",
            "proxy_storage.records",
            "proxy_storage_api",
        ],
        "STORAGES": {
            "default": {"BACKEND": "proxy_storage.storages.ProxyStorage"},
            "staticfiles": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        },
        "PROXY_STORAGE": {
            "DEFAULT_PERMISSION_CLASSES": [
                "tests.comparison.contenders.proxystorage.permissions.DocumentFiles"
            ],
            "SERVERS": {
                "default": {
                    "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
                    "OPTIONS": {"location": "/internal/files/"},
                }
            },
        },
    }


def get_nginx(root):
    # The output of `manage.py proxystorage serverconf nginx`.
    return f"include {root.parent}/proxy-storage.conf;"


def get_urls(document):
    return {"show": document.file.url, "save": f"{document.file.url}&disposition=attachment"}


def get_disk_path(document):
    storage = document.file.storage
    record = storage.meta_backend.get(document.file.name)
    return storage.original_storage.path(record["original_storage_path"])
