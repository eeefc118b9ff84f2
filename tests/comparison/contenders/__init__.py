"""The contenders: ways to deliver private files of a model, each as its documentation shows.

Each contender is an app. Its model ``Document`` has a file and an owner, and only the owner may
read the file. Its module ``conf`` has:

- ``get_settings(root)``: the settings that its documentation asks for; ``root`` is the folder of
  the files
- ``get_nginx(root)``: the directives that its documentation asks for in ``server { }``
- ``NGINX_LOCATION``, optional: the directives for the location of Django
- ``INTERNAL``: the internal location in them
- ``get_urls(document)``: the URL that shows a file in the browser, and the URL that saves it
- ``PATH_URLS``: the URLs that contain the path of a file, so that a client can change the path
- ``get_disk_path(document)``: the path of the content on the disk
"""

from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Contender:
    """One column of the comparison.

    Args:
        name: the label of its app, and the name of its folder.
        title: its name on the page and in the output.
        distribution: the package on PyPI, if it is one.
    """

    name: str
    title: str
    distribution: str = ""

    @property
    def module(self):
        return f"tests.comparison.contenders.{self.name}"

    @property
    def heading(self):
        return f"{self.title} {version(self.distribution)}" if self.distribution else self.title


CONTENDERS = [
    Contender("recipe", "Common recipe"),
    Contender("careful", "Careful view"),
    Contender("privatestorage", "django-private-storage", "django-private-storage"),
    Contender("sendfile2", "django-sendfile2", "django-sendfile2"),
    Contender("downloadview", "django-downloadview", "django-downloadview"),
    Contender("proxystorage", "django-proxy-storage"),
]
