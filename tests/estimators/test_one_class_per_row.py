"""Both estimators with one of two or several classes per row, against scikit-learn's metrics."""

import copy
import io
import json
import warnings

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.utils.class_weight import compute_class_weight

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.estimators import errors, modality_importance
from multimodal_ensemble.estimators._calibration import without_calibration
from multimodal_ensemble.estimators._export import describe
from multimodal_ensemble.exceptions import ArtefactError
from tests.estimators.test_artefact import drop, put, rewrite
from tests.estimators.test_export import open_litert

N_ROWS = 60
GENRES = np.array(["drama", "love", "war"], dtype=object)
WORDS = [["tears"], ["paris", "kiss"], ["tank", "space"]]


def draw():
    """Return tags and numbers, and a genre that mostly follows from them."""
    rng = np.random.default_rng(1)
    codes = rng.choice(3, N_ROWS, p=[0.5, 0.3, 0.2])
    shown = np.where(rng.random(N_ROWS) < 0.8, codes, rng.integers(0, 3, N_ROWS))
    table = pd.DataFrame(
        {
            "tags": [WORDS[code] for code in shown],
            "number": codes + rng.normal(scale=0.8, size=N_ROWS),
        }
    )
    return table, pd.Series(GENRES[codes], name="genre")


X, Y = draw()
TARGETS = {"binary": Y == "war", "multiclass": Y}


def make(kind, columns=("tags", "number"), **options):
    encoders = [
        BagOfWordsEncoder("tags", optional=True, head=DenseHead(4)),
        DenseEncoder("number", head=DenseHead(2)),
    ]
    encoders = [encoder for encoder in encoders if encoder.name in columns]
    options = {"random_state": 1, "verbose": 0, **options}
    if kind == "ensemble":
        return MultimodalEnsemble(encoders, **options)
    # Plain SGD has no state, so it is the quickest optimizer to build.
    optimizer = keras.optimizers.SGD(0.5)
    defaults = {"epochs": 8, "batch_size": 10, "validation_fraction": 0.3, "optimizer": optimizer}
    return MultimodalClassifier(encoders, **{**defaults, **options})


@pytest.fixture(scope="module")
def fitted():
    """Return a function that fits an estimator once per kind and target."""
    known = {}

    def fit(kind, target):
        if (kind, target) not in known:
            known[kind, target] = make(kind).fit(X, TARGETS[target])
        return known[kind, target]

    return fit


both = pytest.mark.parametrize("kind", ["ensemble", "network"])
each_target = pytest.mark.parametrize("target", list(TARGETS))


# -- predictions -----------------------------------------------------------------------------


@both
def test_the_most_probable_of_several_classes_is_predicted(kind, fitted):
    estimator = fitted(kind, "multiclass")
    assert estimator.classes_.tolist() == GENRES.tolist()
    assert estimator.target_type_ == "multiclass"
    y_score = estimator.predict_proba(X)
    assert (y_score.shape, y_score.dtype) == ((N_ROWS, 3), np.float32)
    np.testing.assert_allclose(y_score.sum(axis=1), 1, atol=1e-6)
    best = GENRES[y_score.argmax(axis=1)]
    assert estimator.predict(X).tolist() == best.tolist() == estimator.predict_labels(X)
    np.testing.assert_allclose(estimator.decision_function(X), logit(y_score), atol=1e-3)
    ranked = GENRES[np.argsort(-y_score, axis=1)[:, :2]]
    assert estimator.predict_labels(X, top_k=2) == [tuple(row) for row in ranked]
    assert np.mean(estimator.predict(X) == Y) > 0.5


@both
def test_the_second_of_two_classes_has_the_threshold(kind, fitted):
    estimator = fitted(kind, "binary")
    assert estimator.classes_.tolist() == [False, True]
    y_score = estimator.predict_proba(X)
    assert y_score.shape == (N_ROWS, 2)
    np.testing.assert_allclose(y_score.sum(axis=1), 1, atol=1e-6)
    (threshold,) = estimator.thresholds_
    expected = y_score[:, 1] >= threshold
    predicted = estimator.predict(X)
    assert predicted.dtype == bool
    np.testing.assert_array_equal(predicted, expected)
    np.testing.assert_allclose(estimator.decision_function(X), logit(y_score[:, 1]), atol=1e-3)
    pairs = [(bool(each), not each) for each in expected]
    assert estimator.predict_labels(X, top_k=2) == pairs


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"at_least": 2}, "Each row has one class; top_k returns more"),
        ({"at_least": 1, "top_k": 1}, "Each row has one class"),
        ({"top_k": 4}, "top_k must be at most 3, the number of classes. Received top_k=4"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1"),
    ],
    ids=str,
)
def test_other_numbers_of_classes_are_refused(options, match, fitted):
    with pytest.raises(ValueError, match=match):
        fitted("ensemble", "multiclass").predict_labels(X, **options)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_predictions_has_a_class_per_row(suffix, tmp_path):
    y = Y.replace("war", "war/peace").astype("category")
    ensemble = make("ensemble").fit(X, y)
    path = tmp_path / f"rows.{suffix}"
    assert ensemble.write_predictions(X, path, columns=["number"]) == N_ROWS
    table = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert list(table) == ["number", "label", *(f"score_{label}" for label in ensemble.classes_)]
    assert table["label"].tolist() == ensemble.predict(X).tolist()
    np.testing.assert_allclose(table.iloc[:, 2:], ensemble.predict_proba(X), rtol=1e-5)


def test_a_file_of_the_best_classes_has_lists(fitted, tmp_path):
    ensemble = fitted("ensemble", "multiclass")
    ensemble.write_predictions(X, tmp_path / "rows.csv", top_k=2)
    table = pd.read_csv(tmp_path / "rows.csv")
    assert table["labels"].tolist() == [
        "|".join(row) for row in ensemble.predict_labels(X, top_k=2)
    ]


# -- evaluation ------------------------------------------------------------------------------


@both
@each_target
def test_an_evaluation_has_the_metrics_of_scikit_learn(kind, target, fitted):
    estimator, y = fitted(kind, target), TARGETS[target]
    evaluation = estimator.evaluate(X, y)
    predicted, y_score = estimator.predict(X), estimator.predict_proba(X)
    is_class = y.to_numpy()[:, np.newaxis] == estimator.classes_
    squares = (y_score - is_class) ** 2
    ranked = y_score if target == "multiclass" else y_score[:, 1]
    expected = {
        "n_samples": N_ROWS,
        "accuracy": accuracy_score(y, predicted),
        "trivial_accuracy": (y == y.mode()[0]).mean(),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "macro_f1": f1_score(y, predicted, average="macro"),
        "mean_roc_auc": roc_auc_score(y, ranked, multi_class="ovr"),
        "log_loss": log_loss(y, y_score),
        "brier_score": squares.sum(axis=1).mean() / (2 if target == "binary" else 1),
    }
    for name, value in expected.items():
        assert getattr(evaluation, name) == pytest.approx(value, rel=1e-5), name
    report = evaluation.report
    assert report.index.tolist() == [str(label) for label in estimator.classes_]
    by_class = precision_recall_fscore_support(y, predicted, zero_division=0)
    for name, values in zip(["precision", "recall", "f1", "support"], by_class, strict=True):
        np.testing.assert_allclose(report[name], values, err_msg=name)
    assert estimator.score(X, y) == expected["accuracy"]
    weight = np.arange(N_ROWS)
    weighted = accuracy_score(y, predicted, sample_weight=weight)
    assert estimator.score(X, y, weight) == pytest.approx(weighted)
    text = str(evaluation)
    assert text.startswith(f"{N_ROWS} rows: accuracy {expected['accuracy']:.4f} (trivial benchmark")
    assert f"log loss {expected['log_loss']:.4f}" in text


def test_rows_of_unknown_classes_count_as_errors(fitted):
    ensemble = fitted("ensemble", "multiclass")
    y = Y.copy()
    y[:20] = "noir"
    with pytest.warns(
        UserWarning, match=r"no training row has, in 20 of 60 rows, the first is row 0"
    ):
        evaluation = ensemble.evaluate(X, y)
    predicted, y_score = ensemble.predict(X), ensemble.predict_proba(X)
    assert evaluation.accuracy == accuracy_score(y, predicted)
    assert evaluation.log_loss == pytest.approx(log_loss(y[20:], y_score[20:]))
    with pytest.warns(UserWarning, match="They count as errors"):
        assert ensemble.score(X, y) == evaluation.accuracy
    with pytest.raises(ValueError, match="has a class that no training row has, in row 0"):
        errors(ensemble, X, y)


@both
def test_errors_have_the_predicted_and_the_true_class(kind, fitted):
    estimator = fitted(kind, "multiclass")
    y_score, predicted = estimator.predict_proba(X), estimator.predict(X)
    table = errors(estimator, X, Y, n=2 * N_ROWS)
    wrong = np.flatnonzero(predicted != Y)
    assert sorted(set(table["row"])) == wrong.tolist()
    assert len(table) == 2 * len(wrong)
    for row, of_row in table.groupby("row"):
        kinds = dict(zip(of_row["kind"], of_row["label"], strict=True))
        assert kinds == {"false positive": predicted[row], "false negative": Y[row]}
        places = [GENRES.tolist().index(label) for label in (predicted[row], Y[row])]
        margin = np.log(np.divide(*y_score[row, places].astype(float)))
        np.testing.assert_allclose(of_row["margin"], margin, rtol=1e-5)


def test_the_importance_of_modalities_is_that_of_predictions(fitted):
    ensemble = fitted("ensemble", "multiclass")
    table = modality_importance(ensemble, X, Y, metric="f1", n_resamples=5, n_repeats=1)
    scores = table[table["case"] == "full"].set_index("label")["score"]
    expected = f1_score(Y, ensemble.predict(X), average=None)
    np.testing.assert_allclose(scores[GENRES], expected)


# -- explanations ----------------------------------------------------------------------------


@both
@each_target
def test_contributions_add_up_to_log_odds(kind, target, fitted):
    estimator = fitted(kind, target)
    explanation = estimator.explain(X[:4])
    labels = [True] if target == "binary" else GENRES.tolist()
    assert explanation.labels == labels
    log_odds = explanation.scores.set_index(["row", "label"])["log_odds"]
    total = explanation.modalities.groupby(["row", "label"])["contribution"].sum()
    total += explanation.scores.set_index(["row", "label"])["base"]
    np.testing.assert_allclose(total[log_odds.index], log_odds, atol=1e-4)
    y_score = estimator.predict_proba(X[:4])[:, -len(labels) :]
    np.testing.assert_allclose(explanation.scores["score"], y_score.ravel(), atol=1e-6)
    if (kind, target) != ("ensemble", "multiclass"):
        np.testing.assert_allclose(log_odds, logit(y_score.astype(float)).ravel(), atol=1e-3)


def test_only_the_second_of_two_classes_is_explained(fitted):
    match = r"Labels must be among \[True\]. Received \[False\]. Of two classes, the second"
    with pytest.raises(ValueError, match=match):
        fitted("ensemble", "binary").explain(X[:2], labels=False)


# -- thresholds, weights and calibration -----------------------------------------------------


def test_a_balanced_accuracy_compares_scores_with_the_shares_of_classes(fitted):
    shares = Y.value_counts(normalize=True)[GENRES].to_numpy()
    ensemble = make("ensemble", threshold="balanced_accuracy").fit(X, Y)
    np.testing.assert_allclose(ensemble.thresholds_, shares)
    y_score = ensemble.predict_proba(X)
    np.testing.assert_array_equal(y_score, fitted("ensemble", "multiclass").predict_proba(X))
    assert ensemble.predict(X).tolist() == GENRES[(y_score / shares).argmax(axis=1)].tolist()


@pytest.mark.parametrize(
    "threshold", [{"war": 0.1, "love": 0.3, "drama": 0.9}, [0.9, 0.3, 0.1]], ids=str
)
def test_scores_of_classes_are_divided_by_given_thresholds(threshold):
    ensemble = make("ensemble", threshold=threshold).fit(X, Y)
    expected = GENRES[(ensemble.predict_proba(X) / [0.9, 0.3, 0.1]).argmax(axis=1)]
    assert ensemble.predict(X).tolist() == expected.tolist()


@both
@pytest.mark.parametrize(
    ("threshold", "match"),
    [
        ("f1", "must be 'auto', 'accuracy' or None, .*Received threshold='f1'"),
        ("prevalence", "for the most probable class, 'balanced_accuracy', or one positive"),
        (0.3, "Received threshold=0.3"),
        (lambda tp, fp, fn, tn: tp - fp, "one positive number per class"),
        ([0.2, 0.3], "one number for each of the 3 labels"),
        ([0.2, 0.3, 0], r"thresholds must be positive.*Received threshold=\[0.2, 0.3, 0.0\]"),
        ([np.inf] * 3, "one of them finite"),
    ],
    ids=lambda each: "function" if callable(each) else str(each),
)
def test_thresholds_without_meaning_for_classes_are_refused(kind, threshold, match):
    with pytest.raises(ValueError, match=match):
        make(kind, threshold=threshold).fit(X, Y)


@pytest.mark.parametrize("threshold", ["auto", "accuracy", None])
def test_thresholds_of_the_most_probable_class_are_equal(threshold):
    ensemble = make("ensemble", threshold=threshold).fit(X, Y)
    np.testing.assert_array_equal(ensemble.thresholds_, [1 / 3] * 3)


@pytest.mark.slow
def test_weights_of_classes_are_weights_of_rows():
    balanced = compute_class_weight("balanced", classes=GENRES, y=Y)
    by_class = dict(zip(GENRES, balanced, strict=True))
    rows = Y.map(by_class)
    options = {"validation_data": (X, Y)}
    network = make("network", ["number"], epochs=1)
    expected = copy.copy(network).fit(X, Y, sample_weight=rows, **options)
    for weight in ("balanced", by_class):
        other = copy.copy(network).set_params(label_weight=weight).fit(X, Y, **options)
        np.testing.assert_array_equal(other.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ({"noir": 2}, r"names \['noir'\], which are no classes"),
        ([1, 2], "one positive number for each of the 3 classes"),
        ("equal", "must be 'balanced'"),
        ([1, 2, -1], "one positive number"),
    ],
    ids=str,
)
def test_other_weights_of_classes_are_refused(weight, match):
    with pytest.raises(ValueError, match=match):
        make("network", label_weight=weight).fit(X, Y)


@both
@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibrated_probabilities_add_up_to_1(kind, method):
    options = {"validation_data": (X.copy(), Y)} if kind == "network" else {}
    calibrated = make(kind, ["number"], calibration=method, **({"epochs": 1} if options else {}))
    y_score = calibrated.fit(X, Y, **options).predict_proba(X)
    np.testing.assert_allclose(y_score.sum(axis=1), 1, atol=1e-6)
    before = without_calibration(calibrated.model_).predict(batch(calibrated), verbose=0)
    if method == "platt":
        np.testing.assert_array_equal(y_score.argmax(axis=1), before.argmax(axis=1))
    assert log_loss(Y, y_score) < log_loss(Y, before / before.sum(axis=1, keepdims=True)) + 1e-6
    again = through_pickle(calibrated)
    np.testing.assert_array_equal(again.predict_proba(X), y_score)


# -- training --------------------------------------------------------------------------------


def test_a_network_of_several_classes_ends_in_a_softmax(fitted, capsys):
    classifier = make("network", ["number"], epochs=1, verbose=1).fit(X, Y)
    assert "y: one of 3 classes per row: ['drama', 'love', 'war']\n" in capsys.readouterr().out
    assert classifier.model_.get_layer("scores").activation.__name__ == "softmax"
    assert classifier.model_.get_compile_config()["loss"] == "categorical_crossentropy"
    binary = fitted("network", "binary").model_
    assert binary.output_shape == (None, 1)
    assert binary.get_compile_config()["loss"] == "binary_crossentropy"


@pytest.mark.slow
def test_training_goes_on_with_the_same_classes(fitted):
    classifier = copy.deepcopy(fitted("network", "multiclass"))
    classifier.set_params(epochs=1, warm_start=True)
    few = Y != "love"
    with pytest.warns(UserWarning, match=r"No training row has the label\(s\) \['love'\]"):
        classifier.fit(X[few], Y[few], validation_data=(X, Y))
    assert classifier.classes_.tolist() == GENRES.tolist()
    with pytest.raises(ValueError, match="a class that no training row has, in row 0"):
        classifier.fit(X, Y.replace(Y[0], "noir"))
    classifier.set_params(tags__head__units=2).refit_heads(X, Y, ["tags"])
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1, atol=1e-6)


def test_validation_rows_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"^y of validation_data has a class that no training row"):
        make("network").fit(X, Y, validation_data=(X, Y.replace("war", "noir")))


def test_the_name_of_a_column_of_x_is_a_target(fitted):
    ensemble = make("ensemble").fit(X.assign(genre=Y), "genre")
    np.testing.assert_array_equal(
        ensemble.predict_proba(X), fitted("ensemble", "multiclass").predict_proba(X)
    )
    assert ensemble.evaluate(X.assign(genre=Y), "genre").n_samples == N_ROWS


def test_a_forest_is_a_member():
    forest = RandomForestClassifier(10, random_state=1)
    ensemble = make("ensemble", members=[("forest", forest, ["number"])]).fit(X, Y)
    np.testing.assert_allclose(ensemble.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    assert [member.name for member in ensemble.members_][-1] in ("forest", "tags+number")


# -- scikit-learn ----------------------------------------------------------------------------


@pytest.mark.slow
@each_target
def test_cross_validation_splits_and_scores_classes(target):
    y = TARGETS[target]
    ensemble = make("ensemble")
    predicted = cross_val_predict(ensemble, X, y, cv=2)
    scoring = {
        "score": MultimodalEnsemble.score,
        "log_loss": "neg_log_loss",
        "roc_auc": "roc_auc" if target == "binary" else "roc_auc_ovr",
    }
    scores = cross_validate(ensemble, X, y, cv=2, scoring=scoring)
    assert accuracy_score(y, predicted) == pytest.approx(scores["test_score"].mean())
    for name in ("log_loss", "roc_auc"):
        assert np.isfinite(scores[f"test_{name}"]).all()


@pytest.mark.slow
def test_a_grid_search_of_a_network_takes_classes():
    search = GridSearchCV(make("network", ["number"], epochs=1), {"batch_size": [20]}, cv=2)
    search.fit(X, Y)
    assert search.classes_.tolist() == GENRES.tolist()
    assert search.score(X, Y) == accuracy_score(Y, search.predict(X))


# -- files -----------------------------------------------------------------------------------


def batch(estimator):
    """Return what the model of an estimator takes for all rows."""
    return estimator._open_rows(X).encode_rows(np.arange(N_ROWS))


def through_pickle(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@both
@each_target
def test_a_loaded_estimator_predicts_the_same(kind, target, fitted, tmp_path):
    estimator = fitted(kind, target)
    estimator.save(tmp_path / "file")
    loaded = type(estimator).load(tmp_path / "file")
    assert loaded.target_type_ == target
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    assert loaded.predict(X).tolist() == estimator.predict(X).tolist()
    assert loaded.score(X, TARGETS[target]) == estimator.score(X, TARGETS[target])


def test_a_file_of_an_older_version_has_labels(tmp_path):
    y = pd.DataFrame({genre: Y == genre for genre in GENRES}) * 1
    ensemble = make("ensemble").fit(X, y)
    ensemble.save(tmp_path / "new")
    path = rewrite(tmp_path / "new", tmp_path / "old", drop("target_type"))
    loaded = MultimodalEnsemble.load(path)
    assert loaded.target_type_ == "multilabel"
    np.testing.assert_array_equal(loaded.predict(X), ensemble.predict(X))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put("target_type", "regression"), "no target of type 'regression' with 3 classes"),
        (put("target_type", "binary"), "no target of type 'binary' with 3 classes"),
        (put("target_type", ["multiclass"]), "no target of type"),
        (put("target_type", "multilabel"), "'class_probabilities' in the file has no slope"),
        (put("thresholds", [0.1, 0.2, 0]), "thresholds must be positive|do not fit together"),
        (drop("weights", "class_probabilities"), "has no layer 'class_probabilities'"),
    ],
    ids=range(6),
)
def test_a_changed_file_is_refused(change, match, fitted, tmp_path):
    fitted("ensemble", "multiclass").save(tmp_path / "file")
    path = rewrite(tmp_path / "file", tmp_path / "changed", change)
    with pytest.raises(ArtefactError, match=match):
        MultimodalEnsemble.load(path)


@both
@each_target
def test_the_description_of_an_export_says_what_is_predicted(kind, target, fitted):
    estimator = fitted(kind, target)
    described = json.loads(json.dumps(describe(estimator._fitted())))
    assert described["target_type"] == target
    assert described["classes"] == estimator.classes_.tolist()
    assert described["labels"] == ([True] if target == "binary" else GENRES.tolist())
    assert described["output"]["shape"] == [None, len(described["labels"])]
    words = "second class" if target == "binary" else "highest score / threshold"
    assert words in described["predicate"]
    assert described["thresholds"] == estimator.thresholds_.tolist()


# Of both kinds, the output of two classes is a sigmoid.
@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("ensemble", "multiclass"),
        ("network", "binary"),
        pytest.param("network", "multiclass", marks=pytest.mark.slow),
    ],
)
def test_an_exported_model_decides_as_its_description_says(kind, target, tmp_path):
    estimator = make(kind, ["number"]).fit(X, TARGETS[target])
    estimator.export(tmp_path / "model", format="litert")
    described = json.loads((tmp_path / "model.json").read_text())
    inputs = {name: np.asarray(rows, "float32") for name, rows in batch(estimator).items()}
    y_score = open_litert(tmp_path / "model")(inputs)
    np.testing.assert_allclose(
        y_score, estimator.predict_proba(X)[:, -y_score.shape[1] :], atol=1e-5
    )
    if target == "binary":
        codes = (y_score[:, 0] >= described["thresholds"][0]).astype(int)
    else:
        codes = (y_score / described["thresholds"]).argmax(axis=1)
    assert np.array(described["classes"])[codes].tolist() == estimator.predict(X).tolist()


def test_a_second_class_that_is_never_predicted_is_reported(capsys):
    y = pd.Series(["no"] * (N_ROWS - 2) + ["yes"] * 2)
    rows = pd.DataFrame({"tags": [["x"]] * N_ROWS, "number": 0.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ensemble = make("ensemble", threshold="accuracy", verbose=1).fit(rows, y)
    assert "The class 'yes' is never predicted, because its learned" in capsys.readouterr().out
    assert set(ensemble.predict(rows)) == {"no"}
