# make demo    set up, start the example site, ask for files as four people, stop
# make serve   the same site, left running
# make test    everything that the tests need, and the tests
#
# EXAMPLE_SERVER=x-accel puts nginx in front of demo and serve, x-sendfile Apache, lighttpd
# lighttpd. PYTHON names the interpreter to build .venv with.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check

WEB_SERVER_x-accel := nginx
WEB_SERVER_x-sendfile := apache2
WEB_SERVER_lighttpd := lighttpd
WEB_SERVER := $(WEB_SERVER_$(EXAMPLE_SERVER))

.PHONY: demo serve test nginx apache2 mod_wsgi lighttpd caddy curl chromedriver postgres mariadbd clean

demo: .venv/example $(WEB_SERVER)
	cd example_project && ../$(BIN)/python -m demo

serve: .venv/example $(WEB_SERVER)
	cd example_project && ../$(BIN)/python -m demo --serve

# as many environments at once as there are cores; each one's output comes when it has ended
test: .venv/tox nginx apache2 mod_wsgi lighttpd caddy curl chromedriver postgres mariadbd
	$(BIN)/tox run-parallel --parallel-no-spinner

# says what is missing where it cannot be installed; who needs it decides what then
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

.venv/tox: .venv/pip
	$(INSTALL) "tox>=4.22"
	touch $@
