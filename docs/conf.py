"""How Sphinx builds these pages: ``tox run -e docs``."""

import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import django
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
# always those beside this file: a project's own would need its database and apps
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

# only now can the packages be imported
from proxy_storage import __version__  # noqa: E402  (after the set-up)

project = "django-proxy-storage"
release = version = __version__

# nothing here asks the network, so no intersphinx
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]

# -- pages ------------------------------------------------------------------------------

# "#a-heading" can be linked to, as it can where the files are read without a build
myst_heading_anchors = 3
# "--" becomes a dash; quotation marks stay as they are
smartquotes_action = "D"
# "save()" below its class, not "ProxyStorageBase.save()"
toc_object_entries_show_parents = "hide"

# -- docstrings -------------------------------------------------------------------------

# `name` is a link where the name is known here, and code where it is not
default_role = "py:obj"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "deconstruct",
}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"


def setup(app: Sphinx) -> None:
    """Hook into the build."""
    app.connect("autodoc-process-signature", show_arguments)
    app.connect("doctree-read", index_statuses)


def show_arguments(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, *args: Any
) -> tuple[str, None] | None:
    """Say what a class takes, which Django's ``deconstructible`` hides behind ``*args``."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    if obj.__init__ is object.__init__:
        return "()", None
    _, *parameters = inspect.signature(obj.__init__).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare)), None


def index_statuses(app: Sphinx, doctree: nodes.document) -> None:
    """Let a search for a number find the headings with this status, such as "Status 403: ...".

    Sphinx leaves numbers out of the words that can be searched for, but not out of the index.
    """
    for section in doctree.findall(nodes.section):
        status = re.match(r"Status (\d{3})\b", section.next_node(nodes.title).astext())
        if status:
            entry = ("single", status[1], section["ids"][0], "main", None)
            section.insert(1, addnodes.index(entries=[entry]))


# -- looks ------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False
html_copy_source = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = [("pages.js", {"defer": "defer"})]
# guides before the pages about the development
html_search_scorer = str(Path(__file__).with_name("search.js"))
