# Every target makes what it needs in .venv; PYTHON names the interpreter to make it with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: help system test lint unit mutations corpus fuzz bench demo examples clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Program and package are named alike; a test that needs one and does not find it says to run this.
SYSTEM := chromium npm redis-server

system: ## Install the Debian packages that tests start (as root; nothing where they are there)
	@missing=""; for program in $(SYSTEM); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "missing:$$missing. As root on Debian: make system; elsewhere: install them so that they are on PATH" >&2; exit 1; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null

test: lint unit ## Lint, type-check and test everything but the corpus

lint: $(VENV)/.installed ## Format check, lint and types
	$(BIN)/black --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	MYPYPATH=templates/python $(BIN)/mypy -p runtime

unit: $(VENV)/.installed ## Unit, runtime, golden and end-to-end tests
	$(BIN)/pytest -n $(JOBS)

mutations: $(VENV)/.installed ## Break emitted projects in every way listed, and print which contract test notices
	$(BIN)/pytest -n $(JOBS) -v -k noticed tests/e2e/test_contract_tests.py

corpus: $(VENV)/.installed ## Emit, type-check and contract-test services that others wrote (needs npm)
	$(BIN)/pytest tests/corpus

fuzz: $(VENV)/.installed ## The property tests, with many more examples
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -n $(JOBS) tests/unit tests/runtime tests/e2e/test_openapi.py

bench: $(VENV)/.installed ## Measure against hand-written peers, side by side in one run
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks

demo: ## Emit examples/orders, run it, call it, stop it
	@$(PYTHON) examples/demo.py

examples: $(VENV)/.installed ## Bring the committed example project up to date
	$(BIN)/python -m tests.golden.refresh

clean: ## Remove what the targets made
	rm -rf $(VENV) .demo .artefacts .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
