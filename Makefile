# `make up` and `make test` are all that a user and a contributor need; both make what they lack.
# A script that stops has said why; its exit code is in make's last line (make itself then ends with 2).

SHELL := bash
.SHELLFLAGS := -Eeuo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up down image test check bench compose schema lock clean

BIN := .venv/bin
SERVICE ?= jupyter
VARIANT ?= cpu
BENCH ?= figures models registry

# Called as root in a user's folder, leave no caches in it that the user could not remove.
ifneq ($(shell id -u),$(shell stat -c %u .))
export PYTHONDONTWRITEBYTECODE = 1
export RUFF_NO_CACHE = true
export MYPY_CACHE_DIR = /dev/null
export PYTEST_ADDOPTS += -p no:cacheprovider
endif

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## set up what is missing, build the image, start JupyterLab (SERVICE=ssh: SSH)
	@scripts/bootstrap.sh
	@scripts/engine.sh
	@$(BIN)/envkit up $(SERVICE)

down: ## stop and remove this project's services; files and volumes stay
	@scripts/bootstrap.sh
	@$(BIN)/envkit down

image: ## build the image (VARIANT=gpu: the GPU one)
	@scripts/bootstrap.sh
	@scripts/engine.sh
	@$(BIN)/envkit build $(VARIANT)

test: ## set up what is missing, run every check and every test
	@scripts/bootstrap.sh --dev
	@scripts/test-tools.sh
	@scripts/engine.sh
	@scripts/check.sh
	@$(BIN)/pytest

check: ## run the linters and type checks (seconds)
	@scripts/bootstrap.sh --dev
	@scripts/check.sh

bench: ## measure builds, starts, downloads, large registries (BENCH=models: one of them)
	@scripts/bootstrap.sh --dev
	@$(if $(filter figures,$(BENCH)),scripts/engine.sh && $(BIN)/python bench/figures.py)
	@$(if $(filter models,$(BENCH)),$(BIN)/python bench/models.py --plot docs/benchmarks/models.png)
	@$(if $(filter registry,$(BENCH)),$(BIN)/python bench/registry.py)

compose: ## write compose.yaml anew
	@scripts/bootstrap.sh
	@$(BIN)/envkit export compose >compose.yaml.new
	@mv compose.yaml.new compose.yaml

schema: ## write schemas/ anew
	@scripts/bootstrap.sh
	@$(BIN)/python -c 'from pathlib import Path; from envkit.models.registry import schema; schema.write(Path("schemas"))'

lock: ## write the locks in requirements/ anew (needs uv)
	@requirements/compile.sh

clean: ## remove .venv and caches; images, models and volumes stay
	@rm -rf .venv .*_cache build dist compose.yaml.new tests/tools/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
