"""The commands in a console block, and the outputs that the page shows for them."""

import doctest
from dataclasses import dataclass


@dataclass
class Command:
    """A command with the output that follows it on the page."""

    text: str
    line: int
    expected: str = ""  # output


def split_commands(text, first_line):
    """Split a console block into commands and their outputs.

    A command continues after a backslash, and in lines that begin with ``> `` as in bash.
    """
    commands = []
    is_command = False
    for line, content in enumerate(text.splitlines(), first_line):
        if content.startswith("$ "):
            commands.append(Command(content[2:], line))
            is_command = True
        elif is_command and commands[-1].text.endswith("\\"):
            commands[-1].text += f"\n{content}"
        elif is_command and content.startswith("> "):
            commands[-1].text += f"\n{content[2:]}"
        elif commands:
            commands[-1].expected += f"{content}\n"
            is_command = False
    return commands


def matches(expected, printed):
    """Compare an output with the one of the page, where ``...`` stands for any text."""

    def normalize(text):
        return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())

    checker = doctest.OutputChecker()
    return checker.check_output(normalize(expected), normalize(printed), doctest.ELLIPSIS)
