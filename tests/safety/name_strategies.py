"""Names as people, programs and attackers make them, for properties to be tried with."""

import os
import unicodedata
from pathlib import PurePosixPath

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# What examples find goes to the report and nowhere else. The fixtures of a test are shared by
# its examples, each of which has to leave nothing behind.
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

PIECES = [
    *("/", "//", "\\", ".", "..", "...", "~", "%2e%2e", "%2f", "C:", "$", "{", "*", "?", "|"),
    *("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\ud800", "\udcff", "\u2028", "\u202e"),
    *(" ", "  ", "a", "A", "b", "cv", "nul", ".txt", ".TXT", ".tar.gz", "_", "-", "'", '"'),
    *(
        "é",
        "e\u0301",
        "ß",
        "SS",
        "\u0131",
        "İ",
        "Å",
        "\u212b",
        "日本",
        "\U0001f4f7",
        "\u200d",
        "\ufeff",
    ),
]
VARIATIONS = [
    str.lower,
    str.upper,
    str.swapcase,
    *(lambda name, form=form: unicodedata.normalize(form, name) for form in ("NFC", "NFD", "NFKC")),
    lambda name: name,
    lambda name: f"{name} ",
    lambda name: f"{name}.",
    lambda name: f" {name}",
    lambda name: f"./{name}",
    lambda name: name.replace("/", "//"),
    lambda name: name.replace("/", "\\"),
    lambda name: name.replace("/", "/./"),
]

mixtures = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
# up to more than 255 bytes, or 255 characters, which file systems allow a name
long_names = st.builds(
    lambda folder, letter, length, ending: folder + letter * length + ending,
    st.sampled_from(["", "sub/", "n" * 250 + "/", "n" * 300 + "/", "a/" * 100]),
    st.sampled_from(["n", "é", "日", "\U0001f4f7", "e\u0301"]),
    st.integers(50, 310),
    st.sampled_from(["", ".txt", ".tar.gz", "." + "x" * 250]),
)
names = st.one_of(
    st.text(),
    mixtures,
    long_names,
    st.tuples(st.text(), mixtures).map("".join),
    st.tuples(
        st.sampled_from(["", ".", "..", "a", "a.b"]), st.sampled_from(["/", "\\"]), mixtures
    ).map("".join),
    st.tuples(mixtures, st.sampled_from(["/", "\\", "\\.", "/..", "\\..", ".", " "])).map("".join),
)
# what a caller may hold instead of a name
no_names = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
    st.sampled_from([object(), str, len, ..., PurePosixPath, memoryview(b"a.txt")]),
)


class Somewhere(os.PathLike):
    """Says something that may be no path."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path
