"""Calibration: against scikit-learn and brute force, in both estimators, and in their files."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from multimodal_ensemble import (
    DenseEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
    mean_roc_auc,
    tune_thresholds,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.estimators._calibration import (
    apply_calibration,
    learn_calibration,
    saved_calibration,
    with_calibration,
    without_calibration,
)
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.fusion import IsotonicCalibration, PlattCalibration
from multimodal_ensemble.linear import PlattScaling
from multimodal_ensemble.metrics import label_report
from multimodal_ensemble.saving import read_archive, write_archive

METHODS = ["platt", "isotonic"]
LABELS = np.array(["a", "b", "c"], dtype=object)


def draw_scores(n_rows=400, n_labels=3, seed=0):
    """Return labels, and scores that rank them well but are too extreme; some are equal."""
    generator = np.random.default_rng(seed)
    y_true = generator.random((n_rows, n_labels)) < 0.4
    log_odds = 4 * (y_true - 0.7) + 3 * generator.normal(size=y_true.shape)
    return y_true, expit(log_odds.round(1)).astype("float32")


def target_of(y_true):
    """Return the targets of Platt (1999) for one label."""
    return np.where(y_true, 1 - 1 / (y_true.sum() + 2), 1 / ((~y_true).sum() + 2))


def assert_ranks_are_equal(after, before, *, ties=0.0):
    """Assert that no row overtakes another within a label; a share of rows may become equal."""
    for new, old in zip(after.T, before.T, strict=True):
        in_order = new[np.argsort(old, kind="stable")]
        assert (np.diff(in_order) >= 0).all()
        assert len(np.unique(new)) >= (1 - ties) * len(np.unique(old))


# -- what is learned ---------------------------------------------------------------------------


def test_platt_is_a_logistic_regression_of_log_odds():
    y_true, y_score = draw_scores(n_labels=1)
    calibration = learn_calibration("platt", LABELS[:1], y_true, y_score)
    log_odds = np.asarray(calibration.log_odds(y_score), dtype=float)
    target = target_of(y_true[:, 0])
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(
        np.concatenate([log_odds, log_odds]),
        np.repeat([0, 1], len(target)),
        sample_weight=np.concatenate([1 - target, target]),
    )
    np.testing.assert_allclose(
        np.ravel(calibration.get_weights()), [oracle.coef_[0, 0], oracle.intercept_[0]], rtol=1e-4
    )


@pytest.mark.parametrize("weight", [None, np.arange(1, 401) / 100])
def test_isotonic_is_isotonic_regression_at_its_knots(weight):
    y_true, y_score = draw_scores()
    calibration = learn_calibration("isotonic", LABELS, y_true, y_score, weight)
    for label, (knots, values) in enumerate(zip(*calibration.get_weights(), strict=True)):
        truth, scores = y_true[:, label], y_score[:, label].astype(float)
        each = np.ones(len(truth)) if weight is None else weight / weight.mean()
        high, low = 1 - 1 / (each[truth].sum() + 2), 1 / (each[~truth].sum() + 2)
        oracle = IsotonicRegression().fit(scores, np.where(truth, high, low), weight)
        inner = (knots > 0) & (knots < 1)
        assert inner.sum() > 5
        # A single score is its own centre, which float32 rounds.
        np.testing.assert_allclose(values[inner], oracle.predict(knots[inner]), atol=1e-5)
        assert (knots[0], values[0], knots[-1], values[-1]) == (0, 0, 1, 1)


def test_isotonic_has_the_values_of_the_min_max_formula():
    y_true, y_score = draw_scores(60, 1)
    _, values = learn_calibration("isotonic", LABELS[:1], y_true, y_score).get_weights()
    scores, target = y_score[:, 0], target_of(y_true[:, 0])
    distinct = np.unique(scores)
    expected = [
        max(
            min(target[(scores >= low) & (scores <= high)].mean() for high in distinct[row:])
            for low in distinct[: row + 1]
        )
        for row in range(len(distinct))
    ]
    np.testing.assert_allclose(np.unique(values)[1:-1], np.unique(np.float32(expected)), atol=1e-6)


def test_the_number_of_knots_is_bounded():
    y_true = np.random.default_rng(0).random((50_000, 1)) < np.linspace(0, 1, 50_000)[:, None]
    y_score = np.linspace(0, 1, 50_000, dtype="float32")[:, None]
    calibration = learn_calibration("isotonic", LABELS[:1], y_true, y_score)
    assert calibration.n_knots == IsotonicCalibration.MAX_KNOTS
    result = apply_calibration(calibration, y_score)
    np.testing.assert_allclose(result, y_score, atol=0.04)
    assert_ranks_are_equal(result, y_score, ties=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_ranks_are_unchanged_and_probabilities_are_better(method):
    y_true, y_score = draw_scores(2000)
    calibration = learn_calibration(method, LABELS, y_true[:1000], y_score[:1000])
    result = apply_calibration(calibration, y_score)
    assert result.dtype == np.float32
    assert_ranks_are_equal(result, y_score)
    assert mean_roc_auc(y_true, result) == pytest.approx(mean_roc_auc(y_true, y_score), abs=1e-12)
    new, old = (label_report(y_true[1000:], s[1000:], [0.5] * 3) for s in (result, y_score))
    assert (new["calibration_error"] < 0.5 * old["calibration_error"]).all()
    assert (new["brier_score"] < old["brier_score"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_scores_that_rank_wrongly_do_not_turn_around(method):
    y_true, y_score = draw_scores()
    calibration = learn_calibration(method, LABELS, y_true, 1 - y_score)
    assert_ranks_are_equal(apply_calibration(calibration, y_score), y_score, ties=1)


@pytest.mark.parametrize(("method", "least"), [("platt", "1 row"), ("isotonic", "5 rows")])
def test_labels_with_few_rows_keep_their_scores(method, least):
    y_true, y_score = draw_scores()
    n_rows = int(least[0])
    y_true[:, 0] = np.arange(len(y_true)) < n_rows - 1
    y_true[:, 1] = np.arange(len(y_true)) >= n_rows
    message = rf"1 of 3 labels keep .*='{method}' needs {least} or more .*: \['a'\]\."
    with pytest.warns(UserWarning, match=message):
        calibration = learn_calibration(method, LABELS, y_true, y_score)
    result = apply_calibration(calibration, y_score)
    np.testing.assert_allclose(result[:, 0], y_score[:, 0], atol=3e-7)
    assert (np.abs(result - y_score)[:, 1:].max(axis=0) > 0.01).all()


def test_no_label_with_enough_rows():
    y_true, y_score = draw_scores(6)
    with pytest.warns(UserWarning, match="3 of 3 labels keep their scores"):
        assert learn_calibration("isotonic", LABELS, y_true, y_score) is None
    assert apply_calibration(None, y_score) is y_score


@pytest.mark.parametrize("kind", [MultimodalClassifier, MultimodalEnsemble])
@pytest.mark.parametrize("calibration", ["sigmoid", True, 1])
def test_unknown_methods_are_refused(kind, calibration):
    X, y = draw_table(9)
    message = "calibration must be one of None, 'platt', 'isotonic'. Received calibration="
    with pytest.raises(ValueError, match=message):
        kind([DenseEncoder("x")], calibration=calibration).fit(X, y)


# -- the network -------------------------------------------------------------------------------


def draw_table(n_rows, seed=0):
    """Return two columns of numbers and two labels that depend on them."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n_rows, 2))
    y = x @ [[1, 0.5], [0, 1]] + generator.normal(size=(n_rows, 2)) > 0
    return pd.DataFrame(x, columns=["x", "z"]), pd.DataFrame(y, columns=["even", "odd"])


TRAIN, VALIDATION = draw_table(60, 1), draw_table(160, 2)
NETWORK = {
    "epochs": 2,
    "batch_size": 20,
    "optimizer": keras.optimizers.SGD(1.0),
    "verbose": 0,
    "random_state": 1,
}


def make_encoders():
    return [DenseEncoder(name, head=DenseHead(2)) for name in ("x", "z")]


def fit_network(calibration, **options):
    classifier = MultimodalClassifier(
        make_encoders(), calibration=calibration, **{**NETWORK, **options}
    )
    return classifier.fit(*TRAIN, validation_data=VALIDATION)


@pytest.fixture(scope="module")
def plain():
    return fit_network(None)


@pytest.fixture(scope="module")
def isotonic():
    return fit_network("isotonic")


@pytest.fixture(scope="module", params=METHODS)
def calibrated(request):
    if request.param == "isotonic":
        return request.getfixturevalue("isotonic")
    return fit_network(request.param)


def test_a_network_is_calibrated_on_validation_rows(plain, calibrated):
    X, y = VALIDATION
    y_true, before = y.to_numpy(), plain.predict_proba(X)
    calibration = learn_calibration(calibrated.calibration, plain.classes_, y_true, before)
    expected = apply_calibration(calibration, before)
    after = calibrated.predict_proba(X)
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert np.abs(after - before).max() > 0.02
    assert_ranks_are_equal(after, before)
    np.testing.assert_allclose(
        calibrated.thresholds_, tune_thresholds(y_true, after, criterion="prevalence"), atol=1e-6
    )
    np.testing.assert_array_equal(calibrated.predict(X), plain.predict(X))
    inputs = {each.name: each.encode(X[each.name]) for each in calibrated.encoders_}
    np.testing.assert_allclose(calibrated.model_.predict(inputs, verbose=0), after, atol=1e-6)
    evaluations = [each.evaluate(X, y) for each in (calibrated, plain)]
    new, old = (each.mean_roc_auc for each in evaluations)
    assert new == pytest.approx(old)
    assert calibrated.provenance_["calibration"] == calibrated.calibration


def test_a_calibration_on_training_rows_is_reported():
    options = {**NETWORK, "validation_fraction": None, "threshold": 0.5}
    with pytest.warns(UserWarning, match="calibration is learned on the training rows"):
        MultimodalClassifier(make_encoders(), calibration="platt", **options).fit(*TRAIN)


def test_a_saved_network_stays_calibrated(calibrated, tmp_path):
    X, _ = VALIDATION
    # What was fitted is saved, not what the parameter says since.
    changed = pickle.loads(pickle.dumps(calibrated)).set_params(calibration=None)
    changed.save(tmp_path / "file")
    loaded = MultimodalClassifier.load(tmp_path / "file")
    np.testing.assert_array_equal(loaded.predict_proba(X), calibrated.predict_proba(X))
    np.testing.assert_array_equal(loaded.thresholds_, calibrated.thresholds_)


@pytest.mark.slow
def test_further_training_is_that_of_scores_before_calibration(plain, isotonic):
    options = {"warm_start": True, "epochs": 1, "optimizer": "sgd"}
    copies = [pickle.loads(pickle.dumps(each)).set_params(**options) for each in (plain, isotonic)]
    for each in copies:
        each.fit(*TRAIN, validation_data=VALIDATION)
    expected = copies[0].model_.get_weights()
    weights = without_calibration(copies[1].model_).get_weights()
    for wanted, weight in zip(expected, weights, strict=True):
        np.testing.assert_array_equal(weight, wanted)
    X, y = VALIDATION
    before = copies[0].predict_proba(X)
    method = isotonic.calibration
    calibration = learn_calibration(method, plain.classes_, y.to_numpy(), before)
    expected = apply_calibration(calibration, before)
    np.testing.assert_allclose(copies[1].predict_proba(X), expected, atol=1e-6)
    # A layer of a calibration neither stays nor is kept with the heads.
    head = copies[1].model_.get_layer("x_head").get_weights()
    copies[1].set_params(calibration=None).refit_heads(*TRAIN, ["z"], validation_data=VALIDATION)
    for weight, wanted in zip(
        copies[1].model_.get_layer("x_head").get_weights(), head, strict=True
    ):
        np.testing.assert_array_equal(weight, wanted)
    assert copies[1].model_.layers[-1].name == "scores"


def test_a_calibrated_model_shares_all_layers(plain):
    layer = PlattCalibration(name="calibration")
    model = with_calibration(plain.model_, layer)
    assert [*model.layers] == [*plain.model_.layers, layer]
    assert [*without_calibration(model).layers] == [*plain.model_.layers]
    assert without_calibration(plain.model_) is plain.model_
    assert (model.name, model.dtype_policy) == (plain.model_.name, plain.model_.dtype_policy)


# -- files -------------------------------------------------------------------------------------


GOOD = {"platt": np.ones(2, "float32"), "isotonic": np.array([[0, 0.5, 1]] * 2, "float32")}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda array: array + np.float32(np.nan), "has no increasing function for each label"),
        (lambda array: array - 2, "has no increasing function for each label"),
        (lambda array: array[:1], "has no increasing function for each label"),
        (lambda array: array[:0], "has no increasing function for each label"),
        (lambda array: np.repeat(array, 33, axis=-1), "n_knots must be|has no increasing function"),
    ],
)
def test_weights_of_no_calibration_are_refused(change, match, method):
    assert saved_calibration([GOOD[method]] * 2, 2).built
    with pytest.raises(ValueError, match=match):
        saved_calibration([change(GOOD[method])] * 2, 2)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((2, 3, 4), "float32"), "and the file has .*3, 4"),
        (np.zeros(()), "do not fit together"),
        (np.ones(2), "has weights .*float32.*, and the file has .*float64"),
        (np.full(2, np.inf, "float32"), "'calibration' in the file has no increasing function"),
    ],
)
def test_changed_files_are_refused(array, match, calibrated, tmp_path):
    calibrated.save(tmp_path / "file")
    document, arrays = read_archive(
        tmp_path / "file", format_name="multimodal_ensemble estimator", max_version=1
    )
    with arrays:
        contents = {name: arrays[name] for name in arrays}
    contents["weights/calibration/0"] = contents["weights/calibration/1"] = array
    write_archive(tmp_path / "changed", document, contents)
    with pytest.raises(ArtefactError, match=match):
        MultimodalClassifier.load(tmp_path / "changed")


def test_no_modality_may_have_the_name_of_the_layer():
    X, y = TRAIN
    X = X.rename(columns={"x": "calibration"})
    for kind in (MultimodalClassifier, MultimodalEnsemble):
        with pytest.raises(ValueError, match=r"would have the name\(s\) \['calibration'\]"):
            kind([DenseEncoder("calibration")], verbose=0).fit(X, y)


# -- the ensemble ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ensembles():
    return {
        method: MultimodalEnsemble(
            make_encoders(), calibration=method, random_state=0, verbose=0
        ).fit(*VALIDATION)
        for method in (None, *METHODS)
    }


def test_platt_scaling_of_scaled_scores_changes_nothing():
    y_true, y_score = draw_scores()
    log_odds = PlattScaling.fit(y_score.astype(float), y_true).log_odds(y_score)
    again = PlattScaling.fit(log_odds, y_true).log_odds(log_odds)
    np.testing.assert_allclose(again, log_odds, atol=1e-6)


def test_the_sum_of_an_ensemble_is_always_scaled_by_platt(ensembles):
    X, _ = TRAIN
    expected = ensembles[None].predict_proba(X)
    np.testing.assert_array_equal(ensembles["platt"].predict_proba(X), expected)
    assert ensembles[None].provenance_["calibration"] == "platt"


def test_isotonic_calibration_of_an_ensemble(ensembles, tmp_path):
    X, _ = TRAIN
    plain, ensemble = ensembles[None], ensembles["isotonic"]
    before, after = plain.predict_proba(X), ensemble.predict_proba(X)
    assert np.abs(after - before).max() > 0.02
    assert_ranks_are_equal(after, before)
    np.testing.assert_array_equal(ensemble.predict(X), plain.predict(X))
    assert isinstance(ensemble.model_.layers[-1], IsotonicCalibration)
    assert ensemble.provenance_["mean_roc_auc"] == pytest.approx(plain.provenance_["mean_roc_auc"])
    ensemble.save(tmp_path / "file")
    loaded = MultimodalEnsemble.load(tmp_path / "file")
    np.testing.assert_array_equal(loaded.predict_proba(X), after)
    assert loaded.calibration == "isotonic"
