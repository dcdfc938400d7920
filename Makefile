# Two commands do everything: `make demo` and `make test`. Both install what they need into .venv
# on their first run and start in seconds afterwards. What real editors need is kept in the user's
# cache (tests/system_packages.py says where).

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
INSTALL_INPUTS := pyproject.toml constraints.txt

EXTENSION := editors/vscode
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(EXTENSION)

.PHONY: demo test test-editors vsix lint format clean

demo: .venv/.installed
	@$(BIN)/infill-ls demo

test: .venv/.installed-dev lint
	@$(BIN)/python -m pytest

# Only what runs in real editors: VS Code in a browser, Neovim, Emacs.
test-editors: .venv/.installed-dev
	@$(BIN)/python -m pytest tests/editors

# The VS Code extension, packed: editors/vscode/dist/infill-ls.vsix
vsix: .venv/.installed-dev $(EXTENSION)/node_modules/.package-lock.json
	@$(NPM) run check
	@$(NPM) run package

lint: .venv/.installed-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/.installed-dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:
	rm -rf .venv build *.egg-info kernels/*.egg-info $(EXTENSION)/node_modules $(EXTENSION)/dist

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

$(EXTENSION)/node_modules/.package-lock.json: $(EXTENSION)/package-lock.json
	@$(NPM) ci --no-progress
	@touch $@
