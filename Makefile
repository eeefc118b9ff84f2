# make demo    set up, start the example site, ask for files as four people, stop
# make serve   the same site, left running
# make test    everything that the tests need, and the tests
#
# EXAMPLE_SERVER=x-accel puts nginx in front of demo and serve. PYTHON names the
# interpreter to build .venv with.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: demo serve test nginx clean

demo: .venv/example $(if $(filter x-accel,$(EXAMPLE_SERVER)),nginx)
	cd example_project && ../$(BIN)/python -m demo

serve: .venv/example $(if $(filter x-accel,$(EXAMPLE_SERVER)),nginx)
	cd example_project && ../$(BIN)/python -m demo --serve

test: .venv/tox nginx
	$(BIN)/tox run

# tells what is missing, and lets those who need it decide
nginx:
	@sh example_project/deploy/install-nginx.sh

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
