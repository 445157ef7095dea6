# make quickstart   install, make a small world, train on it, evaluate, draw pictures
# make test         install, run the whole test suite (PYTEST_ADDOPTS passes through)
# make fuzz         install, check new damaged inputs on all cores for an hour (FUZZ_SECONDS=their time)
# make parity       install, compare the full-size models with the reference's numbers (GOLDENS=their folder)
# make lint         install, check style, types and spelling
# make wheel        build the wheel, install it into a fresh environment away from the clone, run README's example there
# make clean        remove the virtual environment and caches

PYTHON ?= python3
VENV ?= .venv
GOLDENS ?= ../shared/parity
FUZZ_SECONDS ?= 3600
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.PHONY: quickstart test fuzz parity lint wheel clean

quickstart: $(VENV)/installed-quickstart
	$(BIN)/python tools/quickstart.py

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

fuzz: $(VENV)/installed-dev
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

parity: $(VENV)/installed-dev
	$(BIN)/python tools/parity.py --goldens $(GOLDENS)

lint: $(VENV)/installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m codespell_lib

wheel: $(VENV)/installed-dev
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist
	$(BIN)/python tools/check_wheel.py dist/*.whl

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/created:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/installed-quickstart: $(VENV)/created setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[train]"
	touch $@

$(VENV)/installed-dev: $(VENV)/created setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@
