"""The ensemble as a scikit-learn estimator, and its files: copies, searches, threads, damage."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble.estimators._member_encoder import MemberEncoder
from multimodal_ensemble.exceptions import ArtefactError, ModalityError
from tests.estimators.test_artefact import (
    CHANGES,
    EXAMPLES,
    FUZZ,
    LARGE,
    drop,
    in_older_file,
    load_or_refuse,
    mutate,
    put,
    rewrite,
)

N_ROWS = 40


def draw():
    numbers = np.random.default_rng(1).normal(size=(N_ROWS, 3))
    tags = [["space", "war"] if row[0] > 0 else ["love"] for row in numbers]
    table = pd.DataFrame({"tags": tags, "number": numbers[:, 1]})
    return table, pd.DataFrame(numbers[:, :2] > 0, columns=["war", "love"]) * 1


def make(**options):
    encoders = [BagOfWordsEncoder("tags"), DenseEncoder("number")]
    return MultimodalEnsemble(encoders, **{"random_state": 1, "verbose": 0, **options})


@pytest.fixture(scope="module")
def rows():
    return draw()


@pytest.fixture(scope="module")
def joined(rows):
    """Return an ensemble with a network that takes features of encoders."""
    network = MultimodalClassifier(epochs=1, optimizer="sgd", random_state=2, verbose=0)
    return make(members=[("network", network, ["number", "tags"])]).fit(*rows)


@pytest.fixture(scope="module")
def saved(joined, tmp_path_factory):
    path = tmp_path_factory.mktemp("ensemble") / "file"
    joined.save(path)
    return path


# -- scikit-learn -----------------------------------------------------------------------------


def test_a_search_sets_parameters_of_encoders_and_predicts_by_fold(rows):
    X, y = rows[0], rows[1].to_numpy()
    ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], random_state=1, verbose=0)
    search = GridSearchCV(ensemble, {"tags__max_tokens": [1]}, cv=2, refit=False)
    search.fit(X, y)
    best = clone(search.estimator).set_params(tags__max_tokens=1)
    y_score = cross_val_predict(best, X, y, cv=2, method="predict_proba")
    halves = slice(0, 20), slice(20, N_ROWS)
    for held_out, rest, name in zip(halves, halves[::-1], ("split0", "split1"), strict=True):
        best.fit(X[rest], y[rest])
        np.testing.assert_array_equal(best.predict_proba(X[held_out]), y_score[held_out])
        found = search.cv_results_[f"{name}_test_score"][0]
        assert found == best.score(X[held_out], y[held_out])
    assert ensemble.encoders[0].max_tokens != 1


def through_pickle(ensemble):
    file = io.BytesIO()
    joblib.dump(ensemble, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.slow
@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_a_copy_of_a_fitted_ensemble_predicts_the_same(copied, rows, joined):
    X, _ = rows
    np.testing.assert_array_equal(copied(joined).predict_proba(X), joined.predict_proba(X))


def test_a_clone_is_not_fitted(rows, joined):
    duplicate = clone(joined)
    assert [name for name, *_ in duplicate.members] == ["network"]
    assert duplicate.members[0][1] is not joined.members[0][1]
    for method in ("predict", "predict_proba", "predict_labels", "decision_function"):
        with pytest.raises(NotFittedError, match="This MultimodalEnsemble instance is not fitted"):
            getattr(duplicate, method)(rows[0])


def test_fits_in_threads_equal_fits_alone(rows):
    X, y = rows
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(make(random_state=seed).fit, X, y) for seed in (1, 2)]
        found = [task.result().predict_proba(X) for task in tasks]
    for seed, scores in zip((1, 2), found, strict=True):
        np.testing.assert_array_equal(make(random_state=seed).fit(X, y).predict_proba(X), scores)


def test_tables_and_labels_of_any_kind_are_the_same_rows(rows):
    X, y = rows
    fitted = make().fit(X, y)
    assert fitted.feature_names_in_.tolist() == ["tags", "number"]
    assert fitted.n_features_in_ == 2
    expected = fitted.predict_proba(X)
    columns = {name: X[name].tolist() for name in X}
    for table in (columns, pyarrow.table(columns)):
        np.testing.assert_array_equal(fitted.predict_proba(table), expected)
    lists = [[name for name in y if row[name]] for _, row in y.iterrows()]
    # Names in lists are sorted.
    other = make().fit(pyarrow.table(columns), lists)
    assert other.classes_.tolist() == ["love", "war"]
    np.testing.assert_allclose(other.predict_proba(X)[:, ::-1], expected, atol=1e-6)
    with pytest.raises(ModalityError, match="number"):
        fitted.predict_proba(X[["tags"]])


def test_an_array_behind_a_scaler_is_one_modality():
    numbers = np.random.default_rng(1).normal(100, 20, size=(N_ROWS, 3))
    y = (numbers[:, :2] > 100).astype(int)
    pipeline = make_pipeline(StandardScaler(), MultimodalEnsemble(verbose=0, random_state=1))
    pipeline.fit(numbers, y)
    assert [encoder.name for encoder in pipeline[-1].encoders_] == ["features"]
    assert pipeline.score(numbers, y) > 0.7


# -- files ------------------------------------------------------------------------------------


def test_a_loaded_member_takes_the_features_that_it_was_trained_on(rows, joined, saved):
    X, _ = rows
    loaded = MultimodalEnsemble.load(saved)
    np.testing.assert_array_equal(loaded.predict_proba(X), joined.predict_proba(X))
    # A later training has the member as well.
    ((name, network, inputs),) = loaded.members
    assert (name, inputs, network.epochs) == ("network", ["number", "tags"], 1)
    assert not hasattr(network, "model_")
    assert loaded.encoders_[-1].inputs == ["number", "tags"]
    assert [encoder.name for encoder in loaded.encoders] == ["tags", "number"]


def put_in_member(position, **values):
    def change(document):
        document["members"][position].update(values)

    return change


HOSTILE = {
    "no members": (put("members", None), "if and only if it is an ensemble"),
    "members that are text": (put("members", "abc"), "do not fit together"),
    "an unknown encoder": (put_in_member(0, encoders=["x"]), "do not fit together|no weights"),
    "a list as a name": (put_in_member(0, name=["x"]), "of a member must be text"),
    "a list as evidence": (put_in_member(0, evidence=["x"]), "of a member must be text"),
    "another argument": (put_in_member(0, code="x"), "do not fit together"),
    "a name twice": (
        lambda document: document["members"].append(document["members"][0]),
        r"several members named \['tags'\]",
    ),
    "more members than weights": (
        lambda document: document["members"].extend(
            [dict(document["members"][-1], name=f"m{number}") for number in range(1000)]
        ),
        r"'scores' has no weights of shape \(100\d, 2\)",
    ),
    "numbers as scores": (
        put_in_member(0, is_scored=True), r"members \['tags'\] have no score for each of 2 labels"
    ),
    "other centres": (
        lambda document: document["weights"]["number_radial"].insert(
            2, document["weights"]["number_radial"].pop(0)
        ),
        "do not fit together|'number_radial' has centres of shape",
    ),
    "centres of a large kernel": (
        lambda document: document["weights"].update(
            number_radial=[document["weights"]["scores"][2], 0, document["weights"]["scores"][0], 0]
        ),
        "'number_radial' has centres of shape|refers twice",
    ),
    "no radial features": (drop("weights", "number_radial"), "do not fit together"),
    "a large vocabulary": (
        in_older_file(
            put("encoders", 0, "state", "dict", "vocabulary_", [str(n) for n in range(10**5)])
        ),
        r"'tags_head' has no weights of shape \(100000,\)|do not fit together",
    ),
    "more labels of a member": (
        in_older_file(put("encoders", 2, "config", "n_labels", 10**9)),
        r"\['network'\] have no score for each",
    ),
    "features of itself": (
        put("encoders", 2, "config", "inputs", ["network"]), "takes features of.*no encoders",
    ),
    "a member that is no file": (
        put("encoders", 2, "state", "dict", "saved_", ["x"]), "'network' .*: it is not a file",
    ),
    "a member without a file": (
        put("encoders", 2, "state", "dict", "saved_", []), "no estimator of the member 'network'",
    ),
    "a member with inputs that are no names": (
        put("encoders", 2, "config", "inputs", [{}]), "'network' must be a list of names",
    ),
    "a member of another class": (put("encoders", 2, "class", "os.system"), "not registered here"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_changed_file_is_refused(name, saved, tmp_path):
    change, match = HOSTILE[name]
    path = rewrite(saved, tmp_path / "file", change)
    with pytest.raises(ArtefactError, match=match):
        MultimodalEnsemble.load(path)


def test_a_member_of_a_network_in_a_file_is_never_loaded(rows, tmp_path):
    """Files in files in files would take the memory of all of them."""
    network = MultimodalClassifier(
        [DenseEncoder("number")], epochs=1, optimizer="sgd", random_state=2, verbose=0
    ).fit(*rows)
    member = MemberEncoder("number", column=["number"], n_labels=1)
    network.encoders_ = [member.adopt([copy.deepcopy(network)])]
    network.save(tmp_path / "file")
    loaded = MultimodalClassifier.load(tmp_path / "file")
    with pytest.raises(ModalityError, match="member 'number' is not loaded, because only an ens"):
        loaded.predict_proba(rows[0])


@settings(FUZZ, max_examples=max(10, EXAMPLES // 4))
@given(st.builds(list.__add__, CHANGES, st.lists(LARGE, max_size=1)))
def test_random_changes_of_a_manifest_of_an_ensemble(saved, changes):
    path = rewrite(saved, saved.with_name("fuzz"), lambda document: mutate(document, changes))
    load_or_refuse(path, MultimodalEnsemble.load)


def test_a_damaged_file_of_a_member_is_refused(saved, tmp_path):
    path = tmp_path / "file"
    rewrite(saved, path, lambda document: None)
    content = path.read_bytes()
    inner = content.rindex(b"multimodal_ensemble estimator", 0, content.rindex(b"manifest.json"))
    path.write_bytes(content[:inner] + b"X" + content[inner + 1 :])
    with pytest.raises(ArtefactError, match=r"cannot be loaded|cannot be read"):
        MultimodalEnsemble.load(path)
