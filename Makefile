# One command for each need; `make` or `make help` lists them.

SHELL := /bin/bash -eu -o pipefail
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
VENV := .venv
PY := $(VENV)/bin/python
# Commands that need Django but no installation of their own get a throw-away one.
ALONE := env -u HEDGEROW_DATABASE_URL -u HEDGEROW_STORAGE_URL DJANGO_SETTINGS_MODULE=hedgerow.server.settings
PYTEST_ARGS ?= -n 2
SOAK ?= 40
ON_BOTH_DATABASES := tests/files $(wildcard tests/api/test_file_system*.py)

.PHONY: help setup run check test soak lock docs openapi clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Make the environment for developing

run: $(VENV)/.run ## Set up what is missing and start the server on http://127.0.0.1:8765
	@exec $(VENV)/bin/hedgerow serve

check: $(VENV)/.dev ## Lint, types, import rules, migrations, dependencies: no tests
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; set -x; \
	  $(ALONE) HEDGEROW_DATA_DIR="$$data" $(PY) -m django makemigrations --check --dry-run
	$(PY) -m deptry src

test: check ## Everything: check, then all tests, and those of the tree once more with PostgreSQL as the database
	$(PY) -m pytest $(PYTEST_ARGS)
	HEDGEROW_TEST_DATABASE=postgres $(PY) -m pytest $(PYTEST_ARGS) $(ON_BOTH_DATABASES)

soak: $(VENV)/.dev ## The tests with random input, SOAK (40) times as long as in `make test`
	HEDGEROW_SOAK=$(SOAK) $(PY) -m pytest $(PYTEST_ARGS) -m soak
	HEDGEROW_SOAK=$(SOAK) HEDGEROW_TEST_DATABASE=postgres $(PY) -m pytest $(PYTEST_ARGS) -m soak tests/files

docs: $(VENV)/.dev ## Write the generated pages of docs/reference and the rooms in ARCHITECTURE.md
	$(PY) -m tests.house.pages

openapi: $(VENV)/.dev ## Write docs/openapi.yml from the code that serves the routes
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; set -x; \
	  $(ALONE) HEDGEROW_DATA_DIR="$$data" $(PY) -m django spectacular --validate --fail-on-warn --file docs/openapi.yml

lock: ## Choose the newest versions allowed and write both lock files (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --extra build --output-file requirements.lock
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --extra build --extra dev --constraint requirements.lock \
	  --output-file requirements-dev.lock

clean: ## Remove the environment and all caches; keeps hedgerow-data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build

# The environment is made once and brought up to date when a lock changes. A stamp is written only after all went well.

$(VENV)/.run: requirements.lock pyproject.toml
	$(call install,requirements.lock)

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $(VENV)/.run

define install
@python=$$(.ci/find-python); \
  [ -x $(PY) ] && $(PY) -c '' 2>/dev/null || { echo "Making $(VENV)"; rm -rf $(VENV); "$$python" -m venv $(VENV); }; \
  echo "Installing $(1)"; \
  $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
  touch $@
endef
