# Short habits. Every target makes what it needs first; `make help` lists them.
#   make test ARGS="tests/core -q"    ARGS goes to the program behind test, bench, demo and run
#   make test PYTHON=python3.12 VENV=.venv-3.12
#   make test PURE=1                  the sources, although they are compiled
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN     = $(VENV)/bin
STAMP   = $(VENV)/.installed
ifdef PURE
export SOAPGATE_PURE = 1
endif

.PHONY: help venv demo run test lint format bench bench-compare wheel clean compiled

help:   ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: compiled   ## an environment of its own in .venv, with all that the rest needs
$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV), and compiling: a minute or two ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The hot modules, in place: what is up to date already is seen by its digest, in half a second.
compiled: $(STAMP)
	@test -n '$(PURE)' || $(BIN)/python setup.py --quiet build_ext --inplace

demo: compiled   ## two services, the gateway, four clients: see sessions stick; ends by itself
	@$(BIN)/soapgate demo $(ARGS)

run: compiled   ## the same set-up, kept running for your own client
	@$(BIN)/python samples/demo.py --stay $(ARGS)

test: compiled   ## all tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)   ## ruff (rules and format) and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(STAMP)   ## put the sources into the one format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: compiled   ## CPU a request beside HAProxy (needs haproxy, nginx-light, wrk); ARGS=--help
	@$(BIN)/python -m bench $(ARGS)

bench-compare: $(STAMP)   ## how the ratios changed: BASE=earlier.json [NEW=later.json]
	@$(BIN)/python -m bench --compare $(or $(BASE),$(error say BASE=earlier.json, a result in bench/out)) $(NEW)

wheel: $(STAMP)   ## sdist and wheel, in dist/
	$(BIN)/python -m build

clean:   ## what can be made again, except the environment
	rm -rf build dist *.egg-info bench/out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find soapgate -name '*.so' -delete
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +
