"""A training that resumes from a checkpoint ends exactly like an uninterrupted one."""

import errno
import functools
import json
import os
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import fbeta_score

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
    fuse_encoders,
)
from multimodal_ensemble._half_precision import from_half, to_half
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import CheckpointError, MultimodalEnsembleError
from multimodal_ensemble.saving import read_archive, write_archive
from multimodal_ensemble.training import read_checkpoint_metadata
from multimodal_ensemble.training._checkpoint import read_checkpoint
from multimodal_ensemble.training._identity import _is_half_precision, identify_training
from multimodal_ensemble.training._identity_differences import check_same_training
from multimodal_ensemble.training._predict_scores import model_for_dataset
from tests.fresh_process import FreshProcess
from tests.toys import draw_pixels, make_network, make_poster, write_images
from tests.training.conftest import Problem, Training

BATCHES = 8


class PowerCutError(Exception):
    pass


def cut_power(at):
    def cut(step):
        if step == at:
            raise PowerCutError

    return cut


def make(problem, *, images=False, store=None, seed=1, **options):
    """Return a new model with dropout wherever possible, and new data sets."""
    encoders = [problem.numbers(dropout=0.3, input_dropout=0.1)]
    if images:
        encoders.append(problem.poster(dropout=0.2, scaling="standard"))
    else:
        encoders.append(problem.numbers("figures", dropout=0.1))
    fusion = {"dropout": 0.2, "modality_dropout": 0.3, "seed": seed}
    return problem.prepare(*encoders, store=store, fusion=fusion, **options)


def make_small(problem, *, seed=1):
    """Return a new model of one encoder, whose graph is traced faster, and new data sets."""
    numbers = problem.numbers(dropout=0.3, input_dropout=0.1)
    return problem.prepare(numbers, fusion={"dropout": 0.2, "seed": seed})


def fit(training, **options):
    # Momentum has one slot per variable, which the checkpoint must also hold.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.5)
    return training.fit(**{"optimizer": optimizer, "evaluate_every": 3, **options})


def check_same_end(training, result, expected_training, expected):
    pd.testing.assert_frame_equal(
        result.history.drop(columns="seconds"),
        expected.history.drop(columns="seconds"),
        check_exact=True,
    )
    assert result.history["seconds"].is_monotonic_increasing
    assert (result.best_step, result.best_roc_auc) == (expected.best_step, expected.best_roc_auc)
    pairs = zip(training.model.weights, expected_training.model.weights, strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.mark.slow
def test_a_resumed_training_ends_like_an_uninterrupted_one(problem, spy, store, path):
    parts = {"images": True, "store": store}
    options = {"epochs": 60, "patience": 4}

    def fit_one(parts, **others):
        return fit(parts, optimizer=keras.optimizers.Adam(0.05), **options, **others)

    uncut = make(problem, **parts)
    expected = fit_one(uncut)
    n_batches = expected.history["step"].iloc[-1]
    assert 3 * BATCHES < n_batches < 60 * BATCHES, (
        "the training must stop early, but not in the first epochs"
    )

    with pytest.raises(PowerCutError):
        fit_one(
            make(problem, **parts),
            checkpoint=path,
            callbacks=[spy(cut_power(2 * BATCHES + 5))],
        )
    assert read_checkpoint(path).epoch == 2
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
def test_another_process_resumes_the_training_of_a_killed_one(problem, path):
    child = FreshProcess(CHILD, path)
    try:
        deadline = time.monotonic() + 120
        while not (path.exists() and read_checkpoint(path).epoch >= 3):
            assert child.is_running, child.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    epochs = read_checkpoint(path).epoch + 2
    resumed, uncut = make(problem, seed=7), make(problem)
    result = fit(resumed, epochs=epochs, patience=None, resume_from=path)
    check_same_end(resumed, result, uncut, fit(uncut, epochs=epochs, patience=None))


@pytest.mark.slow
def test_more_epochs_on_resuming_equal_more_epochs_from_the_start(problem, path):
    uncut, resumed = make(problem), make(problem)
    expected = fit(uncut, epochs=4, evaluate_every=5)
    options = {"evaluate_every": 5, "checkpoint_metadata": {"part": 1}}
    fit(resumed, epochs=2, checkpoint=path, **options)
    # The same objects are used again, as in a notebook.
    options["checkpoint_metadata"] = {"part": 2}
    result = fit(resumed, epochs=4, resume_from=path, **options)
    assert read_checkpoint_metadata(path) == {"part": 2}
    check_same_end(resumed, result, uncut, expected)
    assert result.seconds > result.history["seconds"].iloc[-1]


@pytest.mark.slow
def test_resuming_continues_the_count_of_passes(problem, spy, path):
    uncut, cut = make_small(problem), make_small(problem)
    fit(uncut, epochs=1)
    expected = fit(uncut, epochs=3)
    fit(cut, epochs=1)
    start = cut.model.get_weights()
    with pytest.raises(PowerCutError):
        fit(cut, epochs=3, checkpoint=path, callbacks=[spy(cut_power(BATCHES + 3))])
    resumed = make_small(problem)
    resumed.model.set_weights(start)
    check_same_end(resumed, fit(resumed, epochs=3, resume_from=path), uncut, expected)
    order = uncut.train.peek(0).raw.index.tolist()
    assert resumed.train.peek(0).raw.index.tolist() == order
    # The same holds if nothing is left to train.
    ended = make_small(problem)
    check_same_end(ended, fit(ended, epochs=3, resume_from=path), uncut, expected)
    assert ended.train.peek(0).raw.index.tolist() == order


@pytest.mark.slow
def test_all_state_of_an_optimizer_is_resumed(problem, path):
    def options():
        return {
            # Nadam has a variable that is not in its list of variables.
            "optimizer": keras.optimizers.Nadam(use_ema=True),
            "callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)],
        }

    uncut, resumed = make_small(problem), make_small(problem, seed=7)
    expected = fit(uncut, epochs=3, **options())
    fit(make_small(problem), epochs=2, checkpoint=path, **options())
    result = fit(resumed, epochs=3, resume_from=path, **options())
    check_same_end(resumed, result, uncut, expected)


@pytest.mark.slow
def test_resuming_may_write_another_file(problem, path, tmp_path):
    fit(
        make_small(problem),
        epochs=1,
        checkpoint=path,
        checkpoint_metadata={"stage": [1, None, "é"]},
    )
    before = path.read_bytes()
    other = tmp_path / "new" / "other"
    fit(make_small(problem), epochs=2, resume_from=str(path), checkpoint=str(other))
    assert path.read_bytes() == before
    assert read_checkpoint(other).epoch == 2
    assert [file.name for file in sorted(tmp_path.rglob("*"))] == ["new", "other", path.name]
    assert read_checkpoint_metadata(str(other)) == {"stage": [1, None, "é"]}


def test_a_checkpoint_is_a_plain_archive_of_json_and_arrays(written):
    with zipfile.ZipFile(written) as archive:
        document = json.loads(archive.read("manifest.json"))
    assert (document["format"], document["epoch"]) == ("multimodal_ensemble checkpoint", 2)
    with np.load(written, allow_pickle=False) as arrays:
        assert arrays["arrays/evaluation/0"].dtype == np.float32
    assert read_checkpoint_metadata(written) == {}


@pytest.mark.slow
def test_two_trainings_may_write_one_checkpoint_at_the_same_time(problem, path):
    other = Problem()

    def write_between(epoch, logs):
        fit(make_small(other, seed=2), epochs=1, checkpoint=path)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=write_between)
    fit(make_small(problem), epochs=2, checkpoint=path, callbacks=[callback])
    assert read_checkpoint(path).epoch == 2
    assert list(path.parent.iterdir()) == [path]


# -- refused without any change to the model --------------------------------------------------


def check_refused(training, error, match, **options):
    before = training.model.get_weights()
    with pytest.raises(error, match=match):
        fit(training, **options)
    for one, other in zip(training.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "run.checkpoint"
    fit(make(Problem()), epochs=2, checkpoint=path)
    return path


@pytest.fixture(scope="module")
def untouched():
    """Return a training for the tests that do not change it."""
    return make(Problem())


def test_an_absent_file_is_reported(untouched, path):
    match = r"There is no checkpoint '.*run\.checkpoint'\. Training writes one at the end of each"
    check_refused(untouched, FileNotFoundError, match, resume_from=path)
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        read_checkpoint_metadata(path)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped", "other archive"])
def test_a_damaged_file_or_another_file_is_refused(untouched, written, path, damage):
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
    match = r"cannot be loaded: .*Resume from another checkpoint, or start again without resume_"
    check_refused(untouched, CheckpointError, match, resume_from=path)
    assert issubclass(CheckpointError, MultimodalEnsembleError)
    assert issubclass(CheckpointError, ValueError)


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ({"format": "other"}, "does not have the format 'multimodal_ensemble checkpoint'"),
        ({"format_version": 2}, "in version 2 of its format; this version reads up to 1"),
        ({"epoch": "two"}, "do not fit together .epoch must be of type int, not str"),
        ({"stopped": 0}, "do not fit together .stopped must be of type bool, not int"),
        ({"metadata": []}, "do not fit together .metadata must be of type dict, not list"),
        ({"model": [1, 2]}, "do not fit together .model must be a list of arrays"),
        ({"optimizer": {"array": "x"}}, "lacks the array 'x'"),
        ({"identity": {"other": 1}}, "do not fit together .The saved state is damaged"),
        (
            {"identity": {"dict": {"model": 3}}},
            "another training. Model: inputs is None",
        ),
        (
            {"evaluation": {"dict": {}}},
            "its evaluation is malformed: KeyError.'losses'",
        ),
        ({"model": []}, "is damaged: its weights do not fit the model"),
        (
            # As arrays, these strings would take 400 GB.
            {"evaluation": {"dict": {"best_weights": [["a" * 10**6, *["b"] * 10**5]]}}},
            "do not fit together .best_weights must be a list of arrays",
        ),
        ({"next_pass": {"int": "0x" + "f" * 10**4}}, "and pass .* are impossible|4300 digits"),
    ],
)
def test_a_checkpoint_with_other_values_is_refused(untouched, written, path, document, match):
    rewrite(written, path, document)
    check_refused(untouched, CheckpointError, match, resume_from=path, epochs=2)


@pytest.mark.parametrize(
    "name", ["metadata", "identity", "epoch", "next_pass", "stopped", "evaluation", "model"]
)
def test_a_checkpoint_that_lacks_a_value_is_refused(untouched, written, path, name):
    rewrite(written, path, {name: None}, remove=True)
    match = f"its parts do not fit together .it lacks '{name}'"
    check_refused(untouched, CheckpointError, match, resume_from=path, epochs=2)


@pytest.mark.parametrize("key", ["losses", "step", "epoch", "history", "best_weights", "seconds"])
def test_a_checkpoint_whose_evaluation_lacks_a_value_is_refused(untouched, written, path, key):
    def remove(document):
        del document["evaluation"]["dict"][key]

    rewrite(written, path, change=remove)
    match = f"its evaluation is malformed: KeyError.'{key}'"
    check_refused(untouched, CheckpointError, match, resume_from=path, epochs=2)


def rewrite(source, path, values=(), *, remove=False, change=lambda document: None):
    """Copy a checkpoint with other values in its document, or without them."""
    name = "multimodal_ensemble checkpoint"
    document, arrays = read_archive(source, format_name=name, max_version=1)
    with arrays:
        values = dict(values)
        document = {k: v for k, v in document.items() if k not in values}
        change(document)
        write_archive(
            path,
            document if remove else {**document, **values},
            {name: arrays[name] for name in arrays},
        )


def test_another_model_is_refused(problem, written):
    made = make(problem)
    plain = problem.prepare(*made.train.encoders).model
    match = r"another training\. Model: \d+ variables are trained in the checkpoint, \d+ here"
    check_refused(
        Training(plain, made.train, made.validation), CheckpointError, match, resume_from=written
    )


def test_a_layer_of_another_size_is_refused(problem, written):
    problem.numbers = functools.partial(problem.numbers, units=9)
    match = (
        r"Model: variable is '.* \(4, 6\) float32' in the checkpoint, '.* \(4, 9\) float32' here"
    )
    check_refused(make(problem), CheckpointError, match, resume_from=written)


def test_another_frozen_backbone_is_refused():
    poster, data = make_poster(), {"poster": list(draw_pixels(4, 9, 9, 3))}
    one = identify([poster], data, np.eye(4))
    # A checkpoint holds the digest of the backbone, but not its weights.
    variables = one["model"]["variables"]
    assert any("seed_generator_state" in name for name in variables)
    assert not [name for name in variables if "conv2d" in name]
    kernel = poster.get_backbone().weights[0]
    kernel.assign(kernel.numpy() + 1)
    check_differs(one, identify([poster], data, np.eye(4)), "Model: frozen weights differs")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 16}, "Training rows: batch_size is 8 in the checkpoint, 16 here"),
        ({"sample_weight": np.arange(64)}, "Training rows: sample_weight differs"),
        ({"seed": 2}, "Training rows: seed is 1 in the checkpoint, 2 here"),
    ],
)
def test_other_training_data_are_refused(problem, written, options, match):
    training = make(problem)
    training.train, _ = problem.datasets(*training.train.encoders, **options)
    check_refused(training, CheckpointError, match, resume_from=written)


@pytest.mark.parametrize("which", ["training", "validation"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("fewer", "{} rows: number of rows is {n} in the checkpoint, 30 here"),
        ("y", "{} rows: y differs"),
    ],
)
def test_other_rows_are_refused(problem, written, which, change, match):
    name = "train" if which == "training" else which
    n_rows = 64 if which == "training" else 40
    if change == "fewer":
        setattr(problem, name, {k: v[:30] for k, v in getattr(problem, name).items()})
        setattr(problem, f"y_{name}", getattr(problem, f"y_{name}")[:30])
    else:
        getattr(problem, f"y_{name}")[3, 1] ^= 1
    match = match.format(which.capitalize(), n=n_rows) + rf"\. Make the {which} data set as before"
    check_refused(make(problem), CheckpointError, match, resume_from=written)


def test_other_labels_are_refused(problem, written):
    training = make(problem)
    training.train.labels = training.validation.labels = ["first", "second", "other"]
    match = "Training rows: labels is .*'third'.* in the checkpoint, .*'other'.* here"
    check_refused(training, CheckpointError, match, resume_from=written)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"optimizer": "adam"},
            r"Optimizer: class is 'SGD' in the checkpoint, 'Adam' here\. Pass the same optimizer",
        ),
        (
            {"optimizer": keras.optimizers.SGD(0.1)},
            r"Optimizer: momentum is 0\.5 in the checkpoint, 0\.0 here",
        ),
        ({"loss": "mse"}, "Loss: name is 'binary_crossentropy' in the checkpoint, 'mse' here"),
        (
            {"label_weight": [1, 2, 3]},
            "Loss: name is .*, 'LabelWeightedCrossentropy",
        ),
        ({"epochs": 1}, r"written after epoch 2\. Received epochs=1; pass epochs=2 or more"),
    ],
)
def test_other_options_of_training_are_refused(untouched, written, options, match):
    check_refused(untouched, CheckpointError, match, resume_from=written, **options)


def test_other_label_weights_are_refused(problem, path):
    fit(make_small(problem), epochs=1, checkpoint=path, label_weight=[1, 2, 3])
    # Nothing is left to train.
    options = {"resume_from": path, "epochs": 1}
    match = r"Loss: positive_weight is \[1.0, 2.0, 3.0\] in the checkpoint, \[1.0, 2.0, 4.0\]"
    resumed = make_small(problem)
    check_refused(resumed, CheckpointError, match, label_weight=[1, 2, 4], **options)
    fit(resumed, label_weight={"second": 2, "third": 3}, **options)


def identify(encoders, data, y, *, loss="mse", monitor="loss", optimizer="sgd", **options):
    """Return the identity of a training, without any training."""
    rows = MultimodalDataset(data, encoders, y, **{"shuffle": True, "verbose": 0, **options})
    model = fuse_encoders(encoders, rows.y.shape[1], seed=1)
    return identify_training(
        model,
        model_for_dataset(model, rows),
        (rows, rows),
        optimizer=keras.optimizers.get(optimizer),
        loss=loss,
        evaluation={"monitor": monitor},
    )


def check_differs(one, other, match):
    check_same_training(one, one, path=Path("run"))
    with pytest.raises(CheckpointError, match=match):
        check_same_training(one, other, path=Path("run"))


CHANGES = {
    "shuffled": lambda numbers: numbers[::-1],
    "one value": lambda numbers: [numbers[0] + 1e-6, *numbers[1:]],
    "two rows swapped": lambda numbers: [numbers[1], numbers[0], *numbers[2:]],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", ["train", "validation"])
def test_other_values_are_refused(problem, untouched, written, which, change):
    data = getattr(problem, which)
    data["numbers"] = CHANGES[change](data["numbers"])
    parts = problem.datasets(*untouched.train.encoders)
    what = "Training" if which == "train" else "Validation"
    match = f"{what} rows: content of 'numbers' differs. Make the"
    check_refused(
        Training(untouched.model, *parts), CheckpointError, match, resume_from=written, epochs=2
    )


def test_encoders_that_learned_something_else_are_refused(problem, written):
    # The encoded rows are almost the same.
    for data in (problem.train, problem.validation):
        data["numbers"] = [2 * row for row in data["numbers"]]
    check_refused(
        make(problem), CheckpointError, "ncoders: mean_ of 'numbers' differs", resume_from=written
    )


def test_another_vocabulary_of_the_same_size_is_refused():
    def identify_tags(rows):
        tags = BagOfWordsEncoder("tags").fit(rows)
        return identify([tags], {"tags": rows}, [[0], [1], [1]])

    one = identify_tags([["war"], ["war", "love"], []])
    check_differs(
        one,
        identify_tags([["sea"], ["sea", "love"], []]),
        "Encoders: vocabulary_ of 'tags' differs",
    )


def test_names_that_keras_gives_to_layers_make_no_difference():
    def identify_heads(name):
        # Keras numbers layers without a name through the process.
        heads = [lambda shape, name=name: keras.Sequential([keras.layers.Dense(2, name=name)])]
        heads.append(lambda shape: keras.Sequential([keras.layers.Dense(2, name="own")]))
        x, z = (DenseEncoder(n, head=h).fit([0.0, 1.0]) for n, h in zip("xz", heads, strict=True))
        return identify([x, z], {"x": [0.0, 1.0], "z": [1.0, 0.0]}, [[0], [1]])

    one, other = identify_heads("own"), identify_heads("own_1")
    check_same_training(one, other, path=Path("run"))


def test_rows_that_lack_a_modality_are_part_of_the_training():
    x = DenseEncoder("x", optional=True).fit([0.0, 2.0])
    one, other = (identify([x], {"x": [0.0, last]}, [[0], [1]]) for last in (0.0, None))
    check_differs(one, other, "Training rows: content of 'x' differs")


@pytest.mark.parametrize("from_store", [False, True])
def test_an_image_file_with_other_pixels_is_refused(tmp_path, store, from_store):
    poster, y = make_poster(), np.eye(4)
    options = {"store": store} if from_store else {}

    def identify_files(folder, seed):
        return identify([poster], {"poster": write_images(folder, 4, seed=seed)}, y, **options)

    one = identify_files(tmp_path / "one", 1)
    # Copies of the files in another folder are the same images.
    check_same_training(one, identify_files(tmp_path / "copy", 1), path=tmp_path)
    check_differs(
        one, identify_files(tmp_path / "other", 2), "Training rows: content of 'poster' differs"
    )


def test_features_of_another_precision_are_refused(tmp_path):
    poster, data = make_poster(), {"poster": list(draw_pixels(4, 9, 9, 3))}
    one, other = (
        identify([poster], data, np.eye(4), store=FeatureStore(tmp_path / dtype, dtype=dtype))
        for dtype in ("float16", "float32")
    )
    check_differs(one, other, r"features of half precision is \['poster'\] in the checkpoint, \[\]")


def test_features_are_rounded_if_they_have_11_significant_bits():
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    for scale in (1e-9, 1, 1e9):
        rounded = from_half(*to_half(values * np.float32(scale)))
        assert _is_half_precision(rounded)
        assert not _is_half_precision(values * np.float32(scale))


@pytest.mark.parametrize("stored", [False, True])
def test_other_frozen_layers_without_weights_are_refused(stored, tmp_path):
    data = {"poster": list(draw_pixels(4, 9, 9, 3))}
    store = FeatureStore(tmp_path / "store") if stored else None
    one, other = (
        identify([make_poster(network=make_network(activation=name))], data, np.eye(4), store=store)
        for name in ("relu", "tanh")
    )
    check_differs(one, other, "frozen layers of 'poster' differs")


@pytest.mark.parametrize(
    ("head", "match"),
    [
        ({"activation": "tanh"}, "activation of layer 'x_head' is 'relu' in the .*, 'tanh' here"),
        ({"dropout": 0.25}, r"rate of layer 'x_head' is 0\.5 in the checkpoint, 0\.25 here"),
        ({"input_dropout": 0.1}, r"\d+ variables are trained in the checkpoint, \d+ here"),
        ({"units": 5}, r"variable is .*\(1, 4\) float32' in the checkpoint, .*\(1, 5\) float32'"),
    ],
)
def test_other_options_of_a_head_are_refused(head, match):
    def identify_head(**head):
        x = DenseEncoder("x", head=DenseHead(**{"units": 4, **head})).fit([0.0, 1.0])
        return identify([x], {"x": [0.0, 1.0]}, [[0], [1]])

    check_differs(identify_head(), identify_head(**head), "Model: " + match)


def make_loss(weight):
    return lambda y_true, y_score: keras.ops.mean(weight * (y_true - y_score) ** 2, axis=-1)


def define(name, code, **values):
    """Return a function that is defined in a module of its own."""
    module = {"keras": keras, "__name__": "module", **values}
    exec(code, module)
    return module[name]


class OwnLoss(keras.losses.Loss):
    """A loss whose configuration lacks its option."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def call(self, y_true, y_score):
        return self.weight * keras.ops.mean(y_true - y_score, axis=-1)


WEIGHTED = "def loss(y, p): return keras.ops.mean(W * (y - p) ** 2, axis=-1)"
HELPED = "def helper(x): return x ** {}\ndef loss(y, p): return helper(y - p)"
ADAM, FOCAL = keras.optimizers.Adam, keras.losses.BinaryFocalCrossentropy


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        ({"optimizer": ADAM(0.01)}, {"optimizer": ADAM(0.02)}, "learning_rate is 0.01 in the"),
        ({"optimizer": ADAM()}, {"optimizer": ADAM(beta_1=0.5)}, "Optimizer: beta_1 is 0.9 in the"),
        ({"optimizer": ADAM()}, {"optimizer": ADAM(clipnorm=1.0)}, "clipnorm is None in the"),
        ({"loss": FOCAL(gamma=1.0)}, {"loss": FOCAL(gamma=2.0)}, "Loss: gamma is 1.0 in the"),
        ({"loss": make_loss(1.0)}, {"loss": make_loss(2.0)}, "Loss: weight is 1.0 in the .* 2.0"),
        (
            {"loss": make_loss(1.0)},
            {"loss": lambda y, p: y - p},
            "Loss: function is .*Other differences: loss: code differs",
        ),
        (
            {"loss": define("loss", WEIGHTED, W=np.array([1.0]))},
            {"loss": define("loss", WEIGHTED, W=np.array([2.0]))},
            "Loss: W differs",
        ),
        (
            {"loss": define("loss", HELPED.format(2))},
            {"loss": define("loss", HELPED.format(4))},
            "Loss: code differs",
        ),
        ({"loss": OwnLoss(1)}, {"loss": OwnLoss(2)}, "Loss: weight is 1 in the checkpoint, 2 here"),
        ({"monitor": "loss"}, {"monitor": "f1"}, "Evaluation: monitor is 'loss' in the"),
        (
            {"monitor": functools.partial(fbeta_score, beta=1)},
            {"monitor": functools.partial(fbeta_score, beta=2)},
            "Evaluation: beta is 1 in the checkpoint, 2 here",
        ),
    ],
)
def test_other_objects_are_refused(one, other, match):
    x, data, y = DenseEncoder("x").fit([0.0, 1.0]), {"x": [0.0, 1.0]}, [[0], [1]]
    check_differs(identify([x], data, y, **one), identify([x], data, y, **other), match)


ACTIVATION = "def activate(x): return {} * x"


def make_head(layer, code):
    """Return a head with a function that was defined for it."""
    function = define("activate", code)
    return lambda shape: keras.Sequential([keras.Input(shape), layer(function)])


@pytest.mark.parametrize(
    "layer",
    [
        lambda function: keras.layers.Dense(2, activation=function),
        lambda function: keras.Sequential(
            [keras.layers.Reshape((1, 1)), keras.layers.LSTM(2, activation=function)]
        ),
        # Keras writes the bytes of an unnamed function, which hold the name of its file.
        lambda function: keras.layers.Lambda(lambda x: function(x)),
    ],
)
def test_an_edited_function_of_a_layer_is_refused(layer):
    def identify_head(code):
        x = DenseEncoder("x", head=make_head(layer, code)).fit([0.0, 1.0])
        return identify([x], {"x": [0.0, 1.0]}, [[0], [1]])

    before, same, edited = (identify_head(ACTIVATION.format(n)) for n in (2, 2, 3))
    check_same_training(before, same, path=Path("run"))
    check_differs(before, edited, r"Model: (activation|function) of layer '\w+' differs")


@pytest.mark.parametrize(
    "layer", [keras.layers.Lambda, lambda function: keras.layers.Dense(2, activation=function)]
)
def test_an_unnamed_function_in_another_file_is_the_same(layer):
    def identify_head(name):
        function = eval(compile("lambda x: 2 * x", name, "eval"))
        head = make_head(lambda _: layer(function), ACTIVATION)
        x = DenseEncoder("x", head=head).fit([0.0, 1.0])
        return identify([x], {"x": [0.0, 1.0]}, [[0], [1]])

    # The source of an interactive session is not known.
    for names in ((functools.__file__, json.__file__), ("<stdin>", "<stdin>")):
        one, other = map(identify_head, names)
        check_same_training(one, other, path=Path("run"))


def test_a_monitor_that_counts_its_calls_stays_the_same():
    calls = []

    def count(y_true, y_score):
        calls.append(1)
        return 0.0

    x, data, y = DenseEncoder("x").fit([0.0, 1.0]), {"x": [0.0, 1.0]}, [[0], [1]]
    before = identify([x], data, y, monitor=count)
    count(1, 2)
    check_same_training(before, identify([x], data, y, monitor=count), path=Path("run"))


def test_another_interval_of_evaluations_is_refused(untouched, written):
    match = "Evaluation: evaluate_every is 3 in the checkpoint, 4 here.*it follows from epochs"
    check_refused(untouched, CheckpointError, match, resume_from=written, evaluate_every=4)


def test_each_differing_part_is_named(problem, written):
    problem.y_train[0] = 1 - problem.y_train[0]
    match = r"y differs\. Make .* Other differences: optimizer: class is 'SGD' in the checkpoint"
    check_refused(make(problem), CheckpointError, match, resume_from=written, optimizer="adam")


@pytest.mark.slow
def test_malformed_values_raise_no_other_error(problem, written, path):
    training = make(problem)
    name = "multimodal_ensemble checkpoint"
    document, arrays = read_archive(written, format_name=name, max_version=1)
    contents = {key: arrays[key] for key in arrays}
    arrays.close()
    state = document["evaluation"]["dict"]
    places = [(document, key) for key in document] + [(state, key) for key in state]
    places += [(state["history"], 0), (state["losses"], 0)]
    entry = state["history"][0]["dict"]
    places += [(entry, key) for key in entry]
    wrong = [None, "text", -1, 2**70, -0.5, {"int": hex(2**80)}, [], {"dict": {}}, {"float": "nan"}]
    n_refused = 0
    for number, (holder, key) in enumerate(places):
        value = holder[key]
        # A third of the values for each place, in turn.
        for other in wrong[number % 3 :: 3]:
            holder[key] = other
            write_archive(path, document, contents)
            try:
                fit(training, resume_from=path, epochs=2)
            except CheckpointError:
                n_refused += 1
        holder[key] = value
    assert n_refused > 2 * len(places)


def test_metadata_must_be_json_and_requires_a_checkpoint(untouched, path):
    match = r"must be a mapping of JSON values.*Received {'a': \{1\}}"
    options = {"checkpoint": path, "checkpoint_metadata": {"a": {1}}}
    check_refused(untouched, TypeError, match, **options)
    match = r"is part of a checkpoint; also pass checkpoint="
    check_refused(untouched, ValueError, match, checkpoint_metadata={})


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thesis.txt", "a life's work")


OTHER_FILES = {
    "text": lambda path: path.write_bytes(b"a life's work"),
    "zip": write_zip,
    "archive": lambda path: write_archive(path, {"format": "other", "format_version": 1}, {}),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_another_file_is_never_overwritten(untouched, path, kind):
    OTHER_FILES[kind](path)
    before = path.read_bytes()
    match = r"run.checkpoint' is no checkpoint, and training would overwrite it"
    check_refused(untouched, CheckpointError, match, checkpoint=path)
    assert path.read_bytes() == before


def test_a_pipe_is_no_place_for_a_checkpoint(untouched, path):
    os.mkfifo(path)
    check_refused(untouched, CheckpointError, "is no checkpoint", checkpoint=path)
    assert path.is_fifo()


def test_a_file_that_appears_during_the_training_is_not_overwritten(problem, path):
    write = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: write_zip(path) if epoch == 1 else None
    )
    match = r"Training stopped after epoch 2\. The file .*is no checkpoint.* The model has the weig"
    with pytest.raises(CheckpointError, match=match):
        fit(make_small(problem), epochs=3, checkpoint=path, callbacks=[write])
    assert b"a life's work" in path.read_bytes()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("where", ["a folder", "in a file"])
def test_a_path_that_cannot_be_written_is_refused_before_training(untouched, tmp_path, where):
    (tmp_path / "file").touch()
    path = tmp_path if where == "a folder" else tmp_path / "file" / "run"
    match = r"cannot be written: .*\. Nothing was trained\. Pass a file in a writable folder"
    check_refused(untouched, OSError, match, checkpoint=path)


@pytest.mark.parametrize("evaluate_every", [3, 1000])
def test_a_full_disk_stops_training_and_keeps_the_last_checkpoint(
    problem, spy, path, evaluate_every, monkeypatch
):
    training, copies = make_small(problem), {}

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(step):
        copies[step] = training.model.get_weights()
        if step == BATCHES + 1:
            monkeypatch.setattr(os, "fsync", fail)

    match = (
        r"Training stopped after epoch 2, because the checkpoint '.*' cannot be written: No space "
        r"left on device\. (The model has the weights of batch|There was no evaluation).*The file "
        r"holds epoch 1\. Make room, or pass"
    )
    with pytest.raises(OSError, match=match):
        fit(
            training,
            epochs=5,
            evaluate_every=evaluate_every,
            checkpoint=path,
            callbacks=[spy(fill)],
        )
    assert read_checkpoint(path).evaluation["step"] == BATCHES
    assert list(path.parent.iterdir()) == [path]
    if evaluate_every == 3:
        weights = training.model.get_weights()
        assert any(all(map(np.array_equal, weights, copy)) for copy in copies.values())
    assert len(copies) == 2 * BATCHES
