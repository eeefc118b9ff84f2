"""A configuration of nginx around the output of ``proxystorage serverconf``."""

import re


def get_commented(text, words):
    """Return the lines of a comment with these words, which belong to another place."""
    for block in text.split("\n\n"):
        if words in block:
            return "\n".join(re.findall(r"^#     (.*)$", block, re.MULTILINE)) + "\n"
    return ""


def write_nginx(folder, *servers, more=""):
    """Return a configuration of nginx with servers in front of the site.

    Args:
        servers: the port, the address of the site, and the output of the command.
        more: the text of another server.
    """
    temporary = "".join(
        f'{kind}_temp_path "{folder}/{kind}"; '
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = "".join(get_commented(text, "http { }") for _, _, text in servers)
    words = "passes requests to Django"
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{port};\n"
        # A project's own directives, which must apply to files as well.
        f"add_header X-Of-Server yes always;\n"
        f"auth_request /allowed; location = /allowed {{ return 204; }}\n"
        f"location / {{ proxy_pass http://{site};\n{get_commented(text, words)} }}\n"
        # nginx prefers this location to those of files, unless they prevent it.
        f"location ~ [.](txt|jpg)$ {{ return 418; }}\n"
        f"{text} }}\n"
        for port, site, text in servers
    )
    return (
        f'pid "{folder}/pid"; worker_processes 1; events {{ }}\n'
        f"http {{ access_log off; {temporary}\n"
        f"{http.replace('/var/cache/nginx', str(folder))}\n{blocks}{more} }}\n"
    )
