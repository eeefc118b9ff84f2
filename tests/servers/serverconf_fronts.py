"""Web servers with the configuration that ``proxystorage serverconf`` prints, and a site."""

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from urllib.parse import quote, urlencode
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.files.storage import Storage
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpResponse

from demo.services import accepts_connections, find_web_server, free_port, running
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving import StreamingServer, serve
from tests.local_servers import serving
from tests.servers.site.client import ask
from tests.servers.site.nginx import write_nginx

# Argument of the command: the program.
PROGRAMS = {"nginx": "nginx", "apache": "apache2", "lighttpd": "lighttpd", "caddy": "caddy"}
VARY = "Cookie"
# Response headers of a project's own middleware. By default nginx would drop them.
OF_THE_PROJECT = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Origin": "http://spa.example",
    "Access-Control-Expose-Headers": "Content-Range",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=60",
}
PASSWD = "/etc/passwd"


class Site(WSGIHandler):
    """Delivers each file of each storage without permissions and without a meta backend."""

    def load_middleware(self, is_async=False):
        pass

    def get_response(self, request):
        if request.path == "/outside/":
            # A careless view, which lets the client choose the file to offload.
            return HttpResponse(headers=dict.fromkeys(("X-Accel-Redirect", "X-Sendfile"), PASSWD))
        if request.path != "/":
            return HttpResponse("no such page", status=404)
        record = MetaBackendObject(
            path=f"/{request.GET['name']}",
            proxy_storage_name=request.GET["storage"],
            original_storage_path=request.GET["name"],
        )
        server = StreamingServer() if "streamed" in request.GET else None
        response = serve(request, record, server=server)
        response["Vary"] = VARY
        for name, value in OF_THE_PROJECT.items():
            response[name] = value
        return response


class FaultyHost:
    """An S3 server with wrong responses; the response to ``/404-name`` has status 404."""

    def __init__(self):
        self.requests = []

    def __call__(self, environ, start_response):
        self.requests.append(environ)
        status = environ["PATH_INFO"].strip("/").partition("-")[0]
        headers = [
            ("X-Accel-Redirect", "/internal/0/secret.txt"),
            ("X-Accel-Expires", "3600"),
            ("Set-Cookie", "evil=1"),
            ("Location", "http://127.0.0.1/?X-Signature=secret"),
            ("Content-Type", "text/html"),
            ("Content-Disposition", "inline"),
            ("Content-Security-Policy", "default-src *"),
            ("Cache-Control", "public"),
            ("Expires", "Fri, 01 Jan 2038 00:00:00 GMT"),
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", "*"),
            ("Referrer-Policy", "unsafe-url"),
            ("Strict-Transport-Security", "max-age=0"),
            ("x-amz-request-id", "secret"),
        ]
        body = b"<Error>secret</Error>"
        start_response(f"{status} Said", [*headers, ("Content-Length", str(len(body)))])
        return [body]


class FaultyStorage(Storage):
    """Creates presigned URLs of `FaultyHost`."""

    def __init__(self, address):
        self.address = address

    def get_presigned_url(self, name, *, method, expires_in, headers):
        return f"http://{self.address}/{quote(name)}?X-Signature={uuid4()}"


class _Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def answering(application):
    """Answer requests in this process, one after the other; yield the host and port."""
    server = make_server("127.0.0.1", 0, application, handler_class=_Handler)
    with serving(server):
        yield f"127.0.0.1:{server.server_port}"


def make_settings(storages):
    """Return settings of proxy storages.

    Args:
        storages: for each name, the original storage, the class of the server and its options.
    """
    return {
        "STORAGES": {
            name: {
                "BACKEND": "proxy_storage.storages.ProxyStorage",
                "OPTIONS": {
                    "original_storage": original,
                    "meta_backend": settings.META_BACKENDS["orm"],
                },
            }
            for name, (original, _, _) in storages.items()
        },
        "PROXY_STORAGE": {
            "SERVERS": {
                name: {"BACKEND": f"proxy_storage.serving.{server}", "OPTIONS": options}
                for name, (_, server, options) in storages.items()
            }
        },
    }


@dataclass(frozen=True)
class Front:
    """A web server in front of the site, at host and port."""

    name: str
    address: str

    def ask(self, storage, name, headers=None, method="GET", **query):
        target = f"/?{urlencode({'storage': storage, 'name': name, **query})}"
        return self.ask_for(target, headers, method)

    def ask_for(self, target, headers=None, method="GET"):
        return ask(self.address, target, headers, method=method)


def print_configuration(web_server, *options):
    """Return the output of the command, which must not print warnings."""
    output, errors = StringIO(), StringIO()
    arguments = ("proxystorage", "serverconf", web_server, *options)
    call_command(*arguments, stdout=output, stderr=errors, skip_checks=True)
    assert errors.getvalue() == ""
    return output.getvalue()


@contextmanager
def running_front(web_server, folder, site, more=""):
    """Run a web server with the output of the command as its configuration.

    Args:
        web_server: the name of the web server.
        folder: a folder for its files.
        site: the host and port of the site.
        more: additional lines of the configuration; not for nginx.
    """
    options = ["--site", site] if web_server in ("lighttpd", "caddy") else []
    text = print_configuration(web_server, *options)
    port = free_port()
    frame = write_nginx(folder, (port, site, text)) if web_server == "nginx" else FRAMES[web_server]
    values = {"PORT": str(port), "FOLDER": str(folder), "SITE": site, "TEXT": f"{more}\n{text}"}
    conf = folder / f"{web_server}.conf"
    # All words at once, so that inserted text is not changed again.
    conf.write_text(re.sub(r"\b[A-Z]+\b", lambda word: values.get(word[0], word[0]), frame))
    with running_program(web_server, folder, conf, port):
        yield Front(web_server, f"127.0.0.1:{port}")


@contextmanager
def running_program(web_server, folder, conf, port):
    """Run a web server whose configuration listens on a port."""
    # By default nginx runs its workers as a user who may not read our folders. Apache needs one.
    directives = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
    as_root = ["-D", "AS_ROOT"] if os.geteuid() == 0 else []
    arguments = {
        "nginx": ["-c", conf, "-p", folder, "-e", folder / "error.log", "-g", directives],
        "apache": ["-f", conf, "-d", folder, "-D", "FOREGROUND", *as_root],
        "lighttpd": ["-D", "-f", conf],
        "caddy": ["run", "--adapter", "caddyfile", "--config", conf],
    }[web_server]
    command = [find_web_server(PROGRAMS[web_server]), *arguments]
    is_ready = partial(accepts_connections, port)
    # The folders of Caddy's own files.
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    with running(command, is_ready, folder / "output", homes, folder):
        yield


# The smallest possible configurations around the output of the command.
FRAMES = {
    "apache": """
        ServerName localhost
        Listen 127.0.0.1:PORT
        PidFile "FOLDER/pid"
        DefaultRuntimeDir "FOLDER"
        ErrorLog "FOLDER/error.log"
        Define MODULES_DIR /usr/lib/apache2/modules
        LoadModule mpm_event_module ${MODULES_DIR}/mod_mpm_event.so
        LoadModule authz_core_module ${MODULES_DIR}/mod_authz_core.so
        LoadModule deflate_module ${MODULES_DIR}/mod_deflate.so
        LoadModule filter_module ${MODULES_DIR}/mod_filter.so
        LoadModule headers_module ${MODULES_DIR}/mod_headers.so
        LoadModule proxy_module ${MODULES_DIR}/mod_proxy.so
        LoadModule proxy_http_module ${MODULES_DIR}/mod_proxy_http.so
        LoadModule xsendfile_module ${MODULES_DIR}/mod_xsendfile.so
        <IfDefine AS_ROOT>
            User www-data
            Group www-data
        </IfDefine>
        <Directory "/">
            Require all denied
        </Directory>
        ProxyPass "/" "http://SITE/"
        AddOutputFilterByType DEFLATE text/plain
        TEXT
    """,
    "lighttpd": """
        server.modules = ("mod_proxy", "mod_setenv")
        server.bind = "127.0.0.1"
        server.port = PORT
        server.document-root = "FOLDER/nothing"
        server.force-lowercase-filenames = "enable"
        TEXT
    """,
    "caddy": """
        {
            admin off
            auto_https off
        }
        http://127.0.0.1:PORT {
            TEXT
        }
    """,
}
