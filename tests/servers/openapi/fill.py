"""Files for the site: ``python -m tests.servers.openapi.fill``."""

import django
from django.core.files.base import ContentFile
from django.core.management import call_command

STORAGES = {"letters": "/letters/", "gridfs_proxy_storage": ""}
NAMES = ["open.txt", "open scan.png", "Müller & Söhne.pdf", "empty", "a/b/c.html"]
# These may be deleted while the others are requested.
DOOMED = [f"doomed{number}.txt" for number in range(30)]


def fill():
    from proxy_storage.registry import get_proxy_storage

    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("seed")
    for storage, folder in STORAGES.items():
        for name in NAMES + DOOMED:
            content = b"" if name == "empty" else name.encode() * 10
            path = get_proxy_storage(storage).save(name, ContentFile(content))
            if path != folder + name:
                raise SystemExit(f"{name!r} was saved as {path!r}")


if __name__ == "__main__":
    django.setup()
    fill()
