"""The pages of the documentation."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def get_pages():
    """Return the files of all pages with their names, such as ``guides/links``."""
    pages = {str(file.relative_to(DOCS).with_suffix("")): file for file in DOCS.rglob("*.md")}
    return {"README": ROOT / "README.md", **dict(sorted(pages.items()))}
