# One command per job; the README and .ci/run call these.
PYTHON ?= python3
LOWEST_PYTHON ?= python3.11
VENV ?= .venv
VENV_LOWEST ?= .venv-lowest
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
# The extras that the tests need, with the lowest versions too.
EXTRAS := plots,export,parquet,tune,remote,completion,serve
# KerasHub needs a newer Keras than the lowest.
ALL_EXTRAS := $(EXTRAS),text
# The requirements of the command `retrieve` of the MovieLens example, for its tests.
RETRIEVE := examples/movielens_genres/retrieval/requirements.txt
# The icons, and what draws them.
ICONS := examples/icon_categories/requirements.txt

# The accessibility checker of the tests of pages, which npm installs.
AXE := node_modules/axe-core/axe.min.js

# Python keeps compiled modules, wherever the environment says otherwise: uv does not compile what it
# installs, and each of some hundred processes would compile TensorFlow again, for about 15 seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: browser example icons test test-slow bench bench-check stress lint types docs build-check release-check test-lowest clean

example: $(VENV)/.example
	$(BIN)/python -m examples.movielens_genres run

icons: $(VENV)/.icons
	$(BIN)/python -m examples.icon_categories run

# Two workers run whole files, so that the fixtures of a file are set up only once. Files keep their
# order: sorted by their number of tests, a few long tests would come last and keep one worker busy.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test
	$(BIN)/python $(PYTEST) -m "not slow"

# What takes longest: other processes, kills, exports, random attempts and long trainings.
test-slow: $(VENV)/.test
	$(BIN)/python $(PYTEST) -m slow $$(grep -rl "mark\.slow" tests)

# Chromium and axe-core for the tests of pages. Where they cannot be installed, without a network or
# rights, those tests are skipped with the reason.
browser:
	@for package in chromium npm; do \
		command -v $$package >/dev/null || { apt-get update --quiet=2 && \
		apt-get install --quiet=2 --yes --no-install-recommends $$package; } || exit 1; done || \
		echo "Chromium cannot be installed; the tests of pages in a browser are skipped."
	@test -f $(AXE) || npm install --silent --no-save --no-package-lock --fetch-retries=0 axe-core@4 || \
		echo "axe-core cannot be installed; the tests of pages in a browser are skipped."

# All ratios; about 25 minutes on two cores. BENCH="--data FOLDER --weights NAME=FILE ..." uses real data.
bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(BENCH)

# Checks on tiny data that benchmarks run, all groups but "processor"; the figures are meaningless.
bench-check: $(VENV)/.test
	$(BIN)/python -m benchmarks --out build/bench-check.json --images 40 --reference-images 40 \
		--weights MobileNet=random --image-size 32 --epochs 1 --repeats 1 --one-process \
		--memory-images 40 40 --scale 0.01 --only metrics import loading models store dask memory rows \
		fits retrieval preparation ensemble lazy serving

# Attempts to break the library at random, with counts; about ten minutes on two cores.
stress: $(VENV)/.test $(VENV_LOWEST)/.test
	$(BIN)/python -m benchmarks.stress.kills --kills 300
	$(BIN)/python -m benchmarks.stress.damage --stores 300
	$(BIN)/python -m benchmarks.stress.hostile_files --files 200
	$(VENV_LOWEST)/bin/python -m benchmarks.stress.hostile_files --files 200
	$(BIN)/python -m benchmarks.stress.threads --fits 50
	RANDOM_EXAMPLES=1 ARTEFACT_FUZZ_EXAMPLES=1000 IMAGE_FUZZ_EXAMPLES=1000 $(BIN)/python $(PYTEST) -k "random or fuzz"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/.dev
	$(BIN)/mypy

# From scratch (-E): warnings about pages that are not read again would be lost.
docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

# Imports the installed wheel from another folder, so that the source tree is not used. The
# requirements of each extra are resolved, and only `release-check` installs them.
build-check: $(VENV)/.dev
	rm -rf dist build/wheel
	$(BIN)/python -m build --installer uv --quiet
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m pip install --quiet --no-deps --target build/wheel dist/*.whl
	cd build && PYTHONPATH=wheel TF_CPP_MIN_LOG_LEVEL=3 ../$(BIN)/python -c "\
	import multimodal_ensemble as m, pathlib; \
	assert pathlib.Path(m.__file__).parts[-3:-1] == ('wheel', 'multimodal_ensemble'), m.__file__; \
	assert pathlib.Path(m.__file__).with_name('py.typed').exists(); \
	[getattr(m, name) for name in m.__all__]; \
	print('The wheel imports, version', m.__version__)"
	$(BIN)/python -m tests.install_wheel dist/*.whl

# Before a release: the wheel with each extra in an environment of its own, and what the extra is for.
release-check: build-check
	$(BIN)/python -m tests.install_wheel --complete dist/*.whl

# What runs with the lowest versions: the examples of all docstrings, and whatever touches the interface
# of a dependency: TensorFlow and Keras (encoders, fusion, training, saving), scikit-learn and SciPy
# (estimators, linear, metrics, model_selection, with Optuna), joblib (features), pandas and pyarrow
# (generators, labels, tables), Pillow and fsspec (images), matplotlib (reporting, explanation),
# Starlette and Uvicorn (serving), tf2onnx (export), shtab (cli), HTTPX (retrieval). Of the folders
# that train networks for minutes, these are the files that differ in what they call.
LOWEST_FOLDERS := generators images linear metrics model_selection reporting saving serving
LOWEST_FILES := $(addsuffix .py,$(addprefix test_,labels tables target validation) \
	$(addprefix encoders/test_,applications category_encoder date_encoder dense_encoder dense_head fold_normalisation \
		infer_encoders inference_model layers numbers split_backbone) \
	$(addprefix fusion/test_,calibration_layers fuse_encoders load_model parts) \
	$(addprefix training/test_,asymmetric_loss fit_model predict_scores run_epochs) \
	$(addprefix features/test_,compute_dtype feature_store fingerprint frozen_pass half_precision joblib_backend) \
	$(addprefix estimators/test_,ensemble_conventions export load_estimator rows \
		scikit_learn_conventions target_column) \
	explanation/test_image_maps $(addprefix cli/test_,from_csv row_reader start) \
	$(addprefix examples/,test_manifest test_tables retrieval/test_command))

# Files of these folders that compare our own arithmetic with brute force, or try random input.
LOWEST_LEFT_OUT := $(addsuffix .py,$(addprefix --ignore=tests/, \
	$(addprefix metrics/test_,memory normal_interval resample_scores thresholds) \
	$(addprefix model_selection/test_,comparison_result multilabel_stratified_k_fold \
		stratified_holdout) \
	$(addprefix generators/test_,augmented_batches missing_modalities) \
	saving/test_archive_fuzz images/test_image_fuzz linear/test_class_scaling))

# Old versions may use features that newer packages deprecate, so deprecation warnings are ignored.
# The lowest Hypothesis now and then warns of its own random generator ("It looks like
# `register_random` was passed ...").
test-lowest: $(VENV_LOWEST)/.test
	$(VENV_LOWEST)/bin/python $(PYTEST) -m "not slow" \
		src $(addprefix tests/,$(LOWEST_FOLDERS) $(LOWEST_FILES)) $(LOWEST_LEFT_OUT) \
		-W "ignore::DeprecationWarning" -W "ignore:It looks like"

clean:
	rm -rf build dist docs/_build docs/api/generated docs/pictures node_modules $(VENV) $(VENV_LOWEST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	# It installs the same packages as pip in a quarter of the time.
	$(BIN)/python -m pip install --quiet "uv>=0.5"

$(VENV)/.example: pyproject.toml | $(BIN)/python
	$(INSTALL) --editable ".[plots]"
	touch $@

$(VENV)/.icons: pyproject.toml $(ICONS) | $(BIN)/python
	$(INSTALL) --editable . --requirements $(ICONS)
	touch $@

$(VENV)/.test: pyproject.toml $(RETRIEVE) | $(BIN)/python
	$(INSTALL) --editable ".[$(ALL_EXTRAS)]" --group test --requirements $(RETRIEVE)
	touch $@

# The gallery of the documentation shows the icons.
$(VENV)/.dev: pyproject.toml $(RETRIEVE) $(ICONS) | $(BIN)/python
	$(INSTALL) --editable ".[$(ALL_EXTRAS)]" --group dev --requirements $(RETRIEVE) \
		--requirements $(ICONS)
	touch $@

$(VENV_LOWEST)/.test: pyproject.toml $(RETRIEVE) | $(BIN)/python
	test -d $(VENV_LOWEST) || $(LOWEST_PYTHON) -m venv $(VENV_LOWEST)
	$(BIN)/uv pip install --quiet --python $(VENV_LOWEST)/bin/python --resolution lowest-direct \
		--editable ".[$(EXTRAS)]" --group test --requirements $(RETRIEVE)
	touch $@
