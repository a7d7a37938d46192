# Show Me the Instruments: `make help` lists what there is. Needs Python 3.11 or newer, make and a C compiler.
# Node is needed only to change the page: what it is built to is committed.

VENV ?= .venv
PORT ?= 8000
HOST ?= 127.0.0.1
SHOWME_DATA_DIR ?= data
# cpu or gpu: which build of faiss is installed (switching replaces the other one).
VARIANT ?= cpu
# Where PyTorch comes from, for its own pip call only. Empty: the usual package index, whose Linux wheels bring several
# gigabytes of CUDA. On a machine without a GPU, give PyTorch's own index of CPU wheels.
TORCH_INDEX ?=
ARGS ?=
# The note banks, the MIDI files, and where the training set is made from them.
NOTES ?=
MIDI ?=
OUT ?= banks
# What `make evaluate` measures beside the default library: the built training set, rendered mixtures of its probes, and
# reports of other encoders (showme evaluate --weights … --json …) to stand beside: the paper's rows, kept in docs/reports.
BANK ?=
MIXTURES ?=
REPORTS ?= $(if $(BANK),$(sort $(wildcard docs/reports/*.json)))
# 1: `make test-browser` writes the pictures of the README.
SCREENSHOTS ?=
RESULTS ?= $(if $(BANK),docs,data/evaluation)

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(VARIANT)
BENCH_INSTALLED := $(VENV)/.bench-$(VARIANT)
OTHER_FAISS := $(if $(filter gpu,$(VARIANT)),faiss-cpu,faiss-gpu)
WEB := app/web
WEB_INSTALLED := $(WEB)/node_modules/.installed
PACKAGES := app index models training benchmarks tests

.DEFAULT_GOAL := help
.PHONY: help install serve test check format web types web-check test-browser bench data evaluate compose-check docker-steps clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PORT HOST SHOWME_DATA_DIR VARIANT=cpu|gpu TORCH_INDEX VENV ARGS"

install: $(INSTALLED) ## create .venv and install everything, the command showme included

$(INSTALLED): pyproject.toml
	@test "$(VARIANT)" = cpu || test "$(VARIANT)" = gpu || { echo "VARIANT is $(VARIANT); it must be cpu or gpu"; exit 2; }
	@set -e; test -x $(BIN)/python || { \
	  for name in python3.12 python3.11 python3.13 python3 python; do \
	    if $$name -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      echo "using $$($$name --version) as $$name"; $$name -m venv $(VENV); break; \
	    fi; \
	  done; \
	  test -x $(BIN)/python || { echo "Python 3.11 or newer, with venv, is needed and was not found"; exit 1; }; \
	}
	$(BIN)/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch>=2.13,<2.14"
	$(BIN)/pip install --no-deps "tinysoundfont>=0.3.7,<0.4"
	$(BIN)/pip uninstall --yes --quiet $(OTHER_FAISS) 2>/dev/null || true
	$(BIN)/pip install --editable ".[$(VARIANT),dev]"
	@rm -f $(VENV)/.installed-* && touch $@

serve: install ## serve on http://127.0.0.1:8000 (PORT=… HOST=… SHOWME_DATA_DIR=…)
	@exec env SHOWME_DATA_DIR="$(SHOWME_DATA_DIR)" SHOWME_HOST="$(HOST)" SHOWME_PORT="$(PORT)" $(BIN)/showme serve

test: install ## run the tests (ARGS="-k audio")
	$(BIN)/python -m pytest $(ARGS)

check: install web-check ## what CI runs: format, lint, types, tests, and the page in a browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/python -m pytest
	@$(MAKE) --no-print-directory test-browser

format: install ## format the code and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

web: $(WEB_INSTALLED) ## build the page into app/web/dist (needs Node 20.19 or newer)
	cd $(WEB) && npm run --silent build

types: install $(WEB_INSTALLED) ## generate the page's types (app/web/src/api/openapi.ts) from the OpenAPI document
	cd $(WEB) && SHOWME_BIN="$(abspath $(BIN))" npm run --silent types

web-check: ## check format, lint, types and unit tests of the page (skipped without Node)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web-check-run; \
	  else echo "Node was not found: skipping the checks of the page (the Python tests check its bundle)"; fi

.PHONY: web-check-run
web-check-run: $(WEB_INSTALLED)
	cd $(WEB) && npm run --silent check && npm test --silent

test-browser: install ## test the page in Chromium (skipped without Node or Chromium); SCREENSHOTS=1 also writes docs/img
	@browser="$${CHROMIUM:-$$(command -v chromium || command -v chromium-browser)}"; \
	if test -n "$$browser" && command -v npm >/dev/null; then \
	  CHROMIUM="$$browser" $(MAKE) --no-print-directory test-browser-run; \
	else echo "Node or Chromium was not found: skipping the browser tests"; fi

.PHONY: test-browser-run
test-browser-run: $(WEB_INSTALLED)
	cd $(WEB) && npm run --silent check:browser
	cd $(WEB) && SHOWME_BIN="$(abspath $(BIN))" SHOWME_SCREENSHOTS="$(SCREENSHOTS)" npm run --silent test:browser -- $(ARGS)

$(WEB_INSTALLED): $(WEB)/package-lock.json
	cd $(WEB) && npm ci
	@touch $@

bench: $(BENCH_INSTALLED) ## measure speed and memory on this machine (ARGS="--only short-query --json")
	$(BIN)/python -m benchmarks $(ARGS)

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/pip install --editable ".[$(VARIANT),bench]"
	@touch $@

data: install ## make the training set (NOTES=… MIDI=… OUT=banks)
	@test -n "$(NOTES)" -a -n "$(MIDI)" || { echo "give NOTES= and MIDI=, and OUT= if not banks/"; exit 2; }
	$(BIN)/showme data build --notes "$(NOTES)" --midi "$(MIDI)" --out "$(OUT)" $(ARGS)

evaluate: install ## measure the encoders on held-out instruments; BANK=… MIXTURES=… NOTES=… for docs/RESULTS.md
	$(BIN)/showme evaluate $(ARGS) --json data/evaluation/default.json --plots $(RESULTS)/plots
	$(if $(BANK),$(BIN)/showme evaluate $(ARGS) --bank "$(BANK)" $(if $(MIXTURES),--mixtures "$(MIXTURES)") $(foreach notes,$(NOTES),--notes "$(notes)") \
	  --json data/evaluation/bank.json --plots $(RESULTS)/plots)
	$(BIN)/python -m training.evaluation.results data/evaluation/default.json $(if $(BANK),data/evaluation/bank.json) $(REPORTS) \
	  --plots $(RESULTS)/plots --out $(RESULTS)/RESULTS.md

compose-check: install ## check docker-compose.yml and the Dockerfile, without a Docker engine
	$(BIN)/python -m tests.deployment.check_compose

docker-steps: install ## run the Dockerfile's own install steps in a fresh virtual environment
	$(BIN)/python -m tests.deployment.docker_steps $(VARIANT)

clean: ## remove caches and the virtual environment, not the data
	rm -rf $(VENV) $(WEB)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
