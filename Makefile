# Linli's commands. `make demo` and `make test` are all a newcomer needs.
VENV ?= .venv
PYTHON ?= python3
PORT ?= 8000
SIZE ?= town
WORKERS ?= 2
BIN = $(VENV)/bin
RUN = $(BIN)/python manage.py
.PHONY: demo test serve lint bench env dev-env messages

# The environment is rebuilt only when its lock changes; --require-hashes refuses anything else.
$(VENV)/base.stamp: requirements/base.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Linli needs Python 3.11 or later; set PYTHON=/path/to/python3.11")'
	@# Asked for pip, not for python: where Debian's python3-venv is missing, venv stops half-way.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
	  echo "Python can't make an environment here. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing the locked packages into $(VENV): a few minutes, once"
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/base.lock
	touch $@
$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/base.stamp
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	touch $@
env: $(VENV)/base.stamp messages
dev-env: $(VENV)/dev.stamp messages
messages:
	@$(BIN)/pybabel -q compile -D django -d locale -f

demo: env
	$(RUN) migrate -v 0
	$(RUN) demo --size $(SIZE) --port $(PORT) $(if $(DEMO_ONLY),,--serve)
serve: env
	$(RUN) migrate -v 0
	$(RUN) serve --port $(PORT)
test: dev-env
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)
lint: dev-env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
bench: dev-env
	$(BIN)/python -m bench $(ARGS)
