# Everything that is needed is set up by the targets themselves, in .venv, from git, make and Python with venv alone.

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
DEMO := build/demo
PYTEST_WORKERS ?= 2
PYTHON ?= python3
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3.14

UV_READY := $(VENV)/.uv-$(UV_VERSION)
RUN_READY := $(VENV)/.ready-run
TEST_READY := $(VENV)/.ready-test
BENCH_READY := $(VENV)/.ready-bench
LOCK := pyproject.toml uv.lock

export UV_HTTP_TIMEOUT ?= 180
export UV_NO_CONFIG := 1
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)
# Where the machine has its own list of certificates, its proxies are trusted too.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= true
endif
# --inexact: the demo does not take away what the tests need.
SYNC := $(BIN)/uv sync --frozen --inexact --quiet --python $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers tests browser bench format clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_READY) ## Set up, then optimise 200 PODs on a real day and write a report
	@echo "Compiling the kernels (once per machine)"
	@$(BIN)/podium warm-up
	@rm -rf $(DEMO)
	$(BIN)/podium init $(DEMO) --example it-north-200
	$(BIN)/podium run $(DEMO)
	@echo "Open the report: file://$(CURDIR)/$(DEMO)/results/report.html"

test: lint types layers tests ## Set up, then run every gate

lint: $(TEST_READY) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TEST_READY) ## Check types strictly
	$(BIN)/mypy --strict src

layers: $(TEST_READY) ## Check that modules import only from above themselves
	$(BIN)/lint-imports --no-logo

tests: $(TEST_READY) browser ## Run unit, property, oracle and reference tests, doctests and the code in the docs
	@$(BIN)/podium warm-up
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal

# The tests of pages need Chromium; without it they are skipped, and say so.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing Chromium for the tests of pages" && \
	  apt-get update -qq >/dev/null && apt-get install -y -qq chromium >/dev/null; } || \
	echo "No Chromium: tests of pages will be skipped (Debian: apt-get install chromium)"

bench: $(BENCH_READY) ## Measure speed and memory
	@$(BIN)/podium warm-up
	$(BIN)/podium bench a
	$(BIN)/podium bench scaling

format: $(TEST_READY) ## Format the code and repair what can be repaired
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove what was built, the virtual environment too
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The gates print one after the other also under `make -j`.
.NOTPARALLEL:

$(UV_READY):
	@echo "Setting up $(VENV)"
	@python=""; \
	for candidate in $(PYTHONS); do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; \
	  then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Podium needs Python 3.11, 3.12, 3.13 or 3.14 with the module venv; none of these is one: $(PYTHONS)." >&2; \
	  echo "On Debian or Ubuntu: apt-get install python3 python3-venv. Or name one: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	$$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@rm -f $(VENV)/.uv-* $(VENV)/.ready-*
	@touch $@

$(RUN_READY): $(LOCK) | $(UV_READY)
	@echo "Installing what Podium needs"
	@$(SYNC) --no-default-groups
	@touch $@

$(TEST_READY): $(LOCK) | $(UV_READY)
	@echo "Installing what the tests need"
	@$(SYNC) --extra simbench --extra service
	@touch $@ $(RUN_READY)

$(BENCH_READY): $(LOCK) | $(UV_READY)
	@echo "Installing what the benchmarks need"
	@$(SYNC) --extra simbench --extra service --group compare
	@touch $@ $(RUN_READY) $(TEST_READY)
