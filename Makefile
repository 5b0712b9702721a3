# Penstock: two commands are enough to begin, `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first Python that will do: the project's own, else what the machine has.
PYTHON = $(shell for python in .venv/bin/python python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$python" && break; done)
NEEDS_PYTHON = python="$(PYTHON)"; if [ -z "$$python" ]; then \
	echo "penstock: Python 3.11, 3.12 or 3.13 must be on the path as python3.11 or python3, but is not." >&2; exit 1; fi
BIN := .venv/bin
TESTS := src tests/unit tests/contract tests/integration tests/e2e
SOURCES := src flows tasks tests scripts
# Half of most scenarios is waiting, so two are played at once; `make test WORKERS=` plays one.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

export DEMO_EXIT

.PHONY: help install install-test demo up down status test test-all check format lock wheel bench

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## what everything else needs, into .venv; then `. .venv/bin/activate`
	@$(NEEDS_PYTHON); "$$python" scripts/install.py

install-test:
	@$(NEEDS_PYTHON); "$$python" scripts/install.py --test

demo: install  ## the whole loop on real bike rentals; DEMO_EXIT=1 ends by itself
	@exec $(BIN)/penstock demo

up: install  ## start the stack on this machine
	@exec $(BIN)/penstock up

down: install  ## end it
	@exec $(BIN)/penstock down

status: install  ## say what runs, where, since when
	@exec $(BIN)/penstock status

test: install-test  ## every test but the long rounds
	@exec $(BIN)/python -m pytest $(WORKERS) -m "not full" $(wildcard $(TESTS))

test-all: install-test  ## the long rounds too
	@exec $(BIN)/python -m pytest $(WORKERS) $(wildcard $(TESTS))

check: install-test  ## style, types, import contracts, locks
	$(BIN)/ruff check $(wildcard $(SOURCES))
	$(BIN)/ruff format --check $(wildcard $(SOURCES))
	$(BIN)/mypy $(wildcard src flows tasks tests)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/contract/test_locks.py tests/integration/test_lock_compiles.py

format: install-test  ## put the sources into shape
	$(BIN)/ruff check --fix-only $(wildcard $(SOURCES))
	$(BIN)/ruff format $(wildcard $(SOURCES))

lock: install-test  ## compile the locks from pyproject.toml; UPGRADE=1 takes the newest of everything
	@exec $(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

wheel: install-test  ## build the wheel into dist/
	@exec $(BIN)/python -m hatchling build -t wheel

bench-%: install-test  ## one benchmark of tests/bench, such as bench-cycle
	@exec env PYTHONPATH=. $(BIN)/python tests/bench/$(subst -,_,$*).py

bench: install-test  ## every benchmark of minutes; bench-automl, bench-budget and bench-portfolio take hours
	@set -e; for bench in $(filter-out %/automl.py %/budget.py %/portfolio.py,$(wildcard tests/bench/[a-z]*.py)); do PYTHONPATH=. $(BIN)/python "$$bench"; done
