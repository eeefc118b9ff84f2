# make demo      set up, start the example site, request its files as four users, stop
# make serve     the same site on port 8000; it runs until Ctrl-C
# make test      install what the tests need and test the package on one Python, in a few minutes
# make test-all  what `make test` leaves out: other versions, databases, long tests, types, docs
# make compare   other packages and this one under the same requests, in about a minute
# make screenshots  the pictures of the example site in the documentation
# make check     style, import layers, types and the fast tests, in about a minute
#
# EXAMPLE_SERVER=x-accel puts nginx in front of demo and serve, x-sendfile Apache, lighttpd
# lighttpd. PORT is the port of serve; the default is 8000. PYTHON is the interpreter that .venv is
# made with.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check

NPM_OPTIONS := --no-package-lock --ignore-scripts --omit=optional --no-audit --no-fund \
	--loglevel=error --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000

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

.PHONY: demo serve test test-all check compare screenshots clean $(PROGRAMS) $(DATABASES)

# A signal to make also reaches the site, as `exec` replaces the shell between the two.
demo: .venv/example $(WEB_SERVER)
	@cd example_project && exec ../$(BIN)/python -m demo

serve: .venv/example .venv/node $(WEB_SERVER)
	@cd example_project && exec ../$(BIN)/python -m demo --serve --port $(PORT)

test: .venv/test .venv/node $(PROGRAMS)
	$(PYTEST) $(TESTS)

# The tests that measure time run last, when nothing else runs.
test-all: .venv/tox .venv/node $(PROGRAMS) $(DATABASES)
	$(BIN)/tox run-parallel --parallel-no-spinner
	$(BIN)/tox run -e quiet

screenshots: .venv/test .venv/node chromedriver
	SCREENSHOTS=docs/_static/screenshots $(BIN)/pytest -p no:randomly tests/servers/browser/test_screenshots.py

check: .venv/check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYTHONPATH=.:example_project $(BIN)/lint-imports
	MYPYPATH=.:.venv/links $(BIN)/mypy -p proxy_storage -p proxy_storage_permissions -p proxy_storage_api
	$(PYTEST) -q tests/unit -k "$(FAST)"

# tox installs the other packages into an environment of their own, as they need an older Django.
compare: .venv/tox nginx
	$(BIN)/tox run -e comparison

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
	rm -rf .venv .tox build *.egg-info example_project/var example_project/node_modules

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

# The example site shows PDF files with PDF.js, and its tests use axe-core. Without a network, the
# site runs without them. npm is on the PATH or comes from PyPI.
.venv/node: .venv/pip example_project/package.json
	@command -v npm >/dev/null || $(INSTALL) --group node || true
	@cd example_project && PATH="$$PATH:$(CURDIR)/$(BIN)" npm install $(NPM_OPTIONS) && \
		touch ../$@ || echo "The JavaScript packages are not installed. The site works without them." >&2

# mypy finds the third package, whose folder has another name, by the link.
.venv/check: .venv/test
	$(INSTALL) --group lint --group types
	mkdir -p .venv/links
	ln -sfn ../../permissions .venv/links/proxy_storage_permissions
	touch $@

.venv/tox: .venv/pip
	$(INSTALL) "tox>=4.22"
	touch $@
