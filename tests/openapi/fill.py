"""Files for the site: ``python -m tests.openapi.fill``."""

import django
from django.core.files.base import ContentFile
from django.core.management import call_command

STORAGES = ("letters", "gridfs_proxy_storage")
NAMES = ["first.txt", "scan 2.png", "Müller & Söhne.pdf", "empty", "a/b/c.html"]
DOOMED = [f"doomed{number}.txt" for number in range(30)]


def fill():
    from proxy_storage.registry import get_proxy_storage

    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("seed")
    for name in NAMES + DOOMED:
        for storage in STORAGES:
            content = b"" if name == "empty" else name.encode() * 10
            get_proxy_storage(storage).save(name, ContentFile(content))


if __name__ == "__main__":
    django.setup()
    fill()
