# One command a job; the README and .ci/run call these.
PYTHON ?= python3
LOWEST_PYTHON ?= python3.11
VENV ?= .venv
VENV_LOWEST ?= .venv-lowest
BIN := $(VENV)/bin
# What tests need of the extras.
EXTRAS := plots,export,retrieve,parquet

.PHONY: example test bench bench-check lint types docs build-check test-lowest clean

example: $(VENV)/.example
	$(BIN)/python -m examples.movielens_genres run

# Two workers, each with whole files, so that what a file prepares is prepared once.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile

# All ratios, some 20 minutes on two cores; BENCH="--data FOLDER --weights NAME=FILE ..." for real data.
bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(BENCH)

# That each benchmark still runs, on next to nothing; its figures mean nothing.
bench-check: $(VENV)/.test
	$(BIN)/python -m benchmarks --out build/bench-check.json --images 40 --reference-images 40 \
		--weights MobileNet=random MobileNetV2=random --image-size 64 --epochs 1 --repeats 1 \
		--memory-images 40 80 --scale 0.01

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

# Imports from the installed wheel, in an empty folder, so that the source tree cannot help.
build-check: $(VENV)/.dev
	rm -rf dist build/wheel
	$(BIN)/python -m build --quiet
	$(BIN)/python -m pip install --quiet --no-deps --target build/wheel dist/*.whl
	cd build && PYTHONPATH=wheel TF_CPP_MIN_LOG_LEVEL=3 ../$(BIN)/python -c "\
	import multimodal_ensemble as m, pathlib; \
	assert pathlib.Path(m.__file__).parts[-3:-1] == ('wheel', 'multimodal_ensemble'), m.__file__; \
	assert pathlib.Path(m.__file__).with_name('py.typed').exists(); \
	[getattr(m, name) for name in m.__all__]; \
	print('The wheel imports, version', m.__version__)"

# The lowest versions that pyproject.toml allows, and the tests that take a moment each. Old
# versions are not warned of here for using what newer packages beside them deprecate.
test-lowest: $(VENV)/.dev
	test -d $(VENV_LOWEST) || $(LOWEST_PYTHON) -m venv $(VENV_LOWEST)
	$(BIN)/uv pip install --quiet --python $(VENV_LOWEST)/bin/python --resolution lowest-direct \
		--editable ".[$(EXTRAS)]" --group test
	$(VENV_LOWEST)/bin/python -m pytest -n 2 --dist loadfile -m "not slow" -W "ignore::DeprecationWarning"

clean:
	rm -rf build dist docs/_build docs/api/generated $(VENV) $(VENV_LOWEST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	# Dependency groups need pip 25.1.
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.example: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[plots]"
	touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]" --group test
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]" --group dev
	touch $@
