# Show Me the Instruments: `make help` lists the targets. Needs Python 3.11 or newer, make and a C compiler.
# Node is needed only to change the page: the built page is committed.

VENV ?= .venv
PORT ?= 8000
HOST ?= 127.0.0.1
SHOWME_DATA_DIR ?= data
# cpu or gpu: the build of faiss. Changing it replaces the other build.
VARIANT ?= cpu
# The package index for PyTorch alone. Empty: the usual one, whose Linux wheels bring several gigabytes of CUDA.
# On a machine without a GPU, give PyTorch's own index of CPU wheels.
TORCH_INDEX ?=
ARGS ?=
# Processes that run the Python tests; 0 runs them in one process, for a debugger.
TEST_WORKERS ?= 2
# Note banks, MIDI files and real recordings, and the folder of the training set that `make data` makes from them.
NOTES ?=
MIDI ?=
REAL ?=
# A training set of synthesisers' patches, which some stages of `make weights` learn from (docs/DATA.md).
SYNTH ?=
OUT ?= banks
# `make evaluate` measures the default library, and these as well: real recordings (REAL, with the recorded instruments of
# NOTES), productions (REAL, NOTES and MIDI), a built training set (BANK), rendered mixtures of its probes (MIXTURES), and
# reports of other encoders (REPORTS; the paper's rows are kept in docs/reports).
BANK ?=
MIXTURES ?=
REPORTS ?= $(if $(BANK),$(sort $(wildcard docs/reports/*.json)))
# 1: `make test-browser` also writes the pictures of the README.
SCREENSHOTS ?=
RESULTS ?= $(if $(BANK),docs,data/evaluation)
# A solo network of `showme train solo`, to be measured beside what tells families at enrollment.
SOLO ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(VARIANT)
BENCH_INSTALLED := $(VENV)/.bench-$(VARIANT)
OTHER_FAISS := $(if $(filter gpu,$(VARIANT)),faiss-cpu,faiss-gpu)
WEB := app/web
WEB_INSTALLED := $(WEB)/node_modules/.installed
PACKAGES := app index models training benchmarks tests
PYTEST := $(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile
CONSTRAINTS := constraints.txt
# One version of torch everywhere; its own requirements come from TORCH_INDEX, which may lack the pinned ones.
TORCH = "$$(grep '^torch==' $(CONSTRAINTS))"

.DEFAULT_GOAL := help
.PHONY: help install constraints serve test check coverage format web types web-check test-browser bench torture data evaluate compose-check docker-steps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PORT HOST SHOWME_DATA_DIR VARIANT=cpu|gpu TORCH_INDEX VENV TEST_WORKERS ARGS"

install: $(INSTALLED) ## create .venv and install everything, the command `showme` too

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@test "$(VARIANT)" = cpu || test "$(VARIANT)" = gpu || { echo "VARIANT is $(VARIANT); it must be cpu or gpu"; exit 2; }
	@set -e; test -x $(BIN)/python || { \
	  for name in python3.12 python3.11 python3.13 python3 python; do \
	    if $$name -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      echo "using $$($$name --version) as $$name"; $$name -m venv $(VENV); break; \
	    fi; \
	  done; \
	  test -x $(BIN)/python || { echo "Python 3.11 or newer, with venv, is needed and was not found"; exit 1; }; \
	}
	$(BIN)/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	$(BIN)/pip install --no-deps --constraint $(CONSTRAINTS) tinysoundfont
	$(BIN)/pip uninstall --yes --quiet $(OTHER_FAISS) 2>/dev/null || true
	$(BIN)/pip install --constraint $(CONSTRAINTS) --editable ".[$(VARIANT),dev]"
	@rm -f $(VENV)/.installed-* && touch $@

constraints: install ## write the installed versions into constraints.txt, after `make check` has passed with them
	$(BIN)/python -m tests.deployment.constraints > $(CONSTRAINTS).tmp
	@mv $(CONSTRAINTS).tmp $(CONSTRAINTS) && touch $(INSTALLED)

serve: install ## start the service on http://127.0.0.1:8000 (PORT=… HOST=… SHOWME_DATA_DIR=…)
	@exec env SHOWME_DATA_DIR="$(SHOWME_DATA_DIR)" SHOWME_HOST="$(HOST)" SHOWME_PORT="$(PORT)" $(BIN)/showme serve

test: install ## run the Python tests (ARGS="-k audio")
	$(PYTEST) $(ARGS)

check: install web-check ## run all that CI runs: format, lint, types, tests with coverage, and the page in a browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES)
	@$(MAKE) --no-print-directory coverage
	@$(MAKE) --no-print-directory test-browser

coverage: install ## run the Python tests and print the lines that each file leaves untested (ARGS="-k audio")
	$(PYTEST) --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report

format: install ## format the code and apply the linter's own fixes
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

bench: $(BENCH_INSTALLED) ## measure speed and memory of this machine (ARGS="--only short-query --json")
	$(BIN)/python -m benchmarks $(ARGS)

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/pip install --constraint $(CONSTRAINTS) --editable ".[$(VARIANT),bench]"
	@touch $@

torture: install ## attack the promises of docs/RELIABILITY.md for up to an hour (ARGS="--only index-kills --tries 100")
	$(BIN)/python -m tests.torture $(ARGS)

data: install ## render the training set (NOTES=… MIDI=… OUT=banks REAL=recordings)
	@test -n "$(NOTES)" -a -n "$(MIDI)" || { echo "give NOTES= and MIDI=, and OUT= if not banks/"; exit 2; }
	$(BIN)/showme data build --notes "$(NOTES)" --midi "$(MIDI)" $(if $(REAL),--real "$(REAL)") --out "$(OUT)" $(ARGS)

# The runs of the stages of training/configs/shipped, and the folder of the released pair (never models/weights by itself).
RUNS ?= runs
WEIGHTS ?= $(RUNS)/weights

.PHONY: weights
weights: install ## train the shipped encoders, stage by stage, and release them (OUT=banks, with NOTES=… MIDI=… REAL=… to make it; SYNTH=banks/synth; RUNS=runs)
	$(if $(NOTES)$(MIDI),@$(MAKE) --no-print-directory data ARGS=)
	$(BIN)/python -m training.weights --bank "$(or $(BANK),$(OUT)/single)" --real "$(OUT)/real" $(if $(SYNTH),--synth "$(SYNTH)") $(if $(REAL),--recordings "$(REAL)") --runs "$(RUNS)" --out "$(WEIGHTS)" $(ARGS)

evaluate: install ## measure the encoders on real music and held-out instruments; REAL=… MIDI=… RECORDINGS=… BANK=… MIXTURES=… NOTES=… for docs/RESULTS.md
	$(if $(REAL),$(BIN)/showme evaluate $(ARGS) --protocol real --real "$(REAL)" $(foreach notes,$(NOTES),--notes "$(notes)") \
	  $(if $(and $(NOTES),$(MIDI)),--protocol production --midi "$(MIDI)") \
	  $(if $(RECORDINGS),--protocol answers --recordings "$(RECORDINGS)") --json data/evaluation/real.json)
	$(BIN)/showme evaluate $(ARGS) --json data/evaluation/default.json --plots $(RESULTS)/plots
	$(if $(BANK),$(BIN)/showme evaluate $(ARGS) --bank "$(BANK)" $(if $(MIXTURES),--mixtures "$(MIXTURES)") $(foreach notes,$(NOTES),--notes "$(notes)") \
	  --json data/evaluation/bank.json --plots $(RESULTS)/plots)
	$(if $(BANK),$(BIN)/showme evaluate solo --bank "$(BANK)" $(if $(REAL),--real "$(REAL)") $(if $(SOLO),--network "$(SOLO)") --json data/evaluation/solo.json --plots $(RESULTS)/plots)
	$(BIN)/python -m training.evaluation.results $(if $(REAL),data/evaluation/real.json) data/evaluation/default.json $(if $(BANK),data/evaluation/bank.json data/evaluation/solo.json) $(REPORTS) \
	  --plots $(RESULTS)/plots --out $(RESULTS)/RESULTS.md
	$(if $(and $(BANK),$(REAL)),$(BIN)/python -m training.evaluation.quotes)

compose-check: install ## check docker-compose.yml and the Dockerfile, without a Docker engine
	$(BIN)/python -m tests.deployment.check_compose

docker-steps: install ## run the Dockerfile's install steps in a fresh virtual environment
	$(BIN)/python -m tests.deployment.docker_steps $(VARIANT)

clean: ## remove caches and the virtual environment; keep the data
	rm -rf $(VENV) $(WEB)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
