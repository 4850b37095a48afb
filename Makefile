# Two commands are all a newcomer needs: `make demo` and `make test`. Both set up everything they need.
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo demo-check test check lint types contracts benchmark requirements clean

demo: $(VENV)/ready-all  ## train, measure, compare, report, and open the dashboard
	$(BIN)/greenai demo

demo-check: $(VENV)/ready-all  ## the same without serving the dashboard
	$(BIN)/greenai demo --check

test: $(VENV)/ready-dev  ## lint, types, import contracts and all tests
	scripts/system-packages
	$(MAKE) --no-print-directory lint types contracts
	$(BIN)/pytest -q -n 3 -m "not slow" --cov --cov-report=
	$(BIN)/pytest -m slow --durations=15 --cov --cov-append

check: $(VENV)/ready-dev  ## the fast part of `test`
	$(MAKE) --no-print-directory lint types contracts
	$(BIN)/pytest -q -n 3 -m "not slow"

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready-dev
	$(BIN)/mypy

contracts: $(VENV)/ready-dev
	$(BIN)/lint-imports

benchmark: $(VENV)/ready-dev  ## print the tables of benchmarks/
	$(BIN)/python -m benchmarks

$(VENV)/ready-all: pyproject.toml requirements/all.txt scripts/setup
	scripts/setup $(VENV) all

$(VENV)/ready-dev: pyproject.toml requirements/dev.txt scripts/setup
	scripts/setup $(VENV) dev
	@touch $(VENV)/ready-all

requirements:  ## resolve the pinned versions anew
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --extra all -o requirements/all.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --extra all --extra dev -o requirements/dev.txt pyproject.toml

clean:
	rm -rf $(VENV) .coverage htmlcov dist
