# Two commands do everything: `make demo` and `make test`. Both install what they need into .venv
# on their first run and start in seconds afterwards.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
INSTALL_INPUTS := pyproject.toml constraints.txt

.PHONY: demo test lint format clean

demo: .venv/.installed
	@$(BIN)/infill-ls demo

test: .venv/.installed-dev lint
	@$(BIN)/python -m pytest

lint: .venv/.installed-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/.installed-dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:
	rm -rf .venv build *.egg-info kernels/*.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "infill-ls needs Python 3.11 to 3.13; $$($(PYTHON) --version) was found. Set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python $(INSTALL_INPUTS)
	@echo "Installing into .venv (once; torch is about 200 MB) ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing what the tests need (once) ..."
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@
