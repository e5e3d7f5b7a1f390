# Each target makes what it needs, from a Python >= 3.11 alone. `make reproduce PYTHON=/path/to/python` to choose another.
.PHONY: reproduce quick test test-all test-oldest bench check clean
.DELETE_ON_ERROR:

# The newest Python from 3.11 to 3.14 that really runs, on the PATH or under pyenv; $(call newest,3.11 3.11) narrows it.
newest = $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 \
	$$(ls -d "$$(pyenv root 2>/dev/null)"/versions/*/bin/python3 2>/dev/null); do \
	"$$python" -c 'import ensurepip, sys, venv; v = sys.version_info[:2]; \
	low, high = (tuple(map(int, s.split("."))) for s in "$(1)".split()); \
	low <= v <= high and print("%d.%02d" % v, sys.executable)' 2>/dev/null; done | sort -r | head -n 1 | cut -d " " -f 2)

VENV ?= .venv
PYTHON ?= $(call newest,3.11 3.14)
RUN := $(VENV)/bin/python
TESTS ?=

reproduce: $(VENV)/installed
	$(RUN) -m experiments

quick: $(VENV)/installed
	$(RUN) -m experiments --quick

bench: $(VENV)/installed
	$(RUN) -m benchmarks

# A file at a time to a worker, since its tests share what is compiled and what is made for them; the most expensive first.
FILES := -n 2 --dist loadfile --no-loadscope-reorder
test: $(VENV)/installed-test
	$(RUN) -m pytest $(FILES) $(TESTS)

# The expensive tests too.
test-all: $(VENV)/installed-test
	$(RUN) -m pytest $(FILES) -m "" $(TESTS)

# The tests of `make test` on the oldest supported JAX, which is the one that Python 3.11 gets.
test-oldest:
	@python="$(call newest,3.11 3.11)"; \
	if [ -z "$$python" ]; then echo "no Python 3.11 here: the oldest JAX was not tested"; \
	else $(MAKE) test VENV=.venv-oldest PYTHON="$$python"; fi

check: $(VENV)/installed-test
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(VENV)/bin/basedpyright --pythonpath $(RUN)

clean:
	rm -rf .venv .venv-oldest .pytest_cache results

$(VENV)/installed: pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "no Python from 3.11 to 3.14 was found: install one, or name it with PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable . --constraint constraints.txt
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable ".[test]" --constraint constraints.txt
	@touch $@
