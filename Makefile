# Each target makes .venv by itself; nothing needs to be installed by hand but Python (>= 3.11), git and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Rows of the acceptance table to run: make test-faults ROWS=6,12
ROWS ?= all

.PHONY: demo test lint types contracts pytest test-faults test-slow test-gpu break-learning bench bench-gpu screenshots generate clean

demo: $(READY)
	$(BIN)/dbtui demo

test: lint types contracts pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

pytest: $(READY)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-faults: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --faults=$(ROWS)

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

test-gpu: $(READY)
	$(BIN)/python -m pytest -m gpu

break-learning: $(READY)
	$(BIN)/python tools/break_learning.py

bench: $(READY)
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/vs_diffusers.py
	$(BIN)/python benchmarks/checkpoint.py
	$(BIN)/python benchmarks/cpu.py

bench-gpu: $(READY)
	$(BIN)/python benchmarks/gpu.py

screenshots: $(READY)
	$(BIN)/python tools/screenshots.py

generate: $(READY)
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python -m tests.faults.page

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache runs
