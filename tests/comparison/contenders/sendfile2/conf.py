"""The settings of Django and nginx."""

INTERNAL = "/protected/"
PATH_URLS = []


def get_settings(root):
    return {
        "INSTALLED_APPS": ["django_sendfile"],
        "SENDFILE_BACKEND": "django_sendfile.backends.nginx",
        "SENDFILE_ROOT": str(root),
        "SENDFILE_URL": "/protected",
    }


def get_nginx(root):
    return f"location /protected/ {{ internal; root {root.parent}; }}"


def get_urls(document):
    return {"show": f"/documents/{document.pk}/", "save": f"/documents/{document.pk}/save/"}


def get_disk_path(document):
    return document.file.path
