"""The settings of Django and nginx."""

INTERNAL = "/private-x-accel-redirect/"
PATH_URLS = ["/private-media/{}"]


def get_settings(root):
    return {
        "INSTALLED_APPS": ["private_storage"],
        "PRIVATE_STORAGE_ROOT": f"{root}/",
        "PRIVATE_STORAGE_AUTH_FUNCTION": (
            "tests.comparison.contenders.privatestorage.models.is_owner"
        ),
        "PRIVATE_STORAGE_SERVER": "nginx",
        "PRIVATE_STORAGE_INTERNAL_URL": "/private-x-accel-redirect/",
    }


def get_nginx(root):
    return f"location /private-x-accel-redirect/ {{ internal; alias {root}/; }}"


def get_urls(document):
    return {"show": document.file.url, "save": f"/documents/{document.pk}/"}


def get_disk_path(document):
    return document.file.path
