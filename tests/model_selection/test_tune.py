"""The search compared with cross-validation by scikit-learn, and a killed one with a whole one."""

import sys
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    DenseHead,
    MultilabelStratifiedKFold,
    MultimodalClassifier,
    MultimodalEnsemble,
    TunedThresholdMultilabelClassifier,
)
from multimodal_ensemble.model_selection import tune
from multimodal_ensemble.model_selection._search_identity import describe_estimator, describe_value
from tests.toys import make_network

X, Y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
NAMES = ["night", "city", "sea"]
SPACE = {"power": (0.1, 5.0), "error": {"none": None, "fail": "bad"}}
NEIGHBORS = {"n_neighbors": (1, 30), "weights": ["uniform", "distance"]}
FOLDS = list(MultilabelStratifiedKFold(3, random_state=0).split(X, Y))


class Centroids(ClassifierMixin, BaseEstimator):
    """A classifier that records how it is fitted and fails on request."""

    fits: list = []  # noqa: RUF012

    def __init__(self, power=1.0, store=None, verbose=1, error=None):
        self.power = power
        self.store = store
        self.verbose = verbose
        self.error = error

    def fit(self, X, y, groups=None, unlabelled=None):
        Centroids.fits.append((self.get_params(), X, y, groups, unlabelled))
        if isinstance(self.error, type):
            raise self.error
        if self.error is not None:
            raise ValueError(self.error)
        if self.store is not None:
            assert Path(self.store).is_dir()
        y = np.asarray(y)
        self.centroids_ = np.stack([np.asarray(X)[rows].mean(axis=0) for rows in y.T == 1])
        return self

    def predict_proba(self, X):
        differences = np.abs(np.asarray(X)[:, None] - self.centroids_)
        return 1 / (1 + (differences**self.power).mean(axis=2))


def search(space=SPACE, estimator=None, X=X, y=Y, **options):
    estimator = Centroids() if estimator is None else estimator
    options = {"cv": FOLDS, "n_trials": 8, "random_state": 1, "verbose": 0, **options}
    return tune(estimator, X, y, space, **options)


def assert_same_trials(one, other):
    pd.testing.assert_frame_equal(
        one.trials.drop(columns="seconds"), other.trials.drop(columns="seconds")
    )


@pytest.fixture
def fits():
    Centroids.fits = []
    return Centroids.fits


# -- scores ----------------------------------------------------------------------------------


def test_scores_equal_those_of_a_loop_over_the_folds():
    result = search(NEIGHBORS, KNeighborsClassifier(), prune=False, n_trials=4)
    for trial in result.trials.to_dict("records"):
        expected = []
        for train, test in FOLDS:
            classifier = KNeighborsClassifier(
                trial["param_n_neighbors"], weights=trial["param_weights"]
            )
            lists = classifier.fit(X[train], Y[train]).predict_proba(X[test])
            y_score = np.column_stack([each[:, 1] for each in lists])
            expected.append(roc_auc_score(Y[test], y_score))
        assert trial["fold_scores"] == pytest.approx(expected)
        assert trial["score"] == pytest.approx(np.mean(expected))
        assert trial["std"] == pytest.approx(np.std(expected))
    best = result.trials.sort_values("score").iloc[-1]
    assert result.best_score == best["score"]
    assert result.best_params == {
        "n_neighbors": best["param_n_neighbors"],
        "weights": best["param_weights"],
    }
    assert list(result.trials.columns) == [
        "number",
        "state",
        "score",
        "std",
        "seconds",
        "param_n_neighbors",
        "param_weights",
        "fold_scores",
        "error",
    ]


@pytest.mark.parametrize(
    "scoring", ["mean_average_precision", lambda y, s: average_precision_score(y, s)]
)
def test_scoring_is_a_name_or_a_callable(scoring):
    result = search({"n_neighbors": [5]}, KNeighborsClassifier(), scoring=scoring)
    y_score = [
        np.column_stack(
            [p[:, 1] for p in KNeighborsClassifier().fit(X[a], Y[a]).predict_proba(X[b])]
        )
        for a, b in FOLDS
    ]
    expected = [average_precision_score(Y[b], s) for (_, b), s in zip(FOLDS, y_score, strict=True)]
    assert result.best_score == pytest.approx(np.mean(expected))


def test_the_first_trial_has_the_parameters_of_the_estimator():
    result = search(estimator=Centroids(2.5), n_trials=1)
    assert result.best_params == {"power": 2.5, "error": None}
    outside = search(estimator=Centroids(6.0), n_trials=1)
    assert outside.best_params["power"] <= 5


def test_the_best_estimator_is_fitted_to_all_rows():
    result = search()
    expected = Centroids(**result.best_params).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(result.best_estimator.predict_proba(X), expected)
    assert search(refit=False, n_trials=1).best_estimator is None


def test_the_estimator_is_not_changed():
    estimator = Centroids(3.0)
    search(estimator=estimator, n_trials=2)
    assert estimator.get_params() == Centroids(3.0).get_params()
    assert not hasattr(estimator, "centroids_")


def test_a_row_is_scored_without_being_fitted(fits):
    number = np.arange(60.0)[:, None]
    search({"power": [1.0]}, Centroids(), number, refit=False)
    for (_, fitted, *_), (train, _) in zip(fits, FOLDS, strict=True):
        assert fitted.ravel().tolist() == train.tolist()


# -- determinism and pruning -----------------------------------------------------------------


def test_equal_seeds_have_equal_trials_and_others_differ():
    assert_same_trials(search(cv=2), search(cv=2))
    assert not search().trials["score"].equals(search(random_state=2).trials["score"])


def test_pruned_trials_are_below_the_median_of_the_trials_before():
    result, whole = (search({"power": (0.1, 5.0)}, n_trials=25, prune=p) for p in (True, False))
    assert result.best_score == pytest.approx(whole.best_score, abs=0.005)
    pruned = result.trials[result.trials["state"] == "pruned"]
    assert 0 < len(pruned) < 20
    assert set(whole.trials["state"]) == {"complete"}
    for trial in pruned.to_dict("records"):
        before = result.trials.iloc[: trial["number"]].query("state == 'complete'")
        n_folds = len(trial["fold_scores"])
        means = [np.mean(scores[:n_folds]) for scores in before["fold_scores"]]
        assert len(before) >= 5
        assert np.mean(trial["fold_scores"]) < np.median(means)


def test_no_parameters_are_tried_twice_and_the_search_ends_when_all_are_tried():
    space = {"power": [0.5, 1.0, 1.5, 2.0, 2.5], "verbose": [0, 1]}
    trials = search(space, n_trials=40).trials
    assert len(trials) == 10
    assert not trials.duplicated(["param_power", "param_verbose"]).any()


# -- the space -------------------------------------------------------------------------------


def test_every_kind_of_values_stays_within_its_bounds():
    space = {
        "power": (0.5, 4.0, "log"),
        "store": {"one": "/", "two": "."},
        "verbose": (0, 6, 3),
        "error": [None, b""],
    }
    trials = search(space, n_trials=12, refit=False).trials
    assert trials["param_power"].between(0.5, 4).all()
    assert set(trials["param_store"]) == {"one", "two"}
    assert set(trials["param_verbose"]) <= {0, 3, 6}
    assert set(trials["param_error"]) == {None, "b''"}
    assert set(trials.loc[trials["param_error"] == "b''", "state"]) == {"failed"}


def test_a_pipeline_can_be_tuned():
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier())
    space = {"kneighborsclassifier__n_neighbors": [3, 5]}
    result = search(space, pipeline, n_trials=2)
    assert result.trials["state"].tolist() == ["complete"] * 2


@pytest.mark.filterwarnings("error")
def test_a_step_reaches_the_highest_value_of_decimals():
    result = search({"power": (0.1, 0.3, 0.1)}, n_trials=9)
    assert sorted(result.trials["param_power"]) == pytest.approx([0.1, 0.2, 0.3])


def test_the_first_trial_has_a_float_in_a_range_of_floats():
    result = search({"power": (0.5, 1.5)}, Centroids(power=1), n_trials=1)
    assert type(result.best_params["power"]) is float
    assert type(result.trials["param_power"].tolist()[0]) is float


def test_distributions_of_optuna_are_accepted():
    distribution = optuna.distributions.IntDistribution(2, 4)
    assert sorted(search({"power": distribution}).trials["param_power"]) == [2, 3, 4]


def test_a_function_can_make_parameters_depend_on_others():
    def space(trial):
        if trial.suggest_categorical("classifier", ["bayes", "neighbors"]) == "bayes":
            return {"estimator": GaussianNB()}
        number = trial.suggest_int("number", 1, 30)
        return {"estimator": KNeighborsClassifier(), "estimator__n_neighbors": number}

    result = search(space, OneVsRestClassifier(GaussianNB()), cv=FOLDS[:1], n_trials=5)
    rows = result.trials
    assert rows["param_number"].notna().equals(rows["param_classifier"] == "neighbors")
    assert 0 < rows["param_number"].notna().sum() < 5
    best = rows.sort_values("score").iloc[-1]
    has_number = best["param_classifier"] == "neighbors"
    expected = {"estimator", "estimator__n_neighbors"} if has_number else {"estimator"}
    assert set(result.best_params) == expected


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        ({}, ValueError, r"space must be a dict with the values of each parameter.*Received \{\}"),
        ([1], ValueError, r"space must be a dict"),
        ({1: [2]}, ValueError, r"names of parameters as its keys. Received 1"),
        ({"n_neighbors": 5}, ValueError, r"must be a list of choices.*a range.*Received 5"),
        ({"n_neighbors": []}, ValueError, r"must be a list of choices.*Received \[\]"),
        ({"n_neighbors": (1, "log")}, ValueError, r"must be a list of choices"),
        ({"n_neighbors": (True, 5)}, ValueError, r"must be a list of choices"),
        ({"n_neighbors": (5, 5)}, ValueError, r"must have low below high. Received \(5, 5\)"),
        ({"n_neighbors": (0, 5, "log")}, ValueError, r"must be above 0 for 'log'"),
        ({"n_neighbors": (1, 5, 0)}, ValueError, r"must have a step above 0"),
        ({"leaf_size": (1, float("inf"))}, ValueError, r"must be finite"),
        ({"n_neighbors": [1, True]}, ValueError, r"must be distinct. Received \[True\]"),
        ({"n_neighbors": {1: 3, "1": 5}}, ValueError, r"must be distinct. Received \['1'\]"),
        ({"metric": [object()]}, ValueError, r"differs between processes.*Name it"),
        ({"neighbors": [1]}, ValueError, r"Invalid parameter 'neighbors'"),
        (lambda trial: 3, TypeError, r"must return a dict from names of parameters.*Received 3"),
    ],
)
def test_a_wrong_space_is_refused(space, error, message):
    with pytest.raises(error, match=message):
        search(space, KNeighborsClassifier())


# -- rows and labels -------------------------------------------------------------------------


def test_labels_with_names_reach_the_estimator_as_a_table(fits):
    frame = pd.DataFrame(X, index=range(100, 160))
    table = pd.DataFrame(Y, columns=NAMES, index=frame.index)
    lists = [[name for name, has in zip(NAMES, row, strict=True) if has] for row in Y]
    results = [search({"power": [1.0]}, Centroids(), frame, y) for y in (table, lists, Y)]
    assert results[0].best_score == results[1].best_score == results[2].best_score
    targets = [y for _, _, y, *_ in fits if len(y) == 60]
    pd.testing.assert_frame_equal(targets[0], table)
    pd.testing.assert_frame_equal(targets[1], table[sorted(NAMES)])
    np.testing.assert_array_equal(targets[2], Y)


def test_a_column_that_is_y_is_left_out_of_x(fits):
    frame = pd.DataFrame({"x": X[:, 0], "labels": [["a"] if one else ["b"] for one in Y[:, 0]]})
    for y in (frame["labels"], "labels"):
        search({"power": [1.0]}, Centroids(), frame, y, cv=2)
    assert all(list(given.columns) == ["x"] for _, given, *_ in fits)
    endings = ["; c"] * 30 + [""] * 29 + ["; d"]
    joined = frame["labels"].str[0] + endings
    options = {"cv": 2, "label_delimiter": ";", "min_label_count": 2}
    search({"power": [1.0]}, Centroids(), frame.assign(labels=joined), "labels", **options)
    assert list(fits[-1][2].columns) == ["a", "b", "c"]


@pytest.mark.parametrize("make", [csr_array, np.ndarray.tolist, pd.DataFrame])
def test_rows_of_any_kind_have_the_same_scores(make):
    options = {
        "space": {"estimator__alpha": [0.1, 1.0]},
        "estimator": MultiOutputClassifier(MultinomialNB()),
    }
    assert search(X=make(X), **options).best_score == pytest.approx(search(**options).best_score)


def test_groups_stay_whole_and_reach_the_estimator(fits):
    groups = np.arange(60) // 4
    search({"power": [1.0]}, cv=GroupKFold(3), groups=groups)
    rows = [set(given) for _, _, _, given, _ in fits]
    assert [len(each) for each in rows] == [10, 10, 10, 15]
    with pytest.raises(ValueError, match="cv divides groups"):
        search(groups=groups)


def test_other_arguments_of_fit_are_passed_whole(fits):
    unlabelled = [1, 2]
    search({"power": [1.0]}, fit_params={"unlabelled": unlabelled})
    assert all(given is unlabelled for *_, given in fits)


def test_trials_share_a_temporary_store_and_are_silent(fits):
    result = search({"power": [1.0, 2.0]})
    *trials, final = [params for params, *_ in fits]
    stores = {params["store"] for params in trials}
    assert len(stores) == 1
    assert not Path(stores.pop()).exists()
    assert {params["verbose"] for params in trials} == {0}
    assert final["verbose"] == 1
    assert result.best_estimator.store is None
    own = Centroids(store=".")
    assert search({"power": [1.0]}, own).best_estimator.store == "."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, r"n_trials must be a whole number of at least 1"),
        ({"n_trials": None}, r"The search would not end: pass n_trials, timeout or both"),
        ({"timeout": 0}, r"timeout must be a number of seconds above 0. Received timeout=0"),
        ({"timeout": True}, r"timeout must be a number of seconds above 0"),
        ({"scoring": "auc"}, r"scoring must be one of 'mean_roc_auc'.*Received scoring='auc'"),
        ({"scoring": lambda y: 0}, r"A callable scoring is called as scoring\(y_true, y_score\)"),
        ({"verbose": 2}, r"verbose must be one of 0, 1"),
        ({"prune": "yes"}, r"prune must be one of True, False"),
        ({"cv": 1}, r"cv must be a whole number of at least 2"),
        ({"cv": "prefit"}, r"cv must be a number of folds"),
        ({"y": Y[:-1]}, r"the same number of rows. Received 60 rows of X and 59 rows of y"),
        ({"y": Y[:, 0] / 2}, r"y holds numbers that are not whole"),
        ({"study": "no/folder/file"}, r"study must be the path of a file in an existing folder"),
        ({"estimator": KNeighborsClassifier}, r"estimator must be an instance with fit"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        search(**options)


def test_without_optuna_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match="pip install optuna"):
        search()


# -- failed trials, time and interruption ----------------------------------------------------


def test_a_failed_trial_is_recorded_and_the_search_goes_on():
    result = search({"n_neighbors": [0, 5]}, KNeighborsClassifier(0))
    failed = result.trials[result.trials["param_n_neighbors"] == 0].iloc[0]
    assert failed["state"] == "failed"
    assert failed["error"].startswith("InvalidParameterError: The 'n_neighbors' parameter")
    assert np.isnan(failed["score"])
    assert result.best_params["n_neighbors"] == 5


def test_if_all_trials_fail_the_first_error_is_raised():
    space = {"error": ["first", "second"]}
    with pytest.raises(RuntimeError, match=r"All 2 trials failed.*ValueError: first") as caught:
        search(space, Centroids(error="first"))
    assert isinstance(caught.value.__cause__, ValueError)


def test_scores_that_are_no_numbers_fail():
    with pytest.raises(RuntimeError, match=r"The score of a fold must be finite. Received nan"):
        search(scoring=lambda y_true, y_score: float("nan"), n_trials=1)


def test_a_timeout_completes_the_first_trial_and_cuts_off_the_next():
    trials = search(n_trials=None, timeout=1e-9).trials
    assert trials["state"].tolist() == ["complete"]
    assert len(trials["fold_scores"][0]) == 3


def test_ctrl_c_keeps_what_is_done():
    space = {"error": {"none": None, "stop": KeyboardInterrupt}}
    result = search(space)
    assert len(result.trials) == 1
    assert result.best_estimator.centroids_.shape == (3, X.shape[1])
    with pytest.raises(KeyboardInterrupt):
        search({"power": [1.0]}, Centroids(error=KeyboardInterrupt))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["study.log", "study.db"])
def test_a_killed_search_continues_as_if_it_had_not_been(tmp_path, name, fits):
    whole = search(n_trials=14)
    n_fits = len(fits)
    options = {"study": tmp_path / name}
    fits.clear()
    search(n_trials=6, refit=False, **options)
    # The seed is that of the study.
    resumed = search(n_trials=14, random_state=None, **options)
    assert len(fits) == n_fits
    assert_same_trials(resumed, whole)
    assert resumed.best_params == whole.best_params
    fits.clear()
    again = search(n_trials=14, **options)
    assert_same_trials(again, whole)
    assert len(fits) == 1


def test_a_trial_that_was_killed_is_not_stored(tmp_path):
    options = {"n_trials": 3, "study": tmp_path / "study.log"}
    with pytest.raises(KeyboardInterrupt):
        search({"power": [1.0]}, Centroids(error=KeyboardInterrupt), **options)
    study = optuna.load_study(
        study_name=None,
        storage=JournalStorage(JournalFileBackend(str(options["study"]))),
    )
    assert study.trials == []


def test_a_line_of_the_journal_that_was_cut_off_is_ignored(tmp_path):
    whole, options = search(), {"study": tmp_path / "study.log"}
    search(n_trials=4, **options)
    with options["study"].open("a") as file:
        file.write('{"op_code": 4, "worker_id": "b1')
    assert_same_trials(search(**options), whole)
    assert_same_trials(search(**options), whole)


def test_a_study_refuses_another_search(tmp_path):
    options = {"study": tmp_path / "study.log", "n_trials": 1, "refit": False}
    search(NEIGHBORS, KNeighborsClassifier(p=2), **options)
    changes = {
        r"parameter 'p': 2 in the study, 3 now": {"estimator": KNeighborsClassifier(p=3)},
        r"space\['weights'\]: .* in the study, absent now": {"space": {"n_neighbors": (1, 30)}},
        r"X: \w+ in the study, \w+ now": {"X": X + 1},
        r"y: \w+ in the study": {"y": Y[:, ::-1]},
        r"folds: ": {"cv": 2},
        r"scoring: 'mean_roc_auc' in the study, 'f1' now": {"scoring": "f1"},
        r"space\['function'\]: absent in the study, .*<lambda>": {
            "space": lambda trial: {"n_neighbors": trial.suggest_int("n_neighbors", 1, 30)}
        },
        r"random_state: 1 in the study, 2 now": {"random_state": 2},
        r"estimator: KNeighborsClassifier in the study, TunedThresh": {
            "estimator": TunedThresholdMultilabelClassifier(KNeighborsClassifier()),
            "space": {"estimator__n_neighbors": [1]},
        },
    }
    for message, change in changes.items():
        with pytest.raises(ValueError, match=f"is another search. What differs: .*{message}"):
            search(**{"space": NEIGHBORS, "estimator": KNeighborsClassifier(), **options, **change})
    # What does not change scores may differ.
    search(NEIGHBORS, KNeighborsClassifier(p=2, n_jobs=1), **{**options, "n_trials": 2})


def test_a_study_refuses_an_edited_function(tmp_path):
    options = {"study": tmp_path / "study.log", "n_trials": 1}
    search(lambda trial: {"power": trial.suggest_float("power", 1, 2)}, **options)
    search(lambda trial: {"power": trial.suggest_float("power", 1, 2)}, **options)
    with pytest.raises(ValueError, match=r"What differs: space\['function'\]"):
        search(lambda trial: {"power": trial.suggest_float("power", 1, 3)}, **options)


def test_members_of_an_ensemble_are_part_of_a_search():
    def describe(**options):
        member = KNeighborsClassifier(**options)
        ensemble = MultimodalEnsemble([DenseEncoder("a")], members=[("knn", member)])
        return describe_estimator(ensemble, without=())

    assert describe(p=1) == describe(p=1, n_jobs=2)
    assert describe(p=1) != describe(p=2)
    assert describe()["parameter 'encoders'"] == "[DenseEncoder]"


def test_a_backbone_that_is_built_again_is_the_same():
    texts = {describe_value(make_network()) for _ in range(2)}
    assert len(texts) == 1
    assert texts != {describe_value(make_network(n_maps=5))}


def test_a_file_that_is_no_study_is_refused(tmp_path):
    for text in ("hello", "hello\n", "hello\nreader"):
        (tmp_path / "notes.log").write_text(text)
        with pytest.raises(ValueError, match=r"cannot be read as a study of Optuna .* another"):
            search(study=tmp_path / "notes.log")
        assert (tmp_path / "notes.log").read_text() == text
    with pytest.raises(ValueError, match=r"must be the path of a file"):
        search(study=tmp_path)


def test_progress_and_summary_are_printed(capsys):
    search({"power": [1.0, 2.0]}, verbose=1)
    printed = capsys.readouterr()
    assert "best" in printed.out
    assert "2 trials (2 complete). Best score: 0." in printed.out
    assert printed.err == ""


# -- the library's own classifier ------------------------------------------------------------


@pytest.mark.slow
def test_nested_parameters_of_a_multimodal_classifier():
    words = [["sun", "sea"] if sea else ["car", "bus"] for sea in Y[:, 0]]
    table = pd.DataFrame({"tags": words, "labels": [["sea"] if s else ["town"] for s in Y[:, 0]]})
    classifier = MultimodalClassifier(
        [BagOfWordsEncoder("tags", head=DenseHead(4))], epochs=1, random_state=1
    )
    result = search(
        {"tags__head__units": [8]},
        classifier,
        table,
        table["labels"],
        cv=FOLDS[:1],
        n_trials=1,
        scoring="f1",
    )
    assert result.best_params == {"tags__head__units": 8}
    fitted = result.best_estimator
    assert fitted.classes_.tolist() == ["sea", "town"]
    assert fitted.model_.get_layer("tags_head").output.shape == (None, 8)
    assert fitted.predict_proba(table).shape == (60, 2)
    assert clone(fitted).store is None
