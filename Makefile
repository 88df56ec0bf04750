# Every target makes what it needs in .venv; PYTHON names the interpreter to make it with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: help test lint unit corpus fuzz bench demo examples clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

test: lint unit ## Lint, type-check and test everything but the corpus

lint: $(VENV)/.installed ## Format check, lint and types
	$(BIN)/black --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	MYPYPATH=templates/python $(BIN)/mypy -p runtime

unit: $(VENV)/.installed ## Unit, runtime, golden and end-to-end tests
	$(BIN)/pytest -n $(JOBS)

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
	rm -rf $(VENV) .demo .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
