# make demo      set up, start the example site, request its files as four users, stop
# make serve     the same site; it runs until Ctrl-C
# make test      install what the tests need and test the package on one Python, in a few minutes
# make test-all  what `make test` leaves out: other versions, databases, long tests, types, docs
# make check     style, import layers, types and the fast tests, in about a minute
#
# EXAMPLE_SERVER=x-accel puts nginx in front of demo and serve, x-sendfile Apache, lighttpd
# lighttpd. PYTHON is the interpreter that .venv is made with.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check

WEB_SERVER_x-accel := nginx
WEB_SERVER_x-sendfile := apache2
WEB_SERVER_lighttpd := lighttpd
WEB_SERVER := $(WEB_SERVER_$(EXAMPLE_SERVER))

# Each process starts its own services. A file is run by one process, as its fixtures are costly.
# There is one process more than cores, because tests wait for servers.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() + 1, 4))')
PYTEST := $(BIN)/pytest -m "not slow and not long and not quiet" --numprocesses $(PROCESSES) --dist loadfile
# `make check` leaves out what needs a server, and the tests of migrations, which take long.
FAST := not mongo and not gridfs and not s3 and not migrations and not upgrade

WEB_SERVERS := nginx apache2 lighttpd caddy
PROGRAMS := $(WEB_SERVERS) mod_wsgi curl chromedriver
DATABASES := postgres mariadbd

.PHONY: demo serve test test-all check clean $(PROGRAMS) $(DATABASES)

demo: .venv/example $(WEB_SERVER)
	cd example_project && ../$(BIN)/python -m demo

serve: .venv/example $(WEB_SERVER)
	cd example_project && ../$(BIN)/python -m demo --serve

test: .venv/test $(PROGRAMS)
	$(PYTEST) $(TESTS)

# The tests that measure time run last, when nothing else runs.
test-all: .venv/tox $(PROGRAMS) $(DATABASES)
	$(BIN)/tox run-parallel --parallel-no-spinner
	$(BIN)/tox run -e quiet

check: .venv/check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYTHONPATH=.:example_project $(BIN)/lint-imports
	MYPYPATH=.:.venv/links $(BIN)/mypy -p proxy_storage -p proxy_storage_permissions -p proxy_storage_api
	$(PYTEST) -q tests/unit -k "$(FAST)"

# install.sh names the Debian packages if it cannot install them. The tests then decide: they are
# skipped, or they fail if CI is set.
nginx:
	@sh example_project/deploy/install.sh nginx nginx-light

apache2:
	@sh example_project/deploy/install.sh apache2 apache2-bin libapache2-mod-xsendfile

mod_wsgi:
	@sh example_project/deploy/install.sh /usr/lib/apache2/modules/mod_wsgi.so apache2-bin libapache2-mod-wsgi-py3

lighttpd:
	@sh example_project/deploy/install.sh lighttpd lighttpd

caddy:
	@sh example_project/deploy/install.sh caddy caddy

curl:
	@sh example_project/deploy/install.sh curl curl

chromedriver:
	@sh example_project/deploy/install.sh chromedriver chromium chromium-driver

postgres:
	@sh example_project/deploy/install.sh postgres postgresql

mariadbd:
	@sh example_project/deploy/install.sh mariadbd mariadb-server-core mariadb-client-core

clean:
	rm -rf .venv .tox build *.egg-info example_project/var

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade "pip>=25.1"
	touch $@

.venv/example: .venv/pip pyproject.toml
	$(INSTALL) --editable ".[all]" --group example
	touch $@

.venv/test: .venv/pip pyproject.toml
	$(INSTALL) --editable ".[all]" --group test
	touch $@

# mypy finds the third package, whose folder has another name, by the link.
.venv/check: .venv/test
	$(INSTALL) --group lint --group types
	mkdir -p .venv/links
	ln -sfn ../../permissions .venv/links/proxy_storage_permissions
	touch $@

.venv/tox: .venv/pip
	$(INSTALL) "tox>=4.22"
	touch $@
