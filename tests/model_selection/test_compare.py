"""Comparisons of estimators, against a plain loop, and a killed one against a whole one."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    ImageEncoder,
    MultilabelStratifiedKFold,
    MultimodalEnsemble,
    TunedThresholdMultilabelClassifier,
)
from multimodal_ensemble.model_selection import compare
from multimodal_ensemble.model_selection._comparison_fit import with_seeds
from tests.toys import draw_labels, draw_table, make_network

X, Y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
NAMES = ["night", "city", "sea"]
FOLDS = list(MultilabelStratifiedKFold(3, random_state=0).split(X, Y))
KNN, TREE = KNeighborsClassifier(5), DecisionTreeClassifier(max_depth=3, random_state=4)
MODELS = {
    "list of probabilities": TREE,
    "decision values": RidgeClassifier(),
    "pipeline": make_pipeline(StandardScaler(), KNN),
    "own thresholds": TunedThresholdMultilabelClassifier(KNN, threshold="f1", random_state=3),
    "own thresholds in a pipeline": make_pipeline(
        StandardScaler(), TunedThresholdMultilabelClassifier(TREE, random_state=3)
    ),
    "own thresholds of decision values": TunedThresholdMultilabelClassifier(
        RidgeClassifier(), response_method="decision_function", random_state=3
    ),
}


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that records how it is fitted, and fails after some fits."""

    fits: list = []  # noqa: RUF012
    n_left = np.inf

    def __init__(self, power=1.0, random_state=None, store=None, verbose=1):
        self.power = power
        self.random_state = random_state
        self.store = store
        self.verbose = verbose

    def fit(self, X, y, groups=None):
        if not Recorder.n_left:
            raise KeyboardInterrupt
        Recorder.n_left -= 1
        Recorder.fits.append((self.get_params(), X, y, groups))
        self.thresholds_ = np.full(np.shape(y)[1], 0.5)
        return self

    def predict_proba(self, X):
        rng = np.random.default_rng(self.random_state)
        return rng.random((len(X), len(self.thresholds_))) ** self.power


@pytest.fixture(autouse=True)
def _forget_fits():
    Recorder.fits.clear()
    Recorder.n_left = np.inf


def run(estimators=None, X=X, y=Y, **options):
    estimators = {"a": Recorder(), "b": Recorder(2.0)} if estimators is None else estimators
    options = {"cv": FOLDS, "n_resamples": 20, "verbose": 0, **options}
    return compare(estimators, X, y, **options)


@pytest.fixture(scope="module")
def result():
    return run(MODELS)


def scores_of(fitted, rows):
    scores = (
        fitted.predict_proba(rows)
        if hasattr(fitted, "predict_proba")
        else fitted.decision_function(rows)
    )
    return np.stack([each[:, 1] for each in scores], axis=1) if isinstance(scores, list) else scores


@pytest.mark.parametrize("model", MODELS)
def test_scores_and_thresholds_are_those_of_a_plain_loop(model, result):
    for split, (train, test) in zip(result.splits, FOLDS, strict=True):
        fitted = clone(MODELS[model]).fit(X[train], Y[train])
        tuned = fitted
        if not model.startswith("own"):
            tuned = TunedThresholdMultilabelClassifier(MODELS[model], random_state=0)
            tuned.fit(X[train], Y[train])
        elif "pipeline" in model:
            tuned = fitted[-1]
        np.testing.assert_array_equal(split.rows, test)
        np.testing.assert_array_equal(split.thresholds[model], tuned.thresholds_)
        scores = split.y_scores[model]
        np.testing.assert_allclose(
            scores,
            scores_of(fitted, X[test])
            if "decision" not in model
            else fitted.decision_function(X[test]),
        )
        expected = fitted.predict(X[test]) if "own" in model else tuned.predict(X[test])
        np.testing.assert_array_equal(scores >= split.thresholds[model], expected)
        assert split.seconds[model] > 0


def test_without_a_criterion_thresholds_are_the_middle_of_the_range():
    models = {name: MODELS[name] for name in ["list of probabilities", "decision values"]}
    thresholds = run(models, threshold=None).splits[0].thresholds
    assert {name: set(values) for name, values in thresholds.items()} == {
        "list of probabilities": {0.5},
        "decision values": {0.0},
    }


def test_repeats_have_the_same_folds_and_other_seeds():
    result = run({"free": Recorder(), "set": Recorder(random_state=7)}, repeats=2)
    seeds = [params["random_state"] for params, *_ in Recorder.fits]
    free, given = np.reshape(seeds, (2, len(FOLDS), 2)).transpose(2, 0, 1)
    assert set(given[0]) == {7}
    assert len({*free[0]}) == len({*free[1]}) == len({*given[1]}) == 1
    assert len({free[0, 0], free[1, 0], 7}) == 3
    assert [split.repeat for split in result.splits] == [0, 0, 0, 1, 1, 1]
    for split, (_, test) in zip(result.splits, FOLDS * 2, strict=True):
        np.testing.assert_array_equal(split.rows, test)
    table = result.table
    assert (table[["sd_repeats", "sd_rows"]] > 0).all(axis=None)
    by_repeat = [run(repeats=r, metrics="mean_roc_auc").table["score"] for r in (1, 2)]
    assert not by_repeat[0].equals(by_repeat[1])


def test_seeds_are_set_in_nested_estimators():
    nested = make_pipeline(StandardScaler(), TunedThresholdMultilabelClassifier(TREE))
    name = "tunedthresholdmultilabelclassifier__random_state"
    inner = "tunedthresholdmultilabelclassifier__estimator__random_state"
    first, second = (with_seeds(nested, 0, repeat).get_params() for repeat in (0, 1))
    assert (nested.get_params()[name], first[inner]) == (None, 4)
    assert len({first[name], second[name], second[inner], 4}) == 4


def test_names_of_labels_and_rows_are_kept():
    index = [f"film {number}" for number in range(len(X))]
    table = pd.DataFrame(X, index=index)
    labels = pd.DataFrame(Y, columns=NAMES, index=index)
    result = run(X=table, y=labels)
    assert (result.labels, list(result.rows)) == (NAMES, index)
    np.testing.assert_array_equal(result.y_true, Y == 1)
    assert list(Recorder.fits[0][2].columns) == NAMES
    lists = [[name for name, value in zip(NAMES, row, strict=True) if value] for row in Y]
    assert run(y=pd.Series(lists, index=index)).labels == sorted(NAMES)


@pytest.mark.parametrize("source", ["table", "file"])
def test_a_name_of_a_column_is_its_labels(source, tmp_path):
    names = np.array(NAMES)
    # One row has a label that is left out.
    strings = [" / ".join(names[row == 1]) for row in Y]
    strings[7] += " / rare"
    table = pd.DataFrame(X, columns=list("abcdefghijklmnopqrst")).assign(genres=strings)
    if source == "file":
        table.to_parquet(tmp_path / "rows.parquet")
    given = table if source == "table" else tmp_path / "rows.parquet"
    options = {"cv": 2, "n_resamples": 20, "verbose": 0}
    recorder = {"recorder": Recorder(random_state=0)}
    found = compare(recorder, given, "genres", label_delimiter="/", min_label_count=2, **options)
    _, rows, y, _ = Recorder.fits[0]
    assert rows.columns.tolist() == list("abcdefghijklmnopqrst")
    assert y.columns.tolist() == sorted(NAMES)
    expected = compare(
        recorder,
        table.drop(columns="genres"),
        pd.DataFrame(Y, columns=NAMES)[sorted(NAMES)],
        **options,
    )
    pd.testing.assert_frame_equal(found.table, expected.table)


def test_groups_reach_the_folds_the_estimator_and_the_resamples():
    groups = np.arange(len(X)) // 4
    result = run({"own": Recorder(), "knn": KNN}, groups=groups, cv=GroupKFold(3))
    for _, X_train, _, own in Recorder.fits:
        positions = [int(np.flatnonzero((X == row).all(axis=1))[0]) for row in X_train]
        np.testing.assert_array_equal(own, groups[positions])
    np.testing.assert_array_equal(result.groups, groups)
    with pytest.raises(ValueError, match="cv divides groups"):
        run(groups=groups, cv=list(KFold(3, shuffle=True, random_state=0).split(X)))


def test_one_store_is_shared_and_nothing_is_printed(capsys):
    nested = make_pipeline(Recorder())
    models = {"a": Recorder(), "nested": nested, "other": Recorder(store="own")}
    run(models)
    stores = [params["store"] for params, *_ in Recorder.fits]
    assert stores[0] == stores[1] == stores[3]
    assert not Path(stores[0]).exists()
    assert stores[2] == "own"
    assert all(params["verbose"] is False for params, *_ in Recorder.fits)
    Recorder.fits.clear()
    run(models, store="given")
    assert {params["store"] for params, *_ in Recorder.fits} == {"given", "own"}
    assert capsys.readouterr().out == ""


def test_progress_is_shown(capsys):
    run({"a": Recorder()}, verbose=1)
    assert "3/3" in capsys.readouterr().out


def test_the_number_of_fits_is_shown_before_the_first_one(capsys):
    class Watcher(Recorder):
        def fit(self, X, y):
            shown.append(capsys.readouterr().out)
            return super().fit(X, y)

    shown = []
    run({"a": Watcher()}, verbose=1)
    assert "0/3" in shown[0]


def test_an_interrupted_comparison_goes_on(tmp_path):
    whole = run(repeats=2)
    n_fits = len(Recorder.fits)
    Recorder.fits.clear()
    Recorder.n_left = 5
    with pytest.raises(KeyboardInterrupt):
        run(repeats=2, path=tmp_path)
    Recorder.n_left = np.inf
    resumed = run(repeats=2, path=tmp_path)
    assert len(Recorder.fits) == n_fits
    pd.testing.assert_frame_equal(whole.table, resumed.table)
    # More models, repeats and metrics leave the finished fits as they are.
    more = {"c": Recorder(3.0), "a": Recorder(), "b": Recorder(2.0)}
    Recorder.fits.clear()
    run(more, repeats=3, path=tmp_path, metrics="macro_f1")
    assert len(Recorder.fits) == n_fits + len(FOLDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimators": {"a": Recorder(5.0)}}, "parameter 'power': 1.0 in the folder, 5.0 now"),
        ({"estimators": {"a": KNN}}, "estimator: Recorder in the folder, KNeighborsClassifier now"),
        ({"X": X + 1}, "X: "),
        ({"y": Y[:, ::-1]}, "y: "),
        ({"cv": 4}, "rows of the fold: "),
        ({"groups": np.arange(len(X))}, "groups: None in the folder"),
        ({"threshold": "f1"}, "threshold: 'prevalence' in the folder, 'f1' now"),
        ({"random_state": 1}, "random_state: 0 in the folder, 1 now"),
    ],
)
def test_a_folder_of_other_fits_is_refused(change, message, tmp_path):
    run({"a": Recorder()}, path=tmp_path)
    with pytest.raises(
        ValueError, match=f"fit of 'a', repeat 0, fold 0. What differs: .*{message}"
    ):
        run(**{"estimators": {"a": Recorder()}, "path": tmp_path, **change})


def test_fits_of_another_version_are_refused(monkeypatch, tmp_path):
    run({"a": Recorder()}, path=tmp_path)
    monkeypatch.setattr("multimodal_ensemble.model_selection._compare.__version__", "99")
    with pytest.raises(ValueError, match=r"library version: .* in the folder, 99 now"):
        run({"a": Recorder()}, path=tmp_path)


def test_a_damaged_file_is_refused_and_can_be_removed(tmp_path):
    run({"a": Recorder()}, path=tmp_path)
    (damaged, *_) = sorted(tmp_path.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(ValueError, match="Remove it to repeat its fit"):
        run({"a": Recorder()}, path=tmp_path)
    damaged.unlink()
    Recorder.fits.clear()
    run({"a": Recorder()}, path=tmp_path)
    assert len(Recorder.fits) == 1
    with pytest.raises(ValueError, match="is a file"):
        run(path=damaged)


@pytest.mark.slow
def test_an_ensemble_computes_its_features_once(monkeypatch):
    table, labels = draw_table(), draw_labels()
    encoded = []
    encode = ImageEncoder.encode

    def record(encoder, values):
        encoded.append(len(values))
        return encode(encoder, values)

    monkeypatch.setattr(ImageEncoder, "encode", record)
    tags, year = BagOfWordsEncoder("tags", optional=True), DenseEncoder("year")
    poster = ImageEncoder("poster", backbone=make_network(), optional=True)
    result = run(
        {"tags": MultimodalEnsemble([tags]), "both": MultimodalEnsemble([tags, poster, year])},
        table,
        labels,
        cv=2,
    )
    assert list(result.table["model"]) == ["tags", "both"] * 2
    assert np.isfinite(result.table["score"]).all()
    assert sum(encoded) == table["poster"].notna().sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"estimators": [KNN]},
            r"estimators must be a mapping with the name .* Received list of length 1\.",
        ),
        ({"estimators": {}}, r"estimators must be a mapping .* Received the names \[\]"),
        ({"estimators": {1: KNN}}, r"a string, as its key.* Received the names \[1\]"),
        ({"estimators": {"": KNN}}, r"Received the names \[''\]"),
        ({"estimators": {"a": KNeighborsClassifier}}, "must be instances .* for 'a'"),
        ({"estimators": {"a": StandardScaler()}}, r"estimators\['a'\]: .*must have predict_proba"),
        ({"baseline": "c"}, "baseline must be one of 'a', 'b'. Received baseline='c'"),
        ({"metrics": "roc_auc"}, "metrics must be one of 'mean_roc_auc'.* Received metrics='roc"),
        ({"metrics": ["micro_f1", "micro_f1"]}, "none twice"),
        ({"metrics": []}, "at least one metric"),
        ({"threshold": "f2"}, "threshold must be one of"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1"),
        ({"n_resamples": 0}, "n_resamples must be a whole number of at least 1"),
        ({"level": 95}, "level must be between 0 and 1"),
        ({"random_state": None}, "random_state must be a whole number of at least 0"),
        ({"verbose": 2}, "verbose must be one of 0, 1"),
        ({"cv": [(np.arange(30), np.arange(29, 60))]}, r"In split 0, 1 rows are both, \[29\]"),
        ({"cv": [([], np.arange(60))]}, "Split 0 has 0 training rows and 60 test rows"),
        ({"y": Y[1:]}, "X and y must have the same number of rows"),
        ({"y": "genres"}, "y='genres' names a column of X, which X does not have"),
        ({"label_delimiter": ""}, "label_delimiter must be a string that is not empty"),
        ({"min_label_count": 0}, "min_label_count must be a whole number of at least 1"),
        ({"min_label_count": 61}, "No label of y has min_label_count=61 rows"),
    ],
)
def test_invalid_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        run(**change)
    assert not Recorder.fits


def test_an_error_of_an_estimator_says_which_fit_failed():
    with pytest.raises(ValueError, match="n_neighbors <= n_samples") as caught:
        run({"a": KNeighborsClassifier(50)}, threshold=None)
    assert caught.value.__notes__ == ["This was estimator 'a' in repeat 0, fold 0."]


def test_thresholds_of_another_number_of_labels_are_refused():
    class Wrong(Recorder):
        def fit(self, X, y):
            self.thresholds_ = [0.5]
            return self

        def predict_proba(self, X):
            return np.zeros((len(X), 3))

    with pytest.raises(ValueError, match=re.escape("must have shape (3,)")):
        run({"a": Wrong()})
