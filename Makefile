# `make run` and `make test` set up what they need, on a fresh machine too.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

DATA ?= data
CLUSTER_DATA ?= data-cluster
VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt scripts/setup.sh
PYTEST_ARGS ?=
KAFKA_FAULTS := $(addprefix tests/faults/test_,kafka_broker.py kafka_calls.py takeover.py address.py)
# Whoever measures, or takes many topics or ports, or breaks brokers, or anything under load, has the machine to itself.
SHARING := $(addprefix tests/faults/test_,crossing.py restart.py roles.py start.py story.py sweep.py) \
	$(addprefix tests/e2e/test_,calls.py extensions.py network.py passing.py rfc3665.py)
ALONE := tests/bench tests/cluster tests/deploy \
	$(filter-out $(SHARING),$(sort $(wildcard tests/e2e/test_*.py tests/faults/test_*.py)))

.PHONY: help setup run cluster test soak soak-kill soak-kafka proof lint bench docs clean fuzz torture

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.made-embedded  ## set up what Switchlog needs to run, in .venv

run: setup  ## start Switchlog with a demo tenant in ./data (Ctrl-C stops it)
	@scripts/debian.sh espeak-ng=espeak-ng || echo "make run: tones are heard where words should be" >&2
	@exec $(BIN)/switchlog serve --data $(DATA) --demo

cluster: setup  ## start three Kafka brokers and two nodes on them in ./data-cluster (Ctrl-C stops all)
	@scripts/debian.sh java=default-jre-headless mvn=maven || true
	@exec $(BIN)/python -m cluster --data $(CLUSTER_DATA)

test: $(VENV)/.made-test  ## run all tests, with real phones, a real Kafka broker and the real ClickHouse engine
	@scripts/debian.sh sipp=sip-tester sipsak=sipsak baresip=baresip-core espeak-ng=espeak-ng java=default-jre-headless mvn=maven promtool=prometheus || echo "make test: goes on without them" >&2
	@if [ -n "$(PYTEST_ARGS)" ]; then exec $(BIN)/python -m pytest $(PYTEST_ARGS); fi; status=0; set -x; \
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ALONE:%=--ignore=%) || status=$$?; \
	$(BIN)/python -m pytest $(ALONE) || status=$$?; exit $$status

lint: $(VENV)/.made-lint  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.made-test  ## measure, and print the table of figures
	@scripts/debian.sh sipp=sip-tester kamailio=kamailio java=default-jre-headless mvn=maven || true
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

soak-kafka: $(VENV)/.made-test  ## kill and freeze brokers and nodes under appends and calls, SOAK_FAULTS=10 times each
	@scripts/debian.sh java=default-jre-headless mvn=maven || true
	SOAK_FAULTS=$${SOAK_FAULTS:-10} $(BIN)/python -m pytest -s $(KAFKA_FAULTS)

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
