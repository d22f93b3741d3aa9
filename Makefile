# Every target sets up what it needs, and is quick the second time. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Without bytecode on disk each process that a test or a figure starts compiles every module: 0.25 s of computing.
unexport PYTHONDONTWRITEBYTECODE
# How many processes run the tests: one more than there are cores, since many tests wait for something most of their time.
TEST_PROCESSES ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))

PYPROJECTS := pyproject.toml kernel/pyproject.toml $(wildcard interfaces/*/pyproject.toml backends/*/pyproject.toml)
DISTRIBUTIONS := $(patsubst %/,%,$(dir $(PYPROJECTS)))
OURS := $(shell sed -n 's/^name = "\(.*\)"/\1/p' $(PYPROJECTS))

# uv from the PATH, or else a private one in .tools, in the version that the lock names.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
PY := .venv/bin/python

.PHONY: help run test lint bench fuzz soak dist guests docs lock clean prerequisites

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

run: .venv/.stamp ## serve the key-value counter, a guest written in Python, on http://127.0.0.1:8080
	$(PY) -m tools.guests keyvalue
	QWASR_CACHE_DIR=build/cache exec .venv/bin/qwasr run build/guests/keyvalue.wasm

test: .venv/.stamp guests ## all tests, and the engine's on every Python that is installed
	$(PY) -m pytest -q -n $(TEST_PROCESSES) --dist worksteal
	$(PY) -m tools.matrix --uv $(UV)

lint: .venv/.stamp ## ruff (rules and format) and mypy --strict
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

bench: .venv/.stamp guests ## a table of figures: engine, host calls, HTTP
	$(PY) -m bench

fuzz: .venv/.stamp ## parsers and codec against random input, for FUZZ_SECONDS (600) in all
	$(PY) -m fuzz

soak: .venv/.stamp ## SOAK_CALLS (10000) calls of each kind, and a table of what they left behind
	$(PY) -m soak

dist: .venv/.stamp ## wheels of every distribution, in dist/
	rm -rf dist
	$(UV) build -q --wheel --all-packages --no-build-isolation --python $(PY) --out-dir dist .
	rm -f dist/.gitignore
	ls -1 dist

prerequisites: ## what builds of guests and tests need besides Python: installed on Debian as root, else named
	tools/prerequisites

guests: .venv/.stamp | prerequisites ## the example guests whose tools are installed, in build/guests/
	$(PY) -m tools.guests

docs: .venv/.stamp ## the generated page of variables, docs/variables.md
	.venv/bin/qwasr env --markdown > docs/variables.md

lock: $(UV) ## pin every package with its hashes in requirements.lock, and npm's in the folders that have a package.json
	$(UV) pip compile -q --universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate \
		--group dev $(addprefix --no-emit-package ,$(OURS)) $(PYPROJECTS) -o requirements.lock
	for folder in tools tools/jco; do
	  rm -f $$folder/package-lock.json
	  (cd $$folder && npm install --package-lock-only --ignore-scripts --no-progress && node $(CURDIR)/tools/lock.mjs)
	done
	if grep -n '://' requirements.lock {tools,tools/jco}/package-lock.json; then echo "a lock names an address" >&2; exit 1; fi

clean: ## delete what is built: environments, guests, wheels, caches
	rm -rf build dist .venv .venvs .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis {tools,tools/jco}/node_modules examples/*/target
	find . -name __pycache__ -prune -exec rm -rf {} +

.tools/bin/uv: requirements.lock
	$(PYTHON) -m venv .tools
	awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > .tools/uv.txt
	.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r .tools/uv.txt
	touch $@

.venv/.stamp: requirements.lock $(PYPROJECTS) | $(UV)
	[ -x $(PY) ] || $(UV) venv -q --python $(PYTHON) .venv
	$(UV) pip sync -q --python $(PY) --require-hashes requirements.lock
	$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation $(addprefix -e ,$(DISTRIBUTIONS))
	touch $@
