# Every target sets itself up in .venv from the versions pinned in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread for each process, and memory that is kept instead of given back after
# each step: both make training on a CPU several times faster.
TRAIN_ENV := MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824 \
	MALLOC_TOP_PAD_=268435456 OMP_WAIT_POLICY=passive

.PHONY: demo test check bench docs fix clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

## demo: train a teacher, distil a student, evaluate both, classify recordings.
## DATA=FOLDER uses real recordings instead of simulated ones.
demo: $(READY)
	$(TRAIN_ENV) $(BIN)/seacall demo -o demo $(if $(DATA),--data $(DATA))

## test: all tests, on all cores.
test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal

## check: style, types, imports, spelling, generated docs.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md docs src tests bench
	$(BIN)/cog --check README.md docs/*.md

## bench: seacall beside a plain librosa and torch pipeline, in one run.
bench: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m bench

## docs: write the generated parts of the documents again.
docs: $(READY)
	$(BIN)/cog -r README.md docs/*.md

## fix: format, and mend what ruff can.
fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
