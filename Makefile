# `make run` and `make test` set up what they need, on a fresh machine too.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

DATA ?= data
VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt scripts/setup.sh
PYTEST_ARGS ?=

.PHONY: help setup run test soak soak-kill lint bench docs clean fuzz torture

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.made-embedded  ## set up what Switchlog needs to run, in .venv

run: setup  ## start Switchlog with a demo tenant in ./data (Ctrl-C stops it)
	@exec $(BIN)/switchlog serve --data $(DATA) --demo

test: $(VENV)/.made-test  ## run all tests, with real phones and the real ClickHouse engine
	@scripts/debian.sh sipp=sip-tester sipsak=sipsak || echo "make test: goes on without them" >&2
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.made-lint  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.made-test  ## measure, and print the table of figures
	@scripts/debian.sh sipp=sip-tester || true
	$(BIN)/python -m bench

soak: $(VENV)/.made-test  ## registers and calls for SOAK_S=3600 seconds; fails when memory grew or a call failed
	@scripts/debian.sh sipp=sip-tester || true
	$(BIN)/python -m bench.soak

fuzz: $(VENV)/.made-fuzz  ## fuzz the parsers, FUZZ_S=60 seconds each; finds stay in tests/torture/corpus
	$(BIN)/python -m tests.torture.fuzz

torture: $(VENV)/.made-test  ## every malformed message of the generator (`make test` takes a sample)
	TORTURE=100000 $(BIN)/python -m pytest tests/torture $(PYTEST_ARGS)

soak-kill: $(VENV)/.made-test  ## kill the server 1,000 times under load (SOAK_KILLS, SOAK_RATE)
	SOAK_KILLS=$${SOAK_KILLS:-1000} $(BIN)/python -m pytest -s tests/faults/test_kill.py

docs: $(VENV)/.made-docs  ## build the docs into ./site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove what the others made (but ./data)
	rm -rf $(VENV) site build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made-embedded: $(INPUTS)
	@scripts/setup.sh $(VENV) embedded
	@touch $@

$(VENV)/.made-test: $(INPUTS)
	@scripts/setup.sh $(VENV) embedded,test
	@touch $@ $(VENV)/.made-embedded

$(VENV)/.made-lint: $(INPUTS)
	@scripts/setup.sh $(VENV) embedded,test,lint
	@touch $@ $(VENV)/.made-test $(VENV)/.made-embedded

$(VENV)/.made-fuzz: $(INPUTS)
	@scripts/setup.sh $(VENV) embedded,test,fuzz
	@touch $@ $(VENV)/.made-test $(VENV)/.made-embedded

$(VENV)/.made-docs: $(INPUTS)
	@scripts/setup.sh $(VENV) docs
	@touch $@
