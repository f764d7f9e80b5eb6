# Two commands on a fresh machine: `make demo` and `make test`. Each installs what it needs into .venv and runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
# `make -s`, and nothing of the machine's own Python settings, inside the environment.
export PYTHONPATH :=
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint bench torture soak clean lock

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(READY) ## Play one shop morning; ARGS=--headless to end after the table, ARGS="--headless --json" for programs
	@$(BIN)/spaarpunt demo $(ARGS)

test: $(TOOLS) lint ## Run every check and test
	@$(BIN)/python -m pytest -n 3 $(ARGS)

lint: $(READY) ## Run the checks alone: ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(TOOLS) ## Measure; ARGS="NAME …" for some, ARGS=--json for programs
	@$(BIN)/python -m benchmarks $(ARGS)

# A killed process leaves semaphores behind, which Python's tracker tidies up and then tells of: as it should be here.
torture: $(TOOLS) ## Power cuts, kills, bad lines for MINUTES=10, with new seeds; SEED=n to see one again
	@$(BIN)/python -W "ignore:resource_tracker:UserWarning" -m tests.simulation.torture --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

soak: $(TOOLS) ## 50 000 sessions at a real till, 8 at once, many cut short; SESSIONS=n for fewer, SEED=n to see them again
	@$(BIN)/python -W "ignore:resource_tracker:UserWarning" -m tests.simulation.soak --sessions $(or $(SESSIONS),50000) $(if $(SEED),--seed $(SEED))

lock: $(READY) ## Write the lock file anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --group dev pyproject.toml -o requirements/all.lock

clean: ## Remove everything that was installed or made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: exact versions with their hashes, then the project itself, editable. uv comes out of the same lock.
$(READY): requirements/all.lock pyproject.toml scripts/setup.sh
	@PYTHON=$(PYTHON) scripts/setup.sh $(VENV)
	@touch $@

# What no wheel brings: a browser for the screen's tests, libzbar for the second decoder, FUSE for the power cuts.
$(TOOLS): $(READY) scripts/system-packages.sh
	@scripts/system-packages.sh
	@touch $@
