"""The settings of Django and nginx."""

INTERNAL = "/proxied-download/"
PATH_URLS = []


def get_settings(root):
    return {
        "INSTALLED_APPS": ["django_downloadview"],
        "MIDDLEWARE": ["django_downloadview.SmartDownloadMiddleware"],
        "DOWNLOADVIEW_BACKEND": "django_downloadview.nginx.XAccelRedirectMiddleware",
        "DOWNLOADVIEW_RULES": [
            {"source_url": "/media/documents/", "destination_url": "/proxied-download/"}
        ],
    }


def get_nginx(root):
    # The page puts the first line into http { }. It has the same effect here.
    return f"charset utf-8; location /proxied-download {{ internal; alias {root}/; }}"


def get_urls(document):
    return {"show": f"/documents/{document.pk}/", "save": f"/documents/{document.pk}/save/"}


def get_disk_path(document):
    return document.file.path
