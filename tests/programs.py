"""Programs that the tests start: databases, S3, the tests' site, nginx.

The databases listen on a socket in their folder. So they do not need a free port, and other users
cannot connect, although there is no password.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from pwd import getpwnam
from urllib.parse import quote

from demo import services
from demo.services import (
    SERVER_PATH,
    ServiceError,
    accepts_connections,
    find_web_server,
    free_port,
    running,
)

ROOT = Path(__file__).resolve().parents[1]
# The npm packages in example_project/package.json.
NODE_MODULES = services.PROJECT_DIR / "node_modules"
# Name of a program: the Debian packages that contain it and its requirements.
DEBIAN_PACKAGES = {
    **services.DEBIAN_PACKAGES,
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "curl": "curl",
    "mariadbd": "mariadb-server-core mariadb-client-core",
    "mod_wsgi": "apache2-bin libapache2-mod-wsgi-py3",
    "node": "nodejs",
    "postgres": "postgresql",
}
MOD_WSGI = Path("/usr/lib/apache2/modules/mod_wsgi.so")
TIMEOUT = 120.0  # seconds that a test waits for a program; enough for a slow and busy machine


def wait_for(get, is_right):
    """Call a function until its result is right, at most for `TIMEOUT`; return its last result."""
    deadline = time.monotonic() + TIMEOUT
    while not is_right(result := get()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return result


def find_program(name):
    """Return the path of a program, or ``None`` if it is not installed."""
    if name == "mod_wsgi":
        return MOD_WSGI if MOD_WSGI.exists() else None
    # Debian installs each version of PostgreSQL into a folder of its own.
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    # If npm comes from PyPI, the Makefile installs it and node into .venv.
    folders = [SERVER_PATH, *map(str, newest_first), str(ROOT / ".venv" / "bin")]
    return shutil.which(name, path=os.pathsep.join(folders))


@contextmanager
def running_postgresql(folder):
    """Run PostgreSQL with its data in a folder; yield its URL.

    PostgreSQL refuses to run as root. Then another user runs it and owns the folder, which this
    user must be able to enter.
    """
    data, output = folder / "data", folder / "output"
    become = _become_another_user(folder) if os.geteuid() == 0 else []
    _set_up(
        *become,
        *(find_program("initdb"), "--pgdata", data, "--username", "tests", "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
    )
    command = [*become, find_program("postgres"), "-D", data]
    for setting in (
        "listen_addresses=",
        f"unix_socket_directories={folder}",
        # The data need not survive a crash.
        *("fsync=off", "synchronous_commit=off", "full_page_writes=off"),
    ):
        command += ["-c", setting]
    is_ready = _has_printed(output, "ready to accept connections")
    with running(command, is_ready, output, folder=folder) as process:
        try:
            yield f"postgresql://tests@{quote(str(folder), safe='')}/tests"
        finally:
            # SIGTERM, which follows, would wait until each client disconnects.
            process.send_signal(signal.SIGINT)


def _become_another_user(folder):
    for name in ("postgres", "nobody"):
        try:
            user = getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    raise ServiceError(
        "PostgreSQL does not run as root. Create a user named 'postgres' or 'nobody'."
    )


@contextmanager
def running_mariadb(folder):
    """Run MariaDB with its data in a folder; yield its URL."""
    data, output, socket = folder / "data", folder / "output", folder / "socket"
    common = ["--no-defaults", f"--datadir={data}"]
    if os.geteuid() == 0:
        # It runs as root only with this option.
        common.append("--user=root")
    _set_up(
        *(find_program("mariadb-install-db"), *common, "--skip-name-resolve", "--skip-test-db"),
        # Otherwise only the system's root could connect as the server's root.
        "--auth-root-authentication-method=normal",
    )
    command = [
        *(find_program("mariadbd"), *common, f"--pid-file={folder / 'pid'}"),
        *("--skip-networking", f"--socket={socket}", "--character-set-server=utf8mb4"),
        # The data need not survive a crash.
        *("--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"),
        "--skip-innodb-doublewrite",
    ]
    with running(command, _has_printed(output, "ready for connections"), output, folder=folder):
        yield f"mysql://root@{quote(str(socket), safe='')}/tests"


@contextmanager
def running_s3(folder):
    """Run moto, an S3 server that keeps its data in memory; yield its URL."""
    output = folder / "output"
    # With port 0, moto chooses a free port and prints it.
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with running(command, _has_printed(output, "Running on "), output, folder=folder):
        yield re.search(r"Running on (http://\S+)", output.read_text())[1]


@contextmanager
def running_gunicorn(folder, env):
    """Run the tests' site under WSGI; yield its address and the id of the worker process."""
    port = free_port()
    command = [
        *(
            sys.executable,
            "-m",
            "gunicorn",
            "tests.servers.site.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
        ),
        *("--workers", "1", "--threads", "10", "--worker-tmp-dir", folder, "--no-control-socket"),
    ]
    output, words = folder / "output", "Booting worker with pid: "
    with running(command, _has_printed(output, words), output, env, ROOT):
        yield f"127.0.0.1:{port}", int(re.search(f"{words}(\\d+)", output.read_text())[1])


@contextmanager
def running_uvicorn(folder, env):
    """Run the tests' site under ASGI; yield its address and the id of its process."""
    port = free_port()
    command = [
        *(
            sys.executable,
            "-m",
            "uvicorn",
            "tests.servers.site.asgi:application",
            "--port",
            str(port),
        ),
        *("--lifespan", "off", "--no-access-log", "--timeout-graceful-shutdown", "1"),
    ]
    is_ready = partial(accepts_connections, port)
    with running(command, is_ready, folder / "output", env, ROOT) as process:
        yield f"127.0.0.1:{port}", process.pid


def get_python_of_mod_wsgi():
    """Return the Python version of Debian's mod_wsgi, such as ``3.11``."""
    linked = subprocess.run(["ldd", MOD_WSGI], capture_output=True, text=True, check=True)
    return re.search(r"libpython(3\.\d+)", linked.stdout)[1]


def open_folders_of_project(path):
    """Let all users enter the project's folders above a path."""
    for folder in Path(path).parents:
        if folder.is_relative_to(ROOT):
            folder.chmod(folder.stat().st_mode | 0o011)


@contextmanager
def running_mod_wsgi(folder, env):
    """Run the tests' site in Apache itself, by mod_wsgi with four threads; yield its address.

    It runs the system's Python with the packages of the tests, so both must have the same version.
    """
    port = free_port()
    paths = [str(ROOT), str(ROOT / "example_project")]
    packages = [path for path in sys.path if path.endswith("-packages")]
    if os.geteuid() == 0:
        # Another user answers the requests, and only the owner may enter .tox.
        for path in packages:
            open_folders_of_project(path)
    script = folder / "site.wsgi"
    script.write_text(
        "import os, site, sys\n"
        f"os.environ.update({env!r})\n"
        f"sys.path[:0] = {[*paths, *os.environ.get('PYTHONPATH', '').split(os.pathsep)]!r}\n"
        f"for folder in {packages!r}:\n"
        "    site.addsitedir(folder)\n"
        "from tests.servers.site.wsgi import application\n"
    )
    conf = folder / "apache2.conf"
    conf.write_text(f"""
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule wsgi_module {MOD_WSGI}
<IfDefine AS_ROOT>
    User www-data
    Group www-data
</IfDefine>
WSGISocketPrefix {folder}/socket
WSGIDaemonProcess site processes=1 threads=4
WSGIProcessGroup site
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {script}
<Directory {folder}>
    Require all granted
</Directory>
""")
    as_root = ["-D", "AS_ROOT"] if os.geteuid() == 0 else []
    command = [find_web_server("apache2"), "-f", conf, "-D", "FOREGROUND", *as_root]
    with running(command, partial(accepts_connections, port), folder / "output"):
        yield f"127.0.0.1:{port}"


@contextmanager
def running_nginx(conf, folder, port):
    """Run nginx with a configuration that listens on a port."""
    # By default, the workers of root's nginx run as a user who cannot read our folder.
    directives = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
    command = [find_web_server("nginx"), "-c", conf, "-p", folder, "-e", folder / "error.log"]
    is_ready = partial(accepts_connections, port)
    with running([*command, "-g", directives], is_ready, folder / "output"):
        yield


@contextmanager
def new_bucket(url, name):
    """Create a bucket at an S3 server and yield it."""
    # The import takes long, and most tests do not need it.
    import boto3

    resource = boto3.resource(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
    )
    yield resource.create_bucket(Bucket=name)
    resource.meta.client.close()


def _set_up(*command):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceError(f"{command} failed. It printed:\n{done.stdout}{done.stderr}")


def _has_printed(output, words):
    return lambda: words in output.read_text(errors="replace")
