"""The classifier: training, thresholds, label weights, missing modalities, resuming."""

import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    fit_encoders,
    fit_model,
    fuse_encoders,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    predict_scores,
    tune_thresholds,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import CheckpointError, ImageReadError, ModalityError
from multimodal_ensemble.images import UnreadableImageWarning
from multimodal_ensemble.saving import read_archive, write_archive
from tests.fresh_process import FreshProcess
from tests.toys import make_poster

LABELS = ["bright", "busy", "rare"]


def draw(n_rows=90, seed=1):
    """Return images, tags and numbers that determine three labels, and the labels twice."""
    rng = np.random.default_rng(seed)
    y = rng.random((n_rows, 3)) < [0.5, 0.5, 0.25]
    images = [(rng.integers(0, 80, (9, 9, 3)) + 150 * bright).astype("uint8") for bright, _, _ in y]
    tags = [["street", "cars"] if busy else ["trees"] for _, busy, _ in y]
    number = rng.normal(size=n_rows) + 3 * y[:, 2]
    data = pd.DataFrame({"photo": images, "tags": tags, "number": number})
    names = [[name for name, there in zip(LABELS, row, strict=True) if there] for row in y]
    data["labels"] = names
    return data, pd.DataFrame(y.astype(int), columns=LABELS)


def encoders(**options):
    return [
        make_poster("photo", head=DenseHead(4, dropout=0, scaling="log"), **options),
        BagOfWordsEncoder("tags", head=DenseHead(4, dropout=0), **options),
        DenseEncoder("number", head=DenseHead(4, dropout=0)),
    ]


def make(given=None, **options):
    # Plain SGD has no state, so it is the quickest optimizer to build.
    defaults = {
        "threshold": "accuracy",
        "modality_dropout": 0,
        "epochs": 12,
        # Batches of equal size trace one graph of the training step.
        "batch_size": 27,
        "patience": 10,
        "random_state": 1,
        "verbose": 0,
    }
    options = {**defaults, "optimizer": keras.optimizers.SGD(0.1), **options}
    return MultimodalClassifier(encoders() if given is None else given, **options)


def make_quick(**options):
    """Return a classifier of one column of numbers, for tests that any encoder will do."""
    return make([DenseEncoder("number", head=DenseHead(4, dropout=0))], **options)


@pytest.fixture(scope="module")
def fitted():
    data, _ = draw()
    options = {"epochs": 30, "optimizer": keras.optimizers.SGD(0.5), "modality_dropout": 0.2}
    return make(encoders(optional=True), **options).fit(data, data["labels"])


# -- training --------------------------------------------------------------------------------------


def test_fit_equals_the_single_steps(tmp_path):
    (train, y), (valid, y_valid), (test, _) = draw(), draw(40, seed=2), draw(20, seed=3)
    store = FeatureStore(tmp_path)
    # An image with a backbone and a vector.
    classifier = make(encoders()[::2], epochs=2, store=store)
    classifier.fit(train, y, validation_data=(valid, y_valid))

    parts = fit_encoders(encoders()[::2], train)
    options = {"batch_size": 27, "store": store, "verbose": 0}
    rows = MultimodalDataset(train, parts, y, shuffle=True, seed=1, **options)
    valid_rows = MultimodalDataset(valid, parts, y_valid, **options)
    model = fuse_encoders(parts, 3, seed=1)
    optimizer = keras.optimizers.SGD(0.1)
    result = fit_model(model, rows, valid_rows, epochs=2, optimizer=optimizer, verbose=0)
    thresholds = tune_thresholds(y_valid, predict_scores(model, valid_rows))
    y_score = predict_scores(model, MultimodalDataset(test, parts, **options))

    np.testing.assert_array_equal(classifier.thresholds_, thresholds)
    np.testing.assert_array_equal(classifier.predict_proba(test), y_score)
    np.testing.assert_array_equal(classifier.predict(test), y_score >= thresholds)
    pd.testing.assert_frame_equal(
        classifier.history_.drop(columns="seconds"), result.history.drop(columns="seconds")
    )


def test_fit_learns(fitted):
    test, y = draw(60, seed=4)
    evaluation = fitted.evaluate(test, test["labels"])
    assert evaluation.mean_roc_auc > 0.9
    assert evaluation.mean_accuracy > evaluation.trivial_accuracy
    y_score = fitted.predict_proba(test)
    assert evaluation.mean_roc_auc == pytest.approx(mean_roc_auc(y[fitted.classes_], y_score))
    assert evaluation.mean_accuracy == pytest.approx(
        mean_accuracy(y[fitted.classes_], y_score, fitted.thresholds_)
    )
    report = label_report(y[fitted.classes_], y_score, fitted.thresholds_)
    pd.testing.assert_frame_equal(evaluation.report, report)
    share = np.array(fitted.provenance_["label_shares"]) > 0.5
    assert evaluation.trivial_accuracy == (y[fitted.classes_].to_numpy() == share).mean()
    assert str(evaluation).startswith(f"60 rows: mean ROC-AUC {evaluation.mean_roc_auc:.4f}, mean")
    assert "bright" in str(evaluation)


def test_labels_keep_their_names(fitted):
    data, y = draw()
    # They were lists of names.
    assert fitted.classes_.tolist() == LABELS
    expected = [
        tuple(name for name, there in zip(LABELS, row, strict=True) if there)
        for row in fitted.predict(data)
    ]
    assert fitted.predict_labels(data) == expected
    assert make_quick(epochs=1).fit(data, y.to_numpy()).classes_.tolist() == [0, 1, 2]


def test_a_mapping_of_columns_equals_a_table(fitted):
    data, _ = draw()
    columns = {name: list(data[name]) for name in ("photo", "tags", "number")}
    np.testing.assert_array_equal(fitted.predict_proba(columns), fitted.predict_proba(data))


def test_the_same_seed_gives_the_same_classifier():
    data, y = draw()
    one, same, other = (
        make(encoders()[1:2], epochs=1, dropout=0.5, random_state=seed).fit(data, y)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.predict_proba(data), same.predict_proba(data))
    assert np.any(one.predict_proba(data) != other.predict_proba(data))


def test_held_out_rows_have_the_label_shares_of_all_rows():
    data, y = draw(200)
    classifier = make_quick(epochs=1, validation_fraction=0.2).fit(data, y)
    assert classifier.provenance_["n_validation"] == pytest.approx(40, abs=2)
    n_train = classifier.provenance_["n_train"]
    assert n_train + classifier.provenance_["n_validation"] == 200
    shares = classifier.provenance_["label_shares"]
    np.testing.assert_allclose(shares, y.mean(), atol=0.01)
    # The names of a label matrix.
    assert classifier.classes_.tolist() == LABELS


def test_thresholds_learned_on_training_rows_issue_a_warning():
    data, y = draw()
    with pytest.warns(UserWarning, match="Thresholds are learned on the training rows"):
        classifier = make_quick(epochs=1, validation_fraction=None).fit(data, y)
    assert classifier.provenance_["thresholds_from"] == "training rows"
    with pytest.warns(UserWarning, match="Thresholds are learned on the training rows"):
        make_quick(epochs=1).fit(data, y, validation_data=(data, y))


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (None, [0.5, 0.5, 0.5]),
        (0.25, [0.25, 0.25, 0.25]),
        ([0.1, 0.2, np.inf], [0.1, 0.2, np.inf]),
        ({"rare": 0.3, "busy": 0.2, "bright": 0.1}, [0.1, 0.2, 0.3]),
    ],
    ids=["none", "number", "array", "mapping"],
)
def test_given_thresholds_are_used_without_a_warning(threshold, expected):
    data, y = draw()
    # They depend on no rows, so there is no warning of training rows either.
    classifier = make_quick(epochs=1, threshold=threshold, validation_fraction=None).fit(data, y)
    assert classifier.thresholds_.tolist() == expected
    assert classifier.provenance_["thresholds_from"] == "given"


@pytest.mark.parametrize("threshold", ["f1", lambda tp, fp, fn, tn: tp - fp])
def test_thresholds_maximise_the_criterion(threshold):
    (data, y), (valid, y_valid) = draw(), draw(40, seed=2)
    classifier = make_quick(epochs=1, threshold=threshold)
    classifier.fit(data, y, validation_data=(valid, y_valid))
    expected = tune_thresholds(y_valid, classifier.predict_proba(valid), criterion=threshold)
    np.testing.assert_allclose(classifier.thresholds_, expected, rtol=1e-3)


def test_features_are_computed_once_for_all_trainings(tmp_path, capsys):
    data, y = draw()
    make(encoders()[:1], epochs=1, store=tmp_path / "store", verbose=1).fit(data, y)
    assert "Computing the features" in capsys.readouterr().out
    options = {"epochs": 1, "store": str(tmp_path / "store"), "verbose": 1, "batch_size": 8}
    make(encoders()[:1], **options).fit(data, y)
    assert "Computing the features" not in capsys.readouterr().out


def test_images_are_read_once_in_a_training_without_a_store(monkeypatch):
    data, y = draw()
    calls = []
    encode = ImageEncoder.encode
    monkeypatch.setattr(
        ImageEncoder,
        "encode",
        lambda self, values: calls.append(len(values)) or encode(self, values),
    )
    make(encoders()[:1], epochs=3).fit(data, y)
    assert sum(calls) == len(data)


@pytest.mark.slow
def test_label_weights_raise_the_scores_of_a_rare_label():
    data, y = draw()

    def mean_score(weight):
        optimizer = keras.optimizers.SGD(0.5)
        classifier = make_quick(epochs=5, optimizer=optimizer, label_weight=weight)
        return classifier.fit(data, y).predict_proba(data)[:, 2].mean()

    plain, weighted, named = map(mean_score, (None, "balanced", {"rare": 8}))
    assert weighted > plain + 0.1
    assert named > plain + 0.1


def test_sample_weights_and_callbacks_are_passed_on():
    data, y = draw()
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    weight = np.where(np.arange(90) < 45, 1.0, 0.0)
    weighted = make_quick(epochs=3).fit(data, y, sample_weight=weight, callbacks=[callback])
    assert epochs == [0, 1, 2]
    plain = make_quick(epochs=3).fit(data, y)
    assert np.any(weighted.predict_proba(data) != plain.predict_proba(data))


def test_an_optimizer_instance_works_for_several_trainings():
    data, y = draw()
    optimizer = keras.optimizers.AdamW(1e-2)
    classifier = make_quick(epochs=2, optimizer=optimizer)
    once = classifier.fit(data, y).predict_proba(data)
    np.testing.assert_array_equal(classifier.fit(data, y).predict_proba(data), once)


def test_verbose_controls_the_output(capsys):
    data, y = draw()
    make_quick(epochs=1, verbose=1).fit(data, y)
    out = capsys.readouterr().out
    assert "step      1  epoch   1" in out
    assert "Epoch" not in out
    make_quick(epochs=2, verbose=2).fit(data, y)
    assert "Epoch 1/2" in capsys.readouterr().out


def test_a_line_after_fit_counts_the_labels_that_are_never_predicted(capsys):
    (data, y), (valid, y_valid) = draw(), draw(40, seed=2)
    options = {"validation_data": (valid, y_valid.assign(rare=0))}
    with pytest.warns(UndefinedMetricWarning):
        classifier = make_quick(epochs=1, verbose=1).fit(data, y, **options)
    n_never = np.isposinf(classifier.thresholds_).sum()
    assert n_never > 0
    assert f"{n_never} of 3 labels are never predicted" in capsys.readouterr().out
    with pytest.warns(UndefinedMetricWarning):
        make_quick(epochs=1, verbose=0).fit(data, y, **options)
    assert capsys.readouterr().out == ""


def test_predict_labels_returns_as_many_labels_as_wanted(fitted):
    data, _ = draw(60, seed=4)
    plain = fitted.predict_labels(data)
    assert () in plain
    for labels, more in zip(plain, fitted.predict_labels(data, at_least=1), strict=True):
        assert len(more) == max(1, len(labels))
        assert set(labels) <= set(more)
    assert {len(labels) for labels in fitted.predict_labels(data, top_k=2)} == {2}
    with pytest.raises(ValueError, match="at most 3 labels"):
        fitted.predict_labels(data, top_k=4)


def test_auto_chooses_encoders_for_all_columns_but_the_labels(capsys):
    data, _ = draw()
    classifier = make("auto", epochs=1, verbose=1).fit(
        data[["tags", "number", "labels"]], data["labels"]
    )
    assert [encoder.name for encoder in classifier.encoders_] == ["tags", "number"]
    assert "labels: left out; excluded" in capsys.readouterr().out


def test_an_encoder_that_reads_the_labels_issues_a_warning():
    data, _ = draw()
    given = [BagOfWordsEncoder("answer", column="labels")]
    with pytest.warns(UserWarning, match=r"'answer' reads the column\(s\) \['labels'\]"):
        make(given, epochs=1).fit(data, data["labels"])


def test_warm_start_continues_the_training():
    data, y = draw()
    classifier = make(encoders()[1:], epochs=3, evaluate_every=6, warm_start=True).fit(data, y)
    encoder, model = classifier.encoders_[1], classifier.model_
    before = classifier.history_["loss"].iloc[-1]
    classifier.fit(data, y)
    assert classifier.encoders_[1] is encoder
    assert classifier.model_ is model
    assert classifier.history_["loss"].iloc[0] < before
    with pytest.raises(ValueError, match="one column for each of the 3 labels"):
        classifier.fit(data, y.to_numpy()[:, :2])


def test_label_weights_in_a_series_are_matched_by_name():
    data, y = draw()
    series = pd.Series({"rare": 8.0, "busy": 1.0, "bright": 2.0})
    one, other = (
        make_quick(epochs=1, label_weight=weight).fit(data, y).predict_proba(data)
        for weight in (series, series.to_dict())
    )
    np.testing.assert_array_equal(one, other)


def test_a_dropped_row_is_counted_once(tmp_path):
    data, y = draw()
    photos = [tmp_path / "nowhere.png", *data["photo"][1:]]
    given = [make_poster("photo", on_error="drop", head=DenseHead(4, scaling="log"))]
    classifier = make(given, epochs=1, validation_fraction=None, threshold=0.5)
    with pytest.warns(UnreadableImageWarning):
        classifier.fit({"photo": photos}, y.to_numpy())
    assert classifier.provenance_["n_dropped"] == 1


# -- refit_heads -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_refit_heads_trains_one_head_and_keeps_the_others(tmp_path, capsys):
    data, y = draw()
    classifier = make(epochs=1, store=tmp_path, verbose=1).fit(data, y)
    kept = {
        name: classifier.model_.get_layer(f"{name}_head").get_weights()
        for name in ("photo", "number")
    }
    photo, _, number = classifier.encoders
    classifier.set_params(encoders=[photo, BagOfWordsEncoder("tags", head=DenseHead(7)), number])
    capsys.readouterr()
    classifier.refit_heads(data, y, ["tags"])
    assert "Computing the features" not in capsys.readouterr().out
    assert classifier.model_.get_layer("tags_head").output_shape == (None, 7)
    for name, weights in kept.items():
        for old, new in zip(
            weights, classifier.model_.get_layer(f"{name}_head").get_weights(), strict=True
        ):
            np.testing.assert_array_equal(old, new)
    assert classifier.predict(data).shape == (90, 3)
    # The result can be trained as a whole.
    assert len(classifier.model_.trainable_weights) == 8


@pytest.mark.slow
def test_refit_heads_adds_a_modality():
    data, y = draw()
    photo, tags, number = encoders()
    classifier = make([tags, number], epochs=1).fit(data, y)
    classifier.set_params(encoders=[photo, tags, number]).refit_heads(data, y, "photo")
    assert [encoder.name for encoder in classifier.encoders_] == ["photo", "tags", "number"]
    assert classifier.predict_proba(data).shape == (90, 3)


@pytest.mark.parametrize(
    ("modalities", "match"),
    [
        (
            ["poster"],
            r"no encoder for \['poster'\]; the classifier has \['photo', 'tags', 'number'\]",
        ),
        (["photo", "tags", "number"], "would be trained; call fit for that"),
    ],
)
def test_refit_heads_refuses_unknown_heads_and_all_heads(fitted, modalities, match):
    data, y = draw()
    with pytest.raises(ModalityError, match=match):
        fitted.refit_heads(data, y, modalities)


# -- missing modalities ----------------------------------------------------------------------------


def test_rows_may_lack_optional_modalities(fitted):
    test, y_test = draw(100, seed=3)
    busy = mean_roc_auc(y_test[["busy"]], fitted.predict_proba(test)[:, [1]])
    without = mean_roc_auc(
        y_test[["busy"]], fitted.predict_proba(test.drop(columns="tags"))[:, [1]]
    )
    assert busy > 0.95
    assert without < 0.7
    bright = fitted.predict_proba(test[["photo", "number"]])[:, [0]]
    assert mean_roc_auc(y_test[["bright"]], bright) > 0.9
    nothing = test.assign(photo=None, tags=np.nan)
    np.testing.assert_array_equal(
        fitted.predict_proba(nothing), fitted.predict_proba(test[["number"]])
    )


def test_a_row_that_cannot_be_predicted_is_an_error(tmp_path):
    data, y = draw()
    given = [make_poster("photo", on_error="drop", root=tmp_path, head=DenseHead(4, scaling="log"))]
    classifier = make(given, epochs=1).fit(data, y)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    photos = [*data["photo"][:3], "broken.png"]
    with (
        pytest.warns(UnreadableImageWarning),
        pytest.raises(
            ImageReadError,
            match=r"1 row cannot be predicted, .* image in row 3: ",
        ),
    ):
        classifier.predict({"photo": photos})


@pytest.mark.slow
def test_rows_and_images_that_cannot_be_read_are_counted(tmp_path):
    data, y = draw()
    photos = ["nowhere.png" if row < 30 else photo for row, photo in enumerate(data["photo"])]
    data["photo"] = pd.Series(photos)
    for on_error, n_dropped in (("drop", 30), ("missing", 0)):
        poster = make_poster("photo", on_error=on_error, root=tmp_path, optional=True)
        with pytest.warns(UnreadableImageWarning, match="1 image cannot be read"):
            classifier = make([poster], epochs=1).fit(data, y)
        counts = {"photo": {"n_images": 1, "n_rows": 30}}
        assert classifier.provenance_["unreadable"] == counts
        assert classifier.provenance_["n_dropped"] == n_dropped


@pytest.mark.slow
def test_a_backbone_with_a_function_trains_but_is_not_saved(tmp_path):
    data, y = draw()
    inputs, convolution = keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)
    unit = keras.layers.Lambda(lambda x: x / 255)
    poster = make_poster("photo", network=keras.Sequential([inputs, unit, convolution]))
    classifier = make([poster], epochs=1).fit(data, y)
    plain = keras.Sequential([inputs, keras.layers.Rescaling(1 / 255), convolution])
    expected = make([make_poster("photo", network=plain)], epochs=1).fit(data, y)
    np.testing.assert_allclose(
        classifier.predict_proba(data), expected.predict_proba(data), atol=1e-5
    )
    with pytest.raises(TypeError, match=r"'photo' cannot be saved.*Lambda.*a layer of your own"):
        classifier.save(tmp_path / "classifier")


@pytest.mark.parametrize("name", ["optimizer", "loss"])
@pytest.mark.parametrize("value", [None, 3, "unheard of"])
def test_an_optimizer_or_loss_is_refused_before_features_are_computed(name, value, monkeypatch):
    data, y = draw()
    monkeypatch.setattr(FeatureStore, "load_features", None)
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        make([make_poster("photo")], **{name: value}).fit(data, y)


# -- interruptions and checkpoints -----------------------------------------------------------------


def interrupt_at(epoch):
    def stop(number, logs):
        if number == epoch:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_end=stop)


def test_ctrl_c_keeps_the_best_weights_so_far_and_reports_them(capsys):
    data, y = draw()
    classifier = make_quick(epochs=50)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(data, y, callbacks=[interrupt_at(4)])
    assert "Training was interrupted after 15 batches. The model has the weights of" in (
        capsys.readouterr().out
    )
    stopped = make_quick(epochs=5, patience=None).fit(data, y)
    np.testing.assert_array_equal(classifier.predict_proba(data), stopped.predict_proba(data))
    np.testing.assert_array_equal(classifier.thresholds_, stopped.thresholds_)


@pytest.mark.slow
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    data, y = draw()
    options = {"epochs": 4, "patience": None, "dropout": 0.3, "modality_dropout": 0.2}

    def make_one():
        # An optimizer that has a state.
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        return make(encoders(optional=True)[1:], optimizer=optimizer, **options)

    whole = make_one().fit(data, y)
    path = tmp_path / "training.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        make_one().fit(data, y, checkpoint=path, callbacks=[interrupt_at(1)])
    resumed = make_one().fit(data, y, resume_from=path)
    np.testing.assert_array_equal(resumed.predict_proba(data), whole.predict_proba(data))
    np.testing.assert_array_equal(resumed.thresholds_, whole.thresholds_)
    pd.testing.assert_frame_equal(
        resumed.history_.drop(columns="seconds"), whole.history_.drop(columns="seconds")
    )


@pytest.mark.slow
def test_resuming_without_random_state_uses_the_seed_of_the_checkpoint(tmp_path):
    data, y = draw()
    path = tmp_path / "training.checkpoint"
    first = make_quick(random_state=None, epochs=3)
    with pytest.raises(KeyboardInterrupt):
        first.fit(data, y, checkpoint=path, callbacks=[interrupt_at(1)])
    resumed = make_quick(random_state=None, epochs=3).fit(data, y, resume_from=path)
    assert resumed.provenance_["seed"] == first.provenance_["seed"]


def test_other_rows_or_parameters_are_refused_on_resuming(tmp_path):
    data, y = draw()
    path = tmp_path / "training.checkpoint"

    def make_one(activation="relu", **options):
        head = DenseHead(4, activation=activation)
        some = [DenseEncoder("number", head=head), BagOfWordsEncoder("tags", head=head)]
        return make(some, **{"epochs": 1, **options})

    make_one().fit(data, y, checkpoint=path)
    before = path.read_bytes()
    shuffled = data.assign(number=data["number"].to_numpy()[::-1])
    renamed = data.assign(tags=[[f"{tag}s" for tag in row] for row in data["tags"]])
    for match, rows, options in [
        ("Training rows: content of 'number' differs", shuffled, {}),
        ("Encoders: vocabulary_ of 'tags' differs", renamed, {}),
        ("activation of layer 'number_head' is 'relu'", data, {"activation": "tanh"}),
        ("Optimizer: learning_rate is", data, {"optimizer": keras.optimizers.SGD(0.5)}),
        ("Evaluation: monitor is", data, {"monitor": "loss"}),
        ("Training rows: seed is", data, {"random_state": 5}),
    ]:
        with pytest.raises(CheckpointError, match=match):
            make_one(**options).fit(rows, y, resume_from=path)
    assert path.read_bytes() == before


def test_a_checkpoint_with_an_impossible_seed_is_refused(tmp_path):
    data, y = draw()
    path = tmp_path / "training.checkpoint"
    make_quick(epochs=1).fit(data, y, checkpoint=path)
    name = "multimodal_ensemble checkpoint"
    document, arrays = read_archive(path, format_name=name, max_version=1)
    contents = {key: arrays[key] for key in arrays}
    arrays.close()
    for seed in (-1, 2**40, True, None, "1"):
        document["metadata"] = {"dict": {"seed": seed}}
        write_archive(path, document, contents)
        with pytest.raises(CheckpointError, match="Training rows: seed is 1"):
            make_quick(random_state=None, epochs=1).fit(data, y, resume_from=path)


def mean_score(y_true, y_score):
    return y_score.mean()


@pytest.mark.parametrize("monitor", ["f1", mean_score])
def test_the_monitor_is_a_parameter_that_a_saved_file_keeps(tmp_path, monitor):
    data, y = draw()
    classifier = make_quick(monitor=monitor, epochs=2).fit(data, y)
    assert clone(classifier).monitor is monitor
    column = "f1" if monitor == "f1" else "monitor"
    best = classifier.history_[classifier.history_["best"]].iloc[-1]
    assert best[column] == classifier.history_[column].max()
    assert best["step"] == classifier.provenance_["best_step"]
    classifier.save(tmp_path / "saved.mme")
    loaded = MultimodalClassifier.load(tmp_path / "saved.mme")
    # A file cannot hold a function.
    assert loaded.monitor == ("f1" if monitor == "f1" else "mean_roc_auc")
    pd.testing.assert_frame_equal(loaded.history_, classifier.history_)
    with pytest.raises(ValueError, match="monitor must be one of"):
        make_quick(monitor="auc").fit(data, y)


KILLED = """
from tests.estimators.test_multimodal_classifier import draw, encoders, make
data, y = draw()
clf = make(
    encoders(optional=True), epochs={epochs}, evaluate_every=5, patience=None, dropout=0.3
)
options = dict({options!r})
print("ready", flush=True)
clf.fit(data, y, **options)
clf.save({saved!r})
"""


@pytest.mark.slow
def test_a_new_process_resumes_a_killed_one(tmp_path):
    path = str(tmp_path / "training.checkpoint")

    def start(epochs, saved, **options):
        saved = str(tmp_path / saved)
        return FreshProcess(KILLED.format(epochs=epochs, options=options, saved=saved))

    killed = start(100_000, "never.mme", checkpoint=path)
    while not Path(path).exists():
        assert killed.is_running, killed.stdout.read()
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    from multimodal_ensemble.training._checkpoint import read_checkpoint

    n_epochs = read_checkpoint(Path(path)).epoch + 3
    assert start(n_epochs, "resumed.mme", resume_from=path).wait() == 0
    resumed = MultimodalClassifier.load(tmp_path / "resumed.mme")
    data, y = draw()
    options = {"epochs": n_epochs, "evaluate_every": 5, "patience": None, "dropout": 0.3}
    whole = make(encoders(optional=True), **options).fit(data, y)
    np.testing.assert_array_equal(resumed.predict_proba(data), whole.predict_proba(data))


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"threshold": "accurate"}, "threshold must be one of 'accuracy'"),
        ({"threshold": [0.5]}, "one number for each of the 3 labels"),
        ({"threshold": {"bright": 0.5}}, r"Without a value: \['busy', 'rare'\]"),
        ({"threshold": [0.5, np.nan, 0.5]}, "none of them NaN"),
        ({"validation_fraction": 0}, "validation_fraction must be above 0"),
        ({"validation_fraction": 1.5}, "validation_fraction must be at least 0 and below 1"),
        ({"encoders": "all"}, "encoders must be one of 'auto'"),
        ({"encoders": []}, "At least one encoder is needed"),
        ({"encoders": ["tags"]}, "must be an instance of multimodal_ensemble.Encoder"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"verbose": 3}, "verbose must be one of 0, 1, 2"),
        ({"warm_start": "yes"}, "warm_start must be one of True, False"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1"),
        ({"modality_dropout": -1}, "modality_dropout must be at least 0 and below 1"),
        ({"label_weight": {"brigth": 2}}, "brigth"),
        ({"label_weight": "even"}, "label_weight"),
    ],
    ids=str,
)
def test_invalid_parameters_are_refused(options, match):
    data, y = draw()
    classifier = make()
    classifier.set_params(**options)
    with pytest.raises(ValueError, match=match):
        classifier.fit(data, y)
    with pytest.raises(NotFittedError):
        classifier.predict(data)


def test_different_numbers_of_rows_are_refused():
    data, y = draw()
    with pytest.raises(ValueError, match=r"same number of rows\. Received 90 and 89"):
        make().fit(data, y.iloc[:-1])
    with pytest.raises(ValueError, match="validation_data must be a pair"):
        make().fit(data, y, validation_data=data)
    classifier = make_quick(epochs=1).fit(data, y)
    for method in (classifier.evaluate, classifier.score):
        with pytest.raises(ValueError, match=r"same number of rows\. Received 90 and 89"):
            method(data, y.iloc[:-1])


def test_no_rows_and_one_row():
    data, y = draw()
    with pytest.raises(ValueError, match=r"Found 0 sample\(s\): X has no rows"):
        make().fit(data.iloc[:0], y.iloc[:0])
    with pytest.raises(ValueError, match="one row cannot be split"):
        make().fit(data.iloc[:1], y.iloc[:1])
    with pytest.warns(UserWarning, match="No training row has the label"):
        classifier = make_quick(epochs=1).fit(data.iloc[:1], y.iloc[:1], validation_data=(data, y))
    assert classifier.predict(data.iloc[:1]).shape == (1, 3)
    with pytest.raises(ValueError, match=r"Found 0 sample\(s\)"):
        classifier.predict(data.iloc[:0])


def test_too_few_rows_for_a_split_are_refused():
    data, y = draw()
    with pytest.raises(ValueError, match=r"no label is both present and absent.*Pass validation"):
        make().fit(data.iloc[:6], y.iloc[:6])


def test_a_label_without_positives_is_never_predicted():
    data, y = draw()
    with (
        pytest.warns(UserWarning, match=r"No training row has the label\(s\) \['rare'\]"),
        pytest.warns(UndefinedMetricWarning, match=r"\['rare'\] have only one class"),
    ):
        classifier = make_quick(epochs=2).fit(data, y.assign(rare=0))
    assert not classifier.predict(data)[:, 2].any()


def test_a_column_that_the_data_lacks_is_named(fitted):
    data, _ = draw()
    with pytest.raises(ModalityError, match=r"'number' reads the column\(s\) \['number'\]"):
        fitted.predict(data[["photo", "tags"]])
