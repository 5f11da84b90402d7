# setup: the environment in .venv; demo: a province on this machine; test: everything; lint: ruff and mypy; bench: all rows
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench deb release
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin

help:
	@echo "make setup   create .venv with everything that is needed"
	@echo "make demo    watch this machine and a simulated province; Ctrl-C ends it"
	@echo "make test    install the real peers, then ruff, mypy and all tests"
	@echo "make lint    ruff and mypy only"
	@echo "make deb     the agent's Debian package, in dist/"
	@echo "make release the agent's next release for agents on Linux, in dist/; docs/agent-install.md"
	@echo "make bench   every benchmark beside its peer (python -m bench lists them)"

setup: .venv/installed
	@:

.venv/installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || HAIDANG_REQUIRE_PEERS=1 deploy/packages.sh deploy/setup-packages.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V). Name another: make setup PYTHON=python3.11"; exit 1; }
	@[ -x $(BIN)/python ] && $(BIN)/python -c '' || $(PYTHON) -m venv --clear .venv
	@echo "Installing Python packages into .venv" >&2
# compat: a path, as an installed package has it, and no finder, which takes 20 ms and 0.7 MB of every process
	@$(BIN)/pip --disable-pip-version-check install --quiet --root-user-action=ignore --config-settings editable_mode=compat -e '.[test]'
	@touch $@

demo: setup
	@exec $(BIN)/haidang demo

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

test: setup
	@deploy/packages.sh deploy/test-packages.txt
	@$(MAKE) lint
	@$(BIN)/pytest -q -n 4 --dist loadscope

bench: setup
	@deploy/packages.sh deploy/test-packages.txt deploy/bench-packages.txt
	@$(BIN)/python -m bench all

deb:
	@$(PYTHON) -m deploy.debian.build

release:
	@$(PYTHON) -m deploy.release
