"""A training that was cut short goes on from its checkpoint, and ends where it would have ended."""

import json
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    DenseEncoder,
    FeatureStore,
    fit_model,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import CheckpointError, MultimodalEnsembleError
from multimodal_ensemble.training._checkpoint import read_checkpoint, read_checkpoint_metadata
from tests.fresh_process import FreshProcess
from tests.training.conftest import Problem

BATCHES = 8


class PowerCutError(Exception):
    pass


def cut_power(at):
    def cut(step):
        if step == at:
            raise PowerCutError

    return cut


def make(problem, *, images=False, store=None, seed=1, **options):
    """Return a new model with dropout wherever it can be, and new data sets."""
    encoders = [problem.numbers(head__dropout=0.3, head__input_dropout=0.1)]
    if images:
        encoders.append(problem.poster(head__dropout=0.2, head__scaling="standard"))
    else:
        other = problem.numbers(column="numbers", head__dropout=0.1)
        other.name = "figures"
        encoders.append(other)
    model = fuse_encoders(encoders, n_labels=3, dropout=0.2, modality_dropout=0.3, seed=seed)
    return model, *problem.datasets(*encoders, store=store, **options)


def fit(parts, **options):
    # With one slot for each variable, which has to be kept, too.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.5)
    options = {"optimizer": optimizer, "evaluate_every": 3, **options}
    return fit_model(*parts, verbose=0, **options)


def check_same_end(parts, result, expected_parts, expected):
    pd.testing.assert_frame_equal(
        result.history.drop(columns="seconds"),
        expected.history.drop(columns="seconds"),
        check_exact=True,
    )
    assert result.history["seconds"].is_monotonic_increasing
    assert (result.best_step, result.best_roc_auc) == (expected.best_step, expected.best_roc_auc)
    for one, other in zip(parts[0].weights, expected_parts[0].weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.mark.slow
@pytest.mark.parametrize("from_store", [False, True])
def test_a_cut_training_ends_where_an_uncut_one_ends(problem, spy, tmp_path, path, from_store):
    store = FeatureStore(tmp_path / "store", dtype="float32")
    parts = {"images": True, "store": store} if from_store else {}
    options = {"epochs": 30, "patience": 4}

    def fit_one(parts, **others):
        return fit(parts, optimizer=keras.optimizers.Adam(0.01), **options, **others)

    uncut = make(problem, **parts)
    expected = fit_one(uncut)
    n_batches = expected.history["step"].iloc[-1]
    assert 3 * BATCHES < n_batches < 30 * BATCHES, "it should stop early, but not too early"

    with pytest.raises(PowerCutError):
        fit_one(
            make(problem, **parts),
            checkpoint=path,
            callbacks=[spy(cut_power(2 * BATCHES + 5))],
        )
    assert read_checkpoint(path).about["epoch"] == 2
    resumed, steps = make(problem, seed=7, **parts), []
    result = fit_one(resumed, resume_from=path, callbacks=[spy(steps.append)])
    check_same_end(resumed, result, uncut, expected)
    assert len(steps) == n_batches - 2 * BATCHES

    ended, steps = make(problem, seed=7, **parts), []
    result = fit_one(ended, resume_from=path, callbacks=[spy(steps.append)])
    check_same_end(ended, result, uncut, expected)
    assert steps == []


CHILD = """
import sys
from tests.training.conftest import Problem
from tests.training.test_checkpoint import fit, make
fit(make(Problem()), epochs=100_000, patience=None, checkpoint=sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_process_is_taken_up_by_another(problem, path):
    child = FreshProcess(CHILD, path)
    try:
        deadline = time.monotonic() + 120
        while not (path.exists() and read_checkpoint(path).about["epoch"] >= 3):
            assert child.is_running, child.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    epochs = read_checkpoint(path).about["epoch"] + 2
    resumed, uncut = make(problem, seed=7), make(problem)
    result = fit(resumed, epochs=epochs, patience=None, resume_from=path)
    check_same_end(resumed, result, uncut, fit(uncut, epochs=epochs, patience=None))


def test_more_epochs_are_as_if_they_had_been_asked_for_at_once(problem, path):
    uncut, resumed = make(problem), make(problem)
    expected = fit(uncut, epochs=4, evaluate_every=5)
    options = {"evaluate_every": 5, "checkpoint_metadata": {"part": 1}}
    fit(resumed, epochs=2, checkpoint=path, **options)
    # The very same objects, as in a notebook.
    options["checkpoint_metadata"] = {"part": 2}
    result = fit(resumed, epochs=4, resume_from=path, **options)
    assert read_checkpoint_metadata(path) == {"part": 2}
    check_same_end(resumed, result, uncut, expected)
    assert result.seconds > result.history["seconds"].iloc[-1]


def test_passes_are_counted_on_from_earlier_trainings(problem, spy, path):
    uncut, cut = make(problem), make(problem)
    fit(uncut, epochs=1)
    expected = fit(uncut, epochs=3)
    fit(cut, epochs=1)
    start = cut[0].get_weights()
    with pytest.raises(PowerCutError):
        fit(cut, epochs=3, checkpoint=path, callbacks=[spy(cut_power(BATCHES + 3))])
    resumed = make(problem)
    resumed[0].set_weights(start)
    check_same_end(resumed, fit(resumed, epochs=3, resume_from=path), uncut, expected)
    order = uncut[1].peek(0).raw.index.tolist()
    assert resumed[1].peek(0).raw.index.tolist() == order
    # Also where nothing is left to train.
    ended = make(problem)
    check_same_end(ended, fit(ended, epochs=3, resume_from=path), uncut, expected)
    assert ended[1].peek(0).raw.index.tolist() == order


def test_all_that_an_optimizer_keeps_and_what_callbacks_do_to_it_is_resumed(problem, path):
    def options():
        return {
            # Its own list of variables lacks one.
            "optimizer": keras.optimizers.Nadam(use_ema=True),
            "callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)],
        }

    uncut, resumed = make(problem), make(problem, seed=7)
    expected = fit(uncut, epochs=3, **options())
    fit(make(problem), epochs=2, checkpoint=path, **options())
    result = fit(resumed, epochs=3, resume_from=path, **options())
    check_same_end(resumed, result, uncut, expected)


def test_another_file_may_be_written_on_resuming(problem, path, tmp_path):
    fit(make(problem), epochs=1, checkpoint=path, checkpoint_metadata={"stage": [1, None, "é"]})
    before = path.read_bytes()
    other = tmp_path / "new" / "other"
    fit(make(problem), epochs=2, resume_from=str(path), checkpoint=str(other))
    assert path.read_bytes() == before
    assert read_checkpoint(other).about["epoch"] == 2
    assert [file.name for file in sorted(tmp_path.rglob("*"))] == ["new", "other", path.name]
    assert read_checkpoint_metadata(str(other)) == {"stage": [1, None, "é"]}


def test_a_checkpoint_is_a_plain_archive_of_json_and_arrays(problem, path):
    fit(make(problem), epochs=1, checkpoint=path)
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("about.json"))
        assert set(archive.namelist()) == {"about.json"} | {
            f"{group}/{number}.npy"
            for group, size in about["arrays"].items()
            for number in range(size)
        }
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["best/0"].dtype == np.float32
    assert read_checkpoint_metadata(path) == {}


# -- what is refused, with the model untouched -------------------------------------------------


def check_refused(parts, error, match, **options):
    before = parts[0].get_weights()
    with pytest.raises(error, match=match):
        fit(parts, **options)
    for one, other in zip(parts[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "run.checkpoint"
    fit(make(Problem()), epochs=2, checkpoint=path)
    return path


@pytest.fixture(scope="module")
def untouched():
    """Return a model and data sets for the tests that change none of them."""
    return make(Problem())


def test_a_missing_file_is_said_to_be_missing(untouched, path):
    match = r"There is no checkpoint '.*run\.checkpoint'\. One is written at the end of each epoch"
    check_refused(untouched, FileNotFoundError, match, resume_from=path)
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        read_checkpoint_metadata(path)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped", "other archive"])
def test_a_file_that_is_not_a_checkpoint_or_damaged_is_refused(untouched, written, path, damage):
    whole = written.read_bytes()
    middle = len(whole) // 2
    if damage == "other archive":
        with path.open("wb") as file:
            np.savez(file, a=np.arange(3))
    else:
        path.write_bytes(
            {
                "empty": b"",
                "text": b"weights",
                "truncated": whole[:middle],
                "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            }[damage]
        )
    match = "is not a checkpoint, or it is damaged"
    check_refused(untouched, CheckpointError, match, resume_from=path)
    assert issubclass(CheckpointError, MultimodalEnsembleError)
    assert issubclass(CheckpointError, ValueError)


def test_a_file_of_a_later_format_is_refused(untouched, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("about.json", '{"format": 2}')
    match = "is of format 2, and this version of the package reads format 1"
    check_refused(untouched, CheckpointError, match, resume_from=path)


def test_another_model_is_refused(problem, written):
    _, train, validation = make(problem)
    plain = fuse_encoders(train.encoders, n_labels=3)
    match = r"of another training\. Model: \d+ variables are trained there, \d+ here\. Build the"
    check_refused((plain, train, validation), CheckpointError, match, resume_from=written)


def test_a_layer_of_another_size_is_refused(problem, written):
    def numbers(**options):
        encoder = DenseEncoder("numbers", head=DenseHead(9)).set_params(**options)
        return encoder.fit(problem.train["numbers"])

    problem.numbers = numbers
    match = r"Model: variable '.* \(4, 6\) float32' there, '.* \(4, 9\) float32' here"
    check_refused(make(problem), CheckpointError, match, resume_from=written)


def test_another_frozen_backbone_is_refused(problem, path):
    fit(make(problem, images=True), epochs=1, checkpoint=path)
    # It is not in the file, but its digest is.
    variables = read_checkpoint(path).about["identity"]["model"]["variables"]
    assert any("seed_generator_state" in name for name in variables)
    assert not [name for name in variables if "conv2d" in name]
    parts = make(problem, images=True)
    kernel = parts[1].encoders[1].get_backbone().weights[0]
    kernel.assign(kernel.numpy() + 1)
    match = "Model: frozen weights not the same"
    check_refused(parts, CheckpointError, match, resume_from=path)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 16}, "Training rows: batch_size 8 there, 16 here"),
        ({"sample_weight": np.arange(60)}, "Training rows: sample_weight not the same"),
        ({"seed": 2}, "Training rows: seed 1 there, 2 here"),
    ],
)
def test_other_training_data_are_refused(problem, written, options, match):
    if "seed" in options:
        model, *_ = make(problem)
        parts = model, *problem.datasets(*make(problem)[1].encoders, **options)
    else:
        parts = make(problem, **options)
    check_refused(parts, CheckpointError, match, resume_from=written)


@pytest.mark.parametrize("which", ["training", "validation"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("fewer", "{} rows: number of rows {n} there, 30 here"),
        ("y", "{} rows: y not the same"),
    ],
)
def test_other_rows_are_refused(problem, written, which, change, match):
    name = "train" if which == "training" else which
    n_rows = 60 if which == "training" else 40
    if change == "fewer":
        setattr(problem, name, {k: v[:30] for k, v in getattr(problem, name).items()})
        setattr(problem, f"y_{name}", getattr(problem, f"y_{name}")[:30])
    else:
        getattr(problem, f"y_{name}")[3, 1] ^= 1
    match = (
        match.format(which.capitalize(), n=n_rows)
        + rf"\. Make the {which} data set as it was made then"
    )
    check_refused(make(problem), CheckpointError, match, resume_from=written)


def test_other_labels_are_refused(problem, written):
    model, train, validation = make(problem)
    train.labels = validation.labels = ["first", "second", "other"]
    match = "Training rows: labels .*'third'.* there, .*'other'.* here"
    check_refused((model, train, validation), CheckpointError, match, resume_from=written)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"optimizer": "adam"},
            r"Optimizer: class 'SGD' there, 'Adam' here\. Pass the same optimizer",
        ),
        (
            {"optimizer": keras.optimizers.SGD(0.1)},
            "Optimizer: SGD has other variables than it had there",
        ),
        ({"loss": "mse"}, "Loss: name 'binary_crossentropy' there, 'mse' here"),
        ({"label_weight": [1, 2, 3]}, "Loss: name .* there, 'LabelWeightedCrossentropy"),
        ({"epochs": 1}, r"written after epoch 2\. Received epochs=1; pass epochs=2 or more"),
    ],
)
def test_another_way_to_train_is_refused(untouched, written, options, match):
    check_refused(untouched, CheckpointError, match, resume_from=written, **options)


def test_other_label_weights_are_refused(problem, path):
    fit(make(problem), epochs=1, checkpoint=path, label_weight=[1, 2, 3])
    options = {"resume_from": path, "epochs": 2}
    match = r"Loss: positive_weight \[1.0, 2.0, 3.0\] there, \[1.0, 2.0, 4.0\]"
    check_refused(make(problem), CheckpointError, match, label_weight=[1, 2, 4], **options)
    fit(make(problem), label_weight={"second": 2, "third": 3}, **options)


def test_metadata_must_be_json_and_have_a_checkpoint(untouched, path):
    match = r"must be a mapping of what JSON knows.*Received {'a': \{1\}}"
    options = {"checkpoint": path, "checkpoint_metadata": {"a": {1}}}
    check_refused(untouched, TypeError, match, **options)
    match = r"written into a checkpoint; pass checkpoint="
    check_refused(untouched, ValueError, match, checkpoint_metadata={})


def test_no_other_file_is_overwritten(untouched, path):
    path.write_bytes(b"a life's work")
    match = r"run.checkpoint' is not a checkpoint, and training would write one in its place"
    check_refused(untouched, CheckpointError, match, checkpoint=path)
    assert path.read_bytes() == b"a life's work"


@pytest.mark.parametrize("where", ["a folder", "in a file"])
def test_a_place_that_cannot_be_written_to_is_found_before_training(untouched, tmp_path, where):
    (tmp_path / "file").touch()
    path = tmp_path if where == "a folder" else tmp_path / "file" / "run"
    match = r"cannot be written: .*\. Nothing was trained\. Pass a file in a folder that can be"
    check_refused(untouched, OSError, match, checkpoint=path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("evaluate_every", [3, 1000])
def test_a_full_disk_stops_training_and_keeps_the_last_checkpoint(
    problem, spy, path, evaluate_every
):
    parts, best = make(problem), {}

    def fill(step):
        best[step] = parts[0].get_weights()
        if step == BATCHES + 1:
            path.with_name(f".{path.name}.tmp").symlink_to("/dev/full")

    match = (
        r"Training stopped after epoch 2, because the checkpoint '.*' cannot be written: No space "
        r"left on device\. (The model has the weights of batch|No scoring was made).*The file "
        r"holds epoch 1\. Make room, or pass"
    )
    with pytest.raises(OSError, match=match):
        fit(
            parts,
            epochs=5,
            evaluate_every=evaluate_every,
            checkpoint=path,
            callbacks=[spy(fill)],
        )
    scoring = read_checkpoint(path).about["scoring"]
    assert scoring["step"] == BATCHES
    assert list(path.parent.iterdir()) == [path]
    if evaluate_every == 3:
        assert any(
            all(map(np.array_equal, parts[0].get_weights(), weights)) for weights in best.values()
        )
    assert len(best) == 2 * BATCHES
