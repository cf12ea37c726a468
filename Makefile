# Two commands on a fresh machine: `make demo` and `make test`. Each makes its own virtual environment first.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The real photos that some tests and benchmarks read; tests that need them are skipped where they are absent.
GONOGO_DATA ?= ../shared/data
export GONOGO_DATA

.PHONY: setup browser web runtimes arm cpp kotlin demo test test-slow lint bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gonogo needs Python 3.11 or newer; give one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# Chromium for the tests of pages, which are skipped without it.
browser:
	scripts/install-browser.sh

# What phones answer with, for `gonogo phone` and for its tests, which are skipped without it. Needs npm.
web:
	scripts/install-web.sh

# What writes files for the heavier runtimes, over a gigabyte; their tests are skipped without it.
runtimes: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,executorch,litert-export,ncnn]' tflite-micro

# An emulated ARM64 with gonogo's base install, 220 MB; the slow tests of it are skipped without it. Needs apt-get.
arm: $(STAMP)
	PYTHON=$(BIN)/python scripts/install-arm.sh

# ONNX Runtime for C++, 70 MB, for the slow tests of the example, which are skipped without it. Needs npm and apt-get.
cpp:
	scripts/install-onnxruntime.sh

# Kotlin's compiler, 120 MB, for the slow tests of the example, which are skipped without it. Needs npm and apt-get.
kotlin:
	scripts/install-kotlin.sh

demo: $(STAMP)
	$(BIN)/gonogo demo --out out/demo --force

test: $(STAMP) lint
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	@failed=; for script in benchmarks/*.py; do $(BIN)/python $$script || failed="$$failed $$script"; done; \
	if [ -n "$$failed" ]; then echo "claims that did not hold:$$failed"; exit 1; fi

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
