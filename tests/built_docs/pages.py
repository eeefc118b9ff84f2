"""What a built page contains: links, headings, images, and the files that it loads."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

# The attribute of an element that makes a browser request a URL.
LOADED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}
# A host that stands for the folder of the pages.
HERE = "http://docs/"
# A link to one of these pages is not a request: it is followed by readers and search engines.
FOLLOWED = {"canonical", "next", "prev"}


class Page(HTMLParser):
    """A built page.

    Args:
        path: its path in the folder of the pages.
        text: its HTML.
    """

    def __init__(self, path, text):
        super().__init__()
        self.path = path
        self.links = []
        self.loaded = []
        self.ids = set()
        self.headings = 0
        self.images_without_text = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id"))
        self.headings += tag == "h1"
        if tag == "img" and not values.get("alt"):
            self.images_without_text.append(values["src"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        url = values.get(LOADED.get(tag))
        if url:
            rel = set((values.get("rel") or "").split())
            (self.links if rel & FOLLOWED else self.loaded).append(url)

    def get_target(self, url):
        """Return the path and the fragment of a link, or ``None`` if it leads to another host."""
        parts = urlsplit(urljoin(f"{HERE}{self.path}", url))
        if not parts.geturl().startswith(HERE):
            return None
        return unquote(parts.path).lstrip("/") or "index.html", unquote(parts.fragment)


def read_pages(folder):
    """Return all pages of a folder, by their path."""
    paths = sorted(Path(folder).rglob("*.html"))
    names = [path.relative_to(folder).as_posix() for path in paths]
    pairs = zip(names, paths, strict=True)
    return {name: Page(name, path.read_text()) for name, path in pairs}
