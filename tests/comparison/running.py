"""The running site of one contender: gunicorn behind nginx."""

import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.services import accepts_connections, free_port, running
from tests.comparison.client import Site
from tests.comparison.outcomes import ServerFailed
from tests.programs import ROOT, running_nginx

# The part that is the same for all contenders.
NGINX = """
pid "{folder}/pid";
worker_processes 1;
events {{ }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";

    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{site_port};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            {of_location}
        }}
        {of_server}
    }}
}}
"""


@contextmanager
def running_contender(contender):
    """Run the site of a contender; yield a `Site`."""
    with TemporaryDirectory(prefix="comparison-") as name:
        folder = Path(name)
        root = folder / "protected"
        root.mkdir()
        env = {
            "COMPARISON_CONTENDER": contender.name,
            "COMPARISON_FOLDER": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.comparison.site.settings",
        }
        _manage(env, "migrate", "--run-syncdb", "--skip-checks", "--verbosity", "0")
        (folder / "proxy-storage.conf").write_text(
            _manage(env, "proxystorage", "serverconf", "nginx")
            if contender.name == "proxystorage"
            else ""
        )
        conf = import_module(f"{contender.module}.conf")
        site_port, port = free_port(), free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(
                folder=folder,
                port=port,
                site_port=site_port,
                of_location=getattr(conf, "NGINX_LOCATION", ""),
                of_server=conf.get_nginx(root),
            )
        )
        command = [
            *(sys.executable, "-m", "gunicorn", "tests.comparison.site.wsgi"),
            *("--bind", f"127.0.0.1:{site_port}", "--workers", "1", "--threads", "4"),
            *("--worker-tmp-dir", folder, "--no-control-socket"),
        ]
        is_ready = partial(accepts_connections, site_port)
        with (
            running(command, is_ready, folder / "gunicorn.log", env, ROOT),
            running_nginx(configuration, folder, port),
        ):
            site = Site(contender, conf, f"127.0.0.1:{port}", f"127.0.0.1:{site_port}", root)
            try:
                site.new()
            except ServerFailed as failure:
                log = (folder / "gunicorn.log").read_text(errors="replace")
                raise RuntimeError(f"The site of {contender.title} fails:\n{log}") from failure
            yield site


def _manage(env, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env={**os.environ, **env},
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout
