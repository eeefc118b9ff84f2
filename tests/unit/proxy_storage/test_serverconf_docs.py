"""The documentation shows the output of ``manage.py proxystorage serverconf``."""

import re
from io import StringIO

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.management import call_command

from proxy_storage.serverconf.nginx import CA_FILES
from proxy_storage.serving import XAccelRedirectServer, XSendfileServer
from tests.project.conftest import ROOT
from tests.unit.proxy_storage.serverconf_settings import SigningStorage, use_storages

ACCEL = XAccelRedirectServer("/internal/letters/")
SERVERS = {
    "nginx": ACCEL,
    "Apache": XSendfileServer(),
    "lighttpd": XSendfileServer(escape=True),
    "Caddy": ACCEL,
}


def get_blocks(page, heading):
    """Return the fenced blocks of a section."""
    section = (ROOT / page).read_text().split(f"# {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def get_output(*arguments):
    output = StringIO()
    call_command("proxystorage", "serverconf", *arguments, stdout=output, skip_checks=True)
    return output.getvalue()


@pytest.mark.parametrize("web_server", ["Apache", "lighttpd", "Caddy"])
def test_serverconf_page_shows_the_output(settings, web_server):
    use_storages(settings, letters=(FileSystemStorage("/srv/letters"), SERVERS[web_server]))
    assert get_blocks("docs/guides/serverconf.md", web_server)[0] == get_output(web_server.lower())


def test_serverconf_page_shows_the_output_for_nginx(settings):
    """The page has the first and the last of the hidden headers."""
    use_storages(
        settings,
        letters=(FileSystemStorage("/srv/letters"), ACCEL),
        scans=(
            SigningStorage("https://scans.s3.eu-north-1.amazonaws.com/"),
            XAccelRedirectServer("/internal/scans/"),
        ),
        notes=(InMemoryStorage(), None),
    )
    output = get_output("nginx", "--resolver", "127.0.0.53", "--ca-file", CA_FILES[0])
    hidden = re.findall(r"^ *proxy_hide_header .*;\n", output, re.MULTILINE)
    left_out = "".join(hidden[1:-1])
    assert output.count(left_out) == 1
    shown = get_blocks("docs/guides/serverconf.md", "nginx")[0]
    assert shown == output.replace(left_out, "        # ...\n")


def test_quick_start_shows_a_location_of_the_output(settings):
    server = XAccelRedirectServer("/internal/files/")
    use_storages(settings, default=(FileSystemStorage("/path/to/private"), server))
    blocks = get_blocks("docs/quickstart.md", "Serve the files through nginx")
    locations = [block for block in blocks if "internal;" in block]
    assert len(locations) == 1
    assert f"\n\n{locations[0]}" in get_output("nginx")


def test_readme_passes_requests_as_the_output_says(settings):
    use_storages(settings, letters=(FileSystemStorage("/path/to/private"), ACCEL))
    blocks = get_blocks("docs/quickstart.md", "Serve the files through nginx")
    [server] = [block for block in blocks if "proxy_pass" in block]
    lines = re.findall(r"^#     (.*;)$", get_output("nginx"), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        assert f"    {line}\n" in server
