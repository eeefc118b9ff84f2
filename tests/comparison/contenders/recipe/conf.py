"""The settings of Django and nginx."""

INTERNAL = "/protected/"
PATH_URLS = ["/media/{}"]


def get_settings(root):
    return {"MEDIA_URL": "/media/"}


def get_nginx(root):
    return f"location /protected/ {{ internal; alias {root}/; }}"


def get_urls(document):
    return {"show": document.file.url, "save": f"{document.file.url}?download=1"}


def get_disk_path(document):
    return document.file.path
