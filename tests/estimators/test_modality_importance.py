"""Scores without a modality are those of rows that lack it; mistakes are the most confident."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from multimodal_ensemble import (
    DenseEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
)
from multimodal_ensemble.estimators import errors, modality_importance
from multimodal_ensemble.explanation import modality_scores
from multimodal_ensemble.metrics import bootstrap_counts, compare_scores, label_report
from tests.explanation.tables import N_TRAIN, make_encoders, make_table

TABLE, LABELS = make_table(180)
TEST, TRUE = TABLE[N_TRAIN:], LABELS[N_TRAIN:]
COLUMNS = {"tags": ["tags"], "numbers": ["year", "minutes"], "country": ["country"]}


@pytest.fixture(scope="module")
def ensemble():
    ensemble = MultimodalEnsemble(make_encoders(optional=True), verbose=0, random_state=0)
    return ensemble.fit(TABLE[:N_TRAIN], LABELS[:N_TRAIN])


@pytest.fixture(scope="module")
def network():
    encoders = make_encoders(optional=True)
    options = {"epochs": 2, "optimizer": "sgd", "verbose": 0, "random_state": 0}
    network = MultimodalClassifier(encoders, **options)
    return network.fit(TABLE[:N_TRAIN], LABELS[:N_TRAIN])


@pytest.fixture(scope="module")
def whole(ensemble):
    """Return all errors."""
    return errors(ensemble, TEST, TRUE, n=1000)


def score_of(estimator, table, metric="roc_auc"):
    report = label_report(TRUE, estimator.predict_proba(table), estimator.thresholds_)
    return report[metric].to_numpy()


@pytest.mark.parametrize("name", ["ensemble", "network"])
def test_missing_and_alone_are_rows_that_lack_columns(name, request):
    estimator = request.getfixturevalue(name)
    dataset = MultimodalDataset(TEST, estimator.encoders_)
    scores = modality_scores(estimator.model_, dataset, n_repeats=1, random_state=0)
    found = modality_importance(estimator, TEST, TRUE, n_resamples=2)
    found = found.set_index(["modality", "case"])["score"].sort_index()
    tables = {("", "full"): TEST}
    for modality, columns in COLUMNS.items():
        tables[modality, "missing"] = TEST.assign(**dict.fromkeys(columns))
        tables[modality, "alone"] = TEST[columns]
    for key, table in tables.items():
        (y_score,) = scores[key]
        np.testing.assert_allclose(y_score, estimator.predict_proba(table), atol=1e-5)
        expected = label_report(TRUE, y_score, estimator.thresholds_)["roc_auc"]
        np.testing.assert_allclose(found[key].iloc[1:], expected, atol=1e-9)


def test_names_of_modalities_may_end_like_those_of_layers():
    table = TABLE[["year", "minutes"]]
    encoders = [
        DenseEncoder(name, column=column, optional=True)
        for name, column in {"x_radial": "year", "y_head": "minutes"}.items()
    ]
    ensemble = MultimodalEnsemble(encoders, verbose=0, random_state=0)
    ensemble.fit(table[:N_TRAIN], LABELS[:N_TRAIN])
    dataset = MultimodalDataset(table[N_TRAIN:], ensemble.encoders_)
    scores = modality_scores(ensemble.model_, dataset, n_repeats=1, random_state=0)
    order = np.random.default_rng(0).permutation(dataset.n_samples)
    shuffled = table[N_TRAIN:].assign(year=table["year"][N_TRAIN:].to_numpy()[order])
    (found,) = scores["x_radial", "shuffled"]
    np.testing.assert_allclose(found, ensemble.predict_proba(shuffled), atol=1e-5)


def test_shuffled_is_the_mean_over_permuted_columns(ensemble):
    found = modality_importance(
        ensemble, TEST, TRUE, metric="accuracy", n_repeats=2, n_resamples=2, random_state=3
    )
    found = found.set_index(["modality", "case"])["score"].sort_index()["tags", "shuffled"]
    rng = np.random.default_rng(3)
    permuted = [
        TEST.assign(tags=TEST["tags"].to_numpy()[rng.permutation(len(TEST))]) for _ in range(2)
    ]
    expected = np.mean([score_of(ensemble, table, "accuracy") for table in permuted], axis=0)
    np.testing.assert_allclose(found.iloc[1:], expected, atol=1e-9)
    assert found.iloc[0] == pytest.approx(expected.mean())


def test_intervals_are_those_of_a_paired_bootstrap(ensemble):
    found = modality_importance(ensemble, TEST, TRUE, n_resamples=50, level=0.9, random_state=5)
    full, without = TEST, TEST.assign(tags=None)
    scores = {name: ensemble.predict_proba(t) for name, t in {"f": full, "w": without}.items()}
    expected = compare_scores(TRUE, scores, n_resamples=50, level=0.9, random_state=5).table
    row = found[(found["modality"] == "tags") & (found["case"] == "missing")].iloc[0]
    for column in ("score", "low", "high", "difference", "difference_low", "difference_high"):
        assert row[column] == pytest.approx(expected[column].iloc[1], abs=1e-6)


def test_the_table_has_one_row_per_modality_case_and_label(ensemble):
    found = modality_importance(ensemble, TEST, TRUE, n_resamples=10)
    assert len(found) == (1 + 3 * 3) * (1 + 3)
    assert found["modality"].unique().tolist() == ["", *COLUMNS]
    assert found[found["case"] == "full"]["difference"].isna().all()
    assert found["label"].iloc[:4].tolist() == [None, "Action", "Romance", "New"]


def test_a_label_of_one_class_is_left_out_of_the_mean(ensemble):
    rows = TRUE["Romance"] == 0
    found = modality_importance(ensemble, TEST[rows], TRUE[rows], n_resamples=10)
    full = found[found["case"] == "full"].set_index("label")["score"]
    assert np.isnan(full["Romance"])
    assert full.iloc[0] == pytest.approx(full[["Action", "New"]].mean())


def test_calibrated_scores_are_compared_with_thresholds():
    encoders = make_encoders(optional=True)[2:]
    network = MultimodalClassifier(
        encoders, epochs=1, optimizer="sgd", calibration="platt", verbose=0, random_state=0
    )
    network.fit(TABLE[:N_TRAIN], LABELS[:N_TRAIN])
    found = modality_importance(network, TEST, TRUE, metric="f1", n_resamples=2)
    full = found[found["case"] == "full"]["score"].iloc[1:]
    np.testing.assert_allclose(full, score_of(network, TEST, "f1"), atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "mean_roc_auc"}, "metric"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"n_resamples": 0}, "n_resamples"),
        ({"level": 1.0}, "level"),
        ({"groups": TEST["year"][::-1]}, "The rows of groups and of X have different index labels"),
    ],
)
def test_bad_options_of_importance_are_refused(ensemble, options, message):
    with pytest.raises(ValueError, match=message):
        modality_importance(ensemble, TEST, TRUE, **options)


@pytest.mark.parametrize("function", [errors, modality_importance])
@pytest.mark.parametrize(
    ("estimator", "received"),
    [
        (DummyClassifier(), "a DummyClassifier"),
        (MultimodalEnsemble, "the class MultimodalEnsemble"),
        (TEST, "a DataFrame"),
    ],
)
def test_other_estimators_are_refused(function, estimator, received):
    with pytest.raises(TypeError, match=f"MultimodalEnsemble. Received {received}."):
        function(estimator, TEST, TRUE)


def test_errors_are_the_most_confident_mistakes(ensemble, whole):
    wrong = ensemble.predict(TEST) != TRUE.to_numpy()
    assert len(whole) == wrong.sum() > 3
    assert whole["margin"].is_monotonic_decreasing
    score = dict(zip(TEST.index, ensemble.predict_proba(TEST), strict=True))
    for row in whole.itertuples():
        position = list(TRUE.columns).index(row.label)
        assert row.score == score[row.row][position]
        assert row.threshold == ensemble.thresholds_[position]
        is_predicted = row.score >= row.threshold
        assert row.kind == ("false positive" if is_predicted else "false negative")
        assert TRUE.loc[row.row, row.label] == (not is_predicted)
    first = whole.iloc[0]
    top = ensemble.explain(TEST.loc[[first["row"]]]).top(first["row"], first["label"], 1).iloc[0]
    assert first["parts"].startswith(f"{top['part']} {top['contribution']:+.2f}")


def test_a_label_that_is_never_predicted_does_not_come_first(ensemble, whole):
    thresholds = ensemble.thresholds_
    try:
        ensemble.thresholds_ = np.where(np.arange(3) == 0, np.inf, thresholds)
        found = errors(ensemble, TEST, TRUE, n=1000)
    finally:
        ensemble.thresholds_ = thresholds
    others = found[found["label"] != "Action"]
    assert others["margin"].tolist() == whole[whole["label"] != "Action"]["margin"].tolist()
    action = found[found["label"] == "Action"]
    assert len(action) == TRUE["Action"].sum()
    expected = np.maximum(0, -np.log(action["score"] / (1 - action["score"])))
    np.testing.assert_allclose(action["margin"], expected, rtol=1e-5)


def test_resamples_without_a_class_are_counted(ensemble):
    rows = [*range(8)]
    found = modality_importance(ensemble, TEST[:8], TRUE[:8], n_resamples=200)
    counts = bootstrap_counts(len(rows), 200, random_state=0)
    true = TRUE[:8].to_numpy().astype(bool)
    lacks = (counts @ true == 0) | (counts @ ~true == 0)
    full = found[found["case"] == "full"]["n_incomplete"].tolist()
    known = true.any(axis=0) & ~true.all(axis=0)
    assert full == [lacks[:, known].any(axis=1).sum(), *lacks.sum(axis=0)]
    assert full[0] > 0


def test_errors_of_one_label_and_kind(ensemble, whole):
    for kind in ("false positive", "false negative"):
        found = errors(ensemble, TEST, TRUE, label="New", kind=kind, n=1000)
        expected = whole[(whole["label"] == "New") & (whole["kind"] == kind)]
        assert found["row"].tolist() == expected["row"].tolist()
    assert len(errors(ensemble, TEST, TRUE, n=2)) == 2


def test_no_errors_is_an_empty_table(ensemble):
    found = errors(ensemble, TEST, ensemble.predict(TEST))
    assert found.empty
    assert "parts" in found.columns


def test_bad_arguments_of_errors_are_refused(ensemble):
    with pytest.raises(ValueError, match=r"Labels must be among .*'War'"):
        errors(ensemble, TEST, TRUE, label="War")
    with pytest.raises(ValueError, match="kind"):
        errors(ensemble, TEST, TRUE, kind="wrong")
    with pytest.raises(ValueError, match="n"):
        errors(ensemble, TEST, TRUE, n=0)
