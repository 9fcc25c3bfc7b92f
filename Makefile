# Short verbs; `make help` lists them. Everything runs in .venv, built from constraints.txt.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.built

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-packages check fmt bench proto man lock annotate sanitize dist deb clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 15

# A stamp of its own: an interrupted venv has a python but no pip, and has to be made anew.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "maglev needs Python 3.11 or newer, and $(PYTHON) is not: say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || { echo "the headers of $(PYTHON) are missing: apt install python3-dev" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# The extension is rebuilt when its source changes; pure Python is picked up in place.
$(STAMP): $(VENV)/.made pyproject.toml setup.py constraints.txt src/maglev/_statseg.pyx $(wildcard src/maglev/*.pxi)
	@echo "installing into $(VENV) what constraints.txt names, from PyPI"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'setuptools>=77' Cython
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

dev: $(STAMP)  ## make .venv and build the extension in it

demo: $(STAMP)  ## watch maglevd at work: embedded VPP, six backends, flows, failures
	@$(BIN)/python -m maglev.demo $(DEMO)

test: $(STAMP)  ## every test that needs neither root nor a VPP, on two cores
	$(BIN)/python -m pytest -n 3 --dist loadfile $(PYTEST)

test-packages: $(STAMP)  ## build the packages; install, upgrade and purge them in a Debian of their own: as root, some minutes
	MAGLEV_TEST_PACKAGES=$${MAGLEV_TEST_PACKAGES:-1} $(BIN)/python -m pytest tests/packaging $(PYTEST)

check: $(STAMP)  ## lint, format, types, import contracts, stub of the extension, generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/lint-imports --no-cache
	$(BIN)/stubtest --ignore-missing-stub maglev._statseg
	$(BIN)/python proto/generate.py --check

fmt: $(STAMP)  ## format, and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP)  ## benchmarks, each checked before it is timed
	$(BIN)/python -m pytest benchmarks --benchmark-only

proto: $(STAMP)  ## regenerate src/maglev/rpc/_pb from proto/
	$(BIN)/python proto/generate.py

man: $(STAMP)  ## write docs/maglevd.8 and docs/maglevc.1 from the tables that the programs run by
	$(BIN)/python -m maglev.manuals docs

lock: $(STAMP)  ## write constraints.txt from what .venv holds
	$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable --disable-pip-version-check > constraints.txt

annotate: $(STAMP)  ## the generated C of the extension, with Python calls in yellow: src/maglev/_statseg*.html
	$(BIN)/cython -3 --annotate src/maglev/_statseg.pyx

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1
sanitize: $(STAMP)  ## the reader's tests, many more mutants, under AddressSanitizer and UndefinedBehaviorSanitizer
	CFLAGS="$(SANITIZE)" $(BIN)/python setup.py -q build --build-base build/sanitize --build-lib build/sanitize/lib
	PYTHONPATH=build/sanitize/lib PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 MAGLEV_TEST_MUTANTS=20000 \
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	$(BIN)/python -m pytest -p no:cacheprovider -o faulthandler_timeout=3600 tests/statseg $(PYTEST)

dist: $(STAMP)  ## wheel and sdist in dist/
	$(BIN)/python -m build

deb:  ## Debian packages in dist/, on Debian 12 or newer
	@/usr/bin/python3 debian/build.py

clean:  ## remove what make made
	rm -rf $(VENV) build dist src/*.egg-info src/maglev/_statseg.c src/maglev/_statseg*.html src/maglev/*.so \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
