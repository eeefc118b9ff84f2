"""The outcomes of a probe, as exceptions. A probe that returns is right."""


class Outcome(Exception):
    """An outcome other than right. The text is the finding, without random parts."""

    kind = ""


class Wrong(Outcome):
    """The response is not the expected one."""

    kind = "wrong"


class Leaked(Outcome):
    """The response reveals a file or its state to a user who may not read it."""

    kind = "leaked"


class ServerFailed(Outcome):
    """The status is 500 or higher."""

    kind = "500"


class NotApplicable(Outcome):
    """The question does not apply; the text is the reason."""

    kind = "n/a"


class Refused(Exception):
    """The site refuses an upload with an error for the user."""


def expect(condition, finding):
    """Raise `Wrong` unless the condition is true."""
    if not condition:
        raise Wrong(finding)


def expect_status(answer, status):
    """Raise `Wrong` unless a response has a status."""
    expect(answer.status == status, f"the status is {answer.status}, not {status}")


def expect_delivered(answer, content):
    """Raise `Wrong` unless the response to the owner of a file has its content."""
    expect(answer.status == 200, f"the response to the owner is {answer.status}")
    expect(answer.body == content, "the content is not that of the upload")
