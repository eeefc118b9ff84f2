"""A configuration of nginx around what ``proxystorage serverconf`` has printed."""

import re


def get_commented(text, words):
    """Return the lines of a comment with these words, which belong to another place."""
    for block in text.split("\n\n"):
        if words in block:
            return "\n".join(re.findall(r"^#     (.*)$", block, re.MULTILINE)) + "\n"
    return ""


def write_nginx(folder, *servers, more=""):
    """Return a configuration of nginx: servers in front of the site, as the command says.

    Args:
        servers: port, address of the site, and what the command has printed.
        more: another server.
    """
    temporary = "".join(
        f'{kind}_temp_path "{folder}/{kind}"; '
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = "".join(get_commented(text, "http { }") for _, _, text in servers)
    words = "passes requests to Django"
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{port};\n"
        # Those of a project, which are to be in answers with files as well.
        f"add_header X-Of-Server yes always;\n"
        f"auth_request /allowed; location = /allowed {{ return 204; }}\n"
        f"location / {{ proxy_pass http://{site};\n{get_commented(text, words)} }}\n"
        # one that is asked before others that lead to files, unless these see to it
        f"location ~ [.](txt|jpg)$ {{ return 418; }}\n"
        f"{text} }}\n"
        for port, site, text in servers
    )
    return (
        f'pid "{folder}/pid"; worker_processes 1; events {{ }}\n'
        f"http {{ access_log off; {temporary}\n"
        f"{http.replace('/var/cache/nginx', str(folder))}\n{blocks}{more} }}\n"
    )
