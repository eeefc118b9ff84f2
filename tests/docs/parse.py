"""Read a page: its blocks of code, and the directives that declare how each block is tested.

A directive is an HTML comment directly above a block. The readers of a page do not see it::

    <!-- file: letters/models.py -->

A hidden block is a comment that contains its text::

    <!-- hidden shell
    assert letter.scan.name == "scans/hello.txt"
    -->
"""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

DIRECTIVE = re.compile(
    r"\s*<!--\s*(?P<hidden>hidden )?"
    r"(?P<kind>new project|project|file|append|shell|run|output|tested by|not run|needs)"
    r"(?::\s*(?P<argument>.*?))?\s*(?P<end>-->)?\s*"
)
FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,})\s*(?P<language>\{?[^\s`}]*\}?).*")
WITHOUT_BLOCK = ("project", "new project", "needs")
CAN_BE_HIDDEN = ("file", "append", "shell", "run")
# These MyST directives show code, as a block without a name does.
CODE_DIRECTIVES = ("{code}", "{code-block}", "{sourcecode}")


@dataclass(frozen=True)
class Step:
    """One block of a page with its directive, or a directive that does not need a block."""

    kind: str
    argument: str
    text: str
    line: int  # the first line of the text, or the line of the directive
    language: str = ""
    is_hidden: bool = False


@dataclass(frozen=True)
class Page:
    """The steps of a page in their order."""

    source: Path
    steps: tuple[Step, ...]
    mistakes: tuple[str, ...]

    @property
    def needs(self):
        """The names of the services and programs that the page needs."""
        return [step.argument for step in self.steps if step.kind == "needs"]

    def mentions(self, kind, pattern):
        return any(step.kind == kind and re.search(pattern, step.text) for step in self.steps)


def parse_page(source):
    """Read the page in a file."""
    return _Parser(source, source.read_text()).parse()


class _Parser:
    def __init__(self, source, text):
        self.source = source
        self.lines = text.splitlines()
        self.position = 0
        self.steps = []
        self.mistakes = []
        self.open_fences = []  # of MyST directives that contain the current line

    def parse(self):
        directive = None  # the one above the next block
        while self.position < len(self.lines):
            line, number = self.lines[self.position], self.position + 1
            self.position += 1
            if found := DIRECTIVE.fullmatch(line):
                self._require_no(directive)
                directive = self._read_directive(found, number)
            elif found := FENCE.fullmatch(line):
                directive = self._read_block(found, directive, number)
            elif line.strip():
                self._require_no(directive)
                directive = None
        self._require_no(directive)
        return Page(self.source, tuple(self.steps), tuple(self.mistakes))

    def _require_no(self, directive):
        if directive is not None:
            kind, _argument, number = directive
            self._report(number, f"no block follows the directive {kind!r}")

    def _report(self, number, message):
        self.mistakes.append(f"{self.source}:{number}: {message}")

    def _read_directive(self, found, number):
        """Return the directive if a block has to follow it, otherwise add its step."""
        kind, argument = found["kind"], (found["argument"] or "").strip()
        rest = "" if found["end"] else self._read_comment(number)
        if found["hidden"]:
            if kind not in CAN_BE_HIDDEN:
                self._report(number, f"{kind!r} cannot be hidden")
            self.steps.append(Step(kind, argument, rest, number + 1, is_hidden=True))
            return None
        argument = " ".join([argument, *rest.split()]).strip()
        if kind not in WITHOUT_BLOCK:
            return kind, argument, number
        self.steps.append(Step(kind, argument, "", number))
        return None

    def _read_comment(self, number):
        """Return the lines up to the end of a comment."""
        first = self.position
        while self.position < len(self.lines):
            line = self.lines[self.position]
            self.position += 1
            if line.rstrip().endswith("-->"):
                last = line.rstrip().removesuffix("-->")
                lines = self.lines[first : self.position - 1] + ([last] if last.strip() else [])
                return dedent("".join(f"{line}\n" for line in lines))
        self._report(number, "the comment does not end")
        return ""

    def _read_block(self, found, directive, number):
        """Read a block; return the directive if it is for the next block."""
        language, fence = found["language"], found["fence"]
        if language.startswith("{") and language not in CODE_DIRECTIVES:
            if len(fence) == 3:
                self._read_until_end(fence, number)
            else:  # A longer fence can contain blocks, which are read next.
                self.open_fences.append(fence)
            return directive
        if self.open_fences and self.lines[number - 1].strip() == self.open_fences[-1]:
            self.open_fences.pop()
            return directive
        text = self._read_until_end(fence, number)
        if directive is None:
            self._report(number, "the block has no directive")
        else:
            kind, argument, _number = directive
            self.steps.append(Step(kind, argument, text, number + 1, language))
        return None

    def _read_until_end(self, fence, number):
        first = self.position
        while self.position < len(self.lines):
            stripped = self.lines[self.position].strip()
            self.position += 1
            if len(stripped) >= len(fence) and set(stripped) == {fence[0]}:
                lines = self.lines[first : self.position - 1]
                return dedent("".join(f"{line}\n" for line in lines))
        self._report(number, "the block does not end")
        return ""
