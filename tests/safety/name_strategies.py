"""Hypothesis strategies for names of users, programs and attackers."""

import os
import unicodedata
from pathlib import PurePosixPath

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Failing examples are only printed. The examples of a test share its fixtures, so each example has
# to remove its files.
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

FRAGMENTS = [
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

mixtures = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)
# Names up to more than 255 bytes or characters, the limit of file systems
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
# Values that callers may pass instead of a name
invalid_names = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
    st.sampled_from([object(), str, len, ..., PurePosixPath, memoryview(b"a.txt")]),
)


class PathLikeObject(os.PathLike):
    """A path-like object with any value."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path
