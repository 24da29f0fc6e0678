"""The ensemble of linear members: against plain computations, and what it refuses."""

import dataclasses
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import ExtraTreeClassifier

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    Encoder,
    FeatureStore,
    MultimodalClassifier,
    MultimodalEnsemble,
    TagEmbeddingEncoder,
    mean_roc_auc,
    tune_thresholds,
)
from multimodal_ensemble.estimators._member_encoder import MemberEncoder, as_multilabel
from multimodal_ensemble.estimators._member_weights import learn_weights
from multimodal_ensemble.estimators._scored import Scored
from multimodal_ensemble.exceptions import ArtefactError, ModalityError
from multimodal_ensemble.fusion import MemberLayout
from multimodal_ensemble.linear import PlattScaling
from multimodal_ensemble.linear._ridge import PENALTIES
from tests.toys import draw_labels, draw_table, make_poster

N_ROWS = 60


def draw(n_rows=N_ROWS, seed=0, n_labels=2):
    """Return tags and numbers that both say something about the labels; some rows lack tags."""
    generator = np.random.default_rng(seed)
    y = generator.random((n_rows, n_labels)) < 0.4
    signal = y @ np.arange(1, n_labels + 1)
    words = np.array(["space", "war", "love", "paris", "opera"])
    tags = [
        [] if row % 7 == 0 else [words[(signal[row] + generator.integers(2)) % 5], words[row % 5]]
        for row in range(n_rows)
    ]
    numbers = signal[:, None] + generator.normal(size=(n_rows, 3))
    table = pd.DataFrame({"tags": tags, "a": numbers[:, 0], "b": numbers[:, 1]})
    return table, pd.DataFrame(y, columns=[f"label {number}" for number in range(n_labels)])


def encoders(**options):
    return [BagOfWordsEncoder("tags", **options), DenseEncoder("numbers", column=["a", "b"])]


def fit(X, y, given=None, **options):
    options = {"random_state": 0, "verbose": 0, **options}
    return MultimodalEnsemble(encoders() if given is None else given, **options).fit(X, y)


@pytest.fixture(scope="module")
def rows():
    return draw()


@pytest.fixture(scope="module")
def ensemble(rows):
    return fit(*rows)


def log_odds(p):
    p = p.astype(np.float64)
    return np.log(p / (1 - p))


# -- the result -----------------------------------------------------------------------------


def standardize(X, here):
    """Return rows of mean squared norm 1, and zeros for rows that are not here."""
    X = (X - X[here].mean(axis=0)) * here[:, None]
    return X / np.sqrt((X[here] ** 2).sum(axis=1).mean())


def fit_plainly(X, y, here):
    """Return log-odds of each row in training, and without it, by one fit per row and penalty."""
    X, y = X[here], y[here]
    n = len(y)
    best = [(-1.0, None, None)] * y.shape[1]
    trust = np.minimum(y.sum(axis=0), n - y.sum(axis=0))
    trust = trust / (trust + 30)
    for penalty in PENALTIES:
        ridge = Ridge(penalty * n / 100, solver="cholesky", tol=1e-12)
        without = np.array(
            [
                X[row] @ ridge.fit(np.delete(X, row, 0), np.delete(y, row, 0)).coef_.T
                for row in range(n)
            ]
        )
        within = X @ ridge.fit(X, y).coef_.T
        roc_auc = mean_roc_auc(y, without, average=None)
        for label, quality in enumerate(trust * roc_auc + (1 - trust) * roc_auc.mean()):
            if quality >= best[label][0]:
                best[label] = (quality, without[:, label], within[:, label])
    without, within = (np.stack([each[at] for each in best], axis=1) for at in (1, 2))
    scaling = PlattScaling.fit(without, y)
    share = np.log(y.sum(axis=0) + 0.5) - np.log(n - y.sum(axis=0) + 0.5)
    full = np.zeros((2, len(here), y.shape[1]))
    full[:, here] = scaling.log_odds(without) - share, scaling.log_odds(within) - share
    return full


def test_scores_and_thresholds_are_those_of_a_plain_computation():
    X, y = draw(40)
    # One to eight more tokens, so that learned weights have something to learn from their number.
    X["tags"] = [tags + [*"abcdefgh"][: row % 8] * bool(tags) for row, tags in enumerate(X["tags"])]
    ensemble = fit(X, y, encoders(), joint=False, threshold="f1", weights="equal")
    tags, numbers = ensemble.encoders_
    bags = tags.encode(X["tags"]).astype(np.float64)
    scaled = numbers.encode(X[["a", "b"]]).astype(np.float64)
    squared = ((scaled[:, None] - scaled) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[squared > 0]))
    values, vectors = np.linalg.eigh(kernel)
    kept = values > 1e-5 * values.max()
    radial = vectors[:, kept] * np.sqrt(values[kept])
    everywhere, truth = np.ones(len(X), bool), y.to_numpy()
    of_tags = fit_plainly(standardize(bags, bags.any(axis=1)), truth, bags.any(axis=1))
    blocks = standardize(scaled / scaled.std(axis=0), everywhere), standardize(radial, everywhere)
    without, within = of_tags + fit_plainly(np.hstack(blocks), truth, everywhere)
    scaling = PlattScaling.fit(without, truth)
    np.testing.assert_allclose(
        log_odds(ensemble.predict_proba(X)), scaling.log_odds(within), atol=2e-3
    )
    scores = 1 / (1 + np.exp(-scaling.log_odds(without)))
    np.testing.assert_allclose(
        ensemble.thresholds_, tune_thresholds(truth, scores, criterion="f1"), atol=1e-4
    )
    # Learned weights, which depend on the number of tokens in a row.
    learned = fit(X, y, encoders(), joint=False)
    n_tokens = np.count_nonzero(bags, axis=1)
    amount = np.log(np.maximum(n_tokens, 1))
    amount = np.where(n_tokens > 0, amount - amount[n_tokens > 0].mean(), 0)
    history = learned.history_
    factors = [
        (weight * np.exp(exponent * amount))[:, None]
        for weight, exponent in zip(history["weight"], history["exponent"], strict=True)
    ]
    assert history["exponent"].abs().max() > 0.01
    numbers_say = fit_plainly(np.hstack(blocks), truth, everywhere)
    without, within = factors[0] * of_tags + factors[1] * numbers_say
    np.testing.assert_allclose(
        log_odds(learned.predict_proba(X)),
        PlattScaling.fit(without, truth).log_odds(within),
        atol=2e-3,
    )


def test_features_of_a_backbone_are_directions_of_standardised_logarithms():
    generator = np.random.default_rng(0)
    brightness = generator.integers(0, 256, (40, 1, 1, 1))
    images = list((brightness * generator.random((40, 8, 8, 3))).astype("uint8"))
    bright = brightness.ravel() + generator.normal(0, 90, 40) > 128
    y = pd.DataFrame({"bright": bright, "random": generator.random(40) < 0.5})
    # The network has maps that are 0 in all images.
    ensemble = fit({"poster": images}, y, [make_poster(n_maps=6)], weights="equal")
    [poster] = ensemble.encoders_
    features = np.log1p(poster.get_backbone().predict(np.stack(images), verbose=0))
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 1e-6, spread, np.inf)
    everywhere, truth = np.ones(40, bool), y.to_numpy()
    directions = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    without, within = fit_plainly(standardize(directions, everywhere), truth, everywhere)
    expected = PlattScaling.fit(without, truth).log_odds(within)
    np.testing.assert_allclose(
        log_odds(ensemble.predict_proba({"poster": images})), expected, atol=2e-3
    )


@pytest.mark.parametrize("counted", [True, False])
def test_learned_weights_minimise_the_penalised_loss(counted):
    generator = np.random.default_rng(0)
    y = generator.random((50, 3)) < [0.5, 0.2, 0.0]
    odds = [2 * y - 1 + generator.normal(size=y.shape), generator.normal(size=y.shape)]
    layouts = [MemberLayout(name, (name,), evidence=name) for name in ("a", "b")]
    n_tokens = generator.integers(0, 30, (50, 1)) * float(counted)
    weight = generator.uniform(0.5, 2, 50)
    part = Scored(np.arange(50), y, weight)
    learned = learn_weights(layouts, odds, [np.ones((50, 1))] * 2, n_tokens, part, 0)

    def loss(weights, exponents):
        changed = dataclasses.replace(learned, weights=weights, exponents=exponents)
        evidence = changed.weigh(layouts, odds, [np.ones((50, 1))] * 2, n_tokens)
        penalty = 30 * (((weights - 1) ** 2).sum() + (exponents**2).sum())
        for label in (0, 1):
            # An intercept of its own, and the evidence as it is.
            intercept = minimize_scalar(
                lambda shift, label=label: (
                    weight / weight.mean() * np.logaddexp(
                        0, (1 - 2 * y[:, label]) * (evidence[:, label] + shift)
                    )
                ).sum()
            )  # fmt: skip
            penalty += intercept.fun
        return penalty

    least = loss(learned.weights, learned.exponents)
    for number in range(2):
        for step in (-0.01, 0.01):
            change = step * (np.arange(2) == number)
            assert loss(learned.weights + change, learned.exponents) > least
            if counted:
                assert loss(learned.weights, learned.exponents + change) > least
    assert counted == learned.exponents.any()


def test_the_result_is_the_mean_of_the_sum_and_of_the_joint_member(rows):
    X, y = rows
    both, summed = fit(X, y), fit(X, y, joint=False)
    assert [member.name for member in both.members_] == [
        "tags",
        "numbers",
        "joint",
    ]
    empty = X["tags"].map(len).eq(0).to_numpy()
    ranks = [np.argsort(each.predict_proba(X[empty])[:, 0]) for each in (both, summed)]
    np.testing.assert_array_equal(*ranks)
    assert not np.allclose(both.predict_proba(X), summed.predict_proba(X), atol=1e-2)


def test_it_is_not_worse_than_logistic_regressions_on_rows_that_it_has_not_seen():
    X, y = draw(400, seed=1)
    train, test = slice(0, 200), slice(200, 400)
    ensemble = fit(X[train], y[train])
    tags, numbers = ensemble.encoders_
    joined = np.hstack([tags.encode(X["tags"]), numbers.encode(X[["a", "b"]])])
    linear = np.stack(
        [
            LogisticRegression().fit(joined[train], label[train]).decision_function(joined[test])
            for label in y.to_numpy().T
        ],
        axis=1,
    )
    found = ensemble.evaluate(X[test], y[test]).mean_roc_auc
    assert found >= mean_roc_auc(y[test], linear) - 0.005


def test_radial_features_follow_curves():
    x = np.random.default_rng(0).normal(size=300)
    X, y = x[:, np.newaxis], (np.abs(x) < 0.7)[:, np.newaxis]
    ensemble = MultimodalEnsemble(verbose=0, random_state=0).fit(X[:200], y[:200])
    assert ensemble.evaluate(X[200:], y[200:]).mean_roc_auc > 0.99


# -- rows that lack a modality ----------------------------------------------------------------


def test_a_row_without_tags_has_the_scores_of_the_other_members(rows):
    X, y = rows
    ensemble = fit(X, y)
    alone = fit(X, y, [DenseEncoder("numbers", column=["a", "b"])])
    without = X.assign(tags=[[] for _ in range(len(X))])
    unknown = X.assign(tags=[["unheard of"] for _ in range(len(X))])
    np.testing.assert_array_equal(ensemble.predict_proba(without), ensemble.predict_proba(unknown))
    for label in range(2):
        found, wanted = (
            each[:, label] for each in (ensemble.predict_proba(without), alone.predict_proba(X))
        )
        assert np.corrcoef(log_odds(found), log_odds(wanted))[0, 1] > 0.9999


def test_missing_values_are_as_good_as_empty_ones(rows):
    X, y = rows
    given = [BagOfWordsEncoder("tags", optional=True), encoders()[1]]
    missing = X.assign(tags=[tags or None for tags in X["tags"]])
    optional = fit(missing, y, given)
    empty = X["tags"].map(len).eq(0)
    np.testing.assert_array_equal(
        optional.predict_proba(missing[empty]), optional.predict_proba(X[empty])
    )
    np.testing.assert_array_equal(
        optional.predict_proba(X[["a", "b"]]),
        optional.predict_proba(X.assign(tags=[None] * len(X))),
    )


def test_a_row_without_any_modality_has_the_shares_of_the_labels(rows):
    X, y = rows
    ensemble = fit(X, y, [BagOfWordsEncoder("tags")])
    score = ensemble.predict_proba({"tags": [[]]})[0]
    np.testing.assert_allclose(score, y.mean(), atol=0.05)


def test_images_with_and_without_a_store_are_the_same(tmp_path):
    X, y = draw_table(), draw_labels()
    given = [
        make_poster(optional=True),
        make_poster("other", seed=2, column="poster", optional=True),
        BagOfWordsEncoder("tags", optional=True),
    ]
    stored = fit(X, y, given, store=FeatureStore(tmp_path, dtype="float32"))
    expected = stored.predict_proba(X)
    through_the_network = stored.set_params(store=None).predict_proba(X)
    np.testing.assert_allclose(through_the_network, expected, atol=1e-5)
    assert {member.evidence for member in stored.members_} == {"poster", "tags", None}


# -- rows, weights and groups -----------------------------------------------------------------


def test_rows_of_weight_0_have_no_influence(rows):
    X, y = rows
    used = np.arange(N_ROWS) < 45
    ensemble = MultimodalEnsemble(encoders(), verbose=0, random_state=0)
    given = ensemble.fit(X, y, sample_weight=used.astype(float)).history_
    changed = y.copy()
    changed[~used] = ~y[~used]
    other = ensemble.fit(X, changed, sample_weight=used.astype(float)).history_
    pd.testing.assert_frame_equal(given, other)
    assert given["n_rows"].max() == 45


@pytest.mark.filterwarnings("ignore:.* cannot be read")
def test_dropped_rows_take_their_labels_weights_and_groups_with_them():
    X, y = draw_table(), draw_labels()
    kept = np.flatnonzero(X["poster"].notna())
    # Only rows that are dropped have this modality.
    X["size"] = [None if row in kept else float(row) for row in range(len(X))]
    X.loc[X["poster"].isna(), "poster"] = "absent.png"
    weight, groups = 1.0 + np.arange(len(X)), np.arange(len(X)) // 2
    results = []
    for rows, given in (
        (np.arange(len(X)), [DenseEncoder("size", optional=True)]),
        (kept, []),
    ):
        poster = make_poster(on_error="drop")
        ensemble = MultimodalEnsemble(
            [poster, DenseEncoder("year"), *given], joint=False, weights="learned",
            members=[("trees", ExtraTreeClassifier(random_state=0), ["year"])],
            verbose=0, random_state=0,
        )  # fmt: skip
        options = {"sample_weight": weight[rows], "groups": groups[rows]}
        results.append(ensemble.fit(X.iloc[rows], y.iloc[rows], **options))
    dropping, without = results
    # The encoder of years has seen all rows.
    expected = without.history_.set_index("member").loc[["poster", "trees"]]
    found = dropping.history_.set_index("member").loc[["poster", "trees"]]
    np.testing.assert_array_equal(found["n_rows"], expected["n_rows"])
    np.testing.assert_allclose(found["mean_roc_auc"], expected["mean_roc_auc"])
    assert dropping.provenance_["unreadable"]["poster"]["n_rows"] == len(X) - len(kept)


@pytest.mark.parametrize("kind", [BagOfWordsEncoder, TagEmbeddingEncoder])
def test_encoders_learn_nothing_from_rows_of_weight_0(kind, rows):
    X, y = rows
    used = np.arange(N_ROWS) < 45
    ensemble = MultimodalEnsemble([kind("tags")], verbose=0, random_state=0)
    X = X.assign(tags=[[*tags, "only here"][-1 - row :] for row, tags in enumerate(X["tags"])])
    given = ensemble.fit(X, y, sample_weight=used * 1.0, groups=np.arange(N_ROWS)).predict_proba(X)
    other = ensemble.fit(X[used], y[used]).predict_proba(X)
    np.testing.assert_array_equal(given, other)


def test_one_group_of_rows_is_refused(rows):
    X, y = rows
    ensemble = MultimodalEnsemble(encoders(), verbose=0, random_state=0)
    with pytest.raises(ValueError, match="at least two groups"):
        ensemble.fit(X, y, groups=["a"] * N_ROWS)


def test_weights_are_in_any_unit(rows):
    X, y = rows
    weight = np.random.default_rng(0).uniform(0.5, 2, N_ROWS)
    one, other = (
        MultimodalEnsemble(encoders(), verbose=0, random_state=0)
        .fit(X, y, sample_weight=unit * weight)
        .predict_proba(X)
        for unit in (1, 1000)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert not np.allclose(one, fit(X, y).predict_proba(X), atol=1e-3)


def test_rows_of_a_group_are_left_out_together(rows):
    X, y = rows
    # Copies of rows are known by heart unless all of them are left out.
    copies = pd.concat([X, X], ignore_index=True)
    labels = pd.concat([y, y], ignore_index=True)
    groups = np.tile(np.arange(N_ROWS), 2)
    options = {"verbose": 0, "random_state": 0}
    apart = MultimodalEnsemble(encoders(), **options).fit(copies, labels)
    together = MultimodalEnsemble(encoders(), **options).fit(copies, labels, groups=groups)
    assert together.provenance_["mean_roc_auc"] < apart.provenance_["mean_roc_auc"] - 0.02


def test_names_count_and_not_positions(rows, ensemble):
    X, y = rows
    shuffled = fit(X[["b", "tags", "a"]], y[["label 1", "label 0"]])
    np.testing.assert_allclose(
        shuffled.predict_proba(X)[:, ::-1], ensemble.predict_proba(X), atol=1e-5
    )


def test_unlabelled_rows_teach_the_embedding_of_tags(rows):
    X, y = rows
    more = pd.DataFrame({"tags": [["new", "space"], ["new", "war"], ["new"]]})
    given = [TagEmbeddingEncoder("tags", dim=3)]
    ensemble = MultimodalEnsemble(given, verbose=0).fit(X, y, unlabelled=more)
    alone = MultimodalEnsemble(given, verbose=0).fit(X, y)
    new = {"tags": [["new"]]}
    assert not np.array_equal(ensemble.predict_proba(new), alone.predict_proba(new))


def test_the_plain_call_chooses_encoders(rows, capsys):
    X, y = rows
    ensemble = MultimodalEnsemble(random_state=0).fit(X, y)
    assert [type(encoder).__name__ for encoder in ensemble.encoders_] == [
        "BagOfWordsEncoder",
        "DenseEncoder",
        "TagEmbeddingEncoder",
    ]
    printed = capsys.readouterr().out
    assert "Member tags_embedding: " in printed
    assert "Ensemble: mean ROC-AUC " in printed


def test_a_label_that_no_row_has_is_never_predicted(rows, capsys):
    X, y = rows
    with pytest.warns(UserWarning, match="absent"):
        ensemble = fit(X, y.assign(absent=False), verbose=1)
    assert "['absent']. To change that: train with more rows" in capsys.readouterr().out
    assert ensemble.thresholds_[2] == np.inf
    assert (ensemble.predict_proba(X)[:, 2] < 0.1).all()


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_few_rows_are_enough(n_rows):
    X, _ = draw(n_rows, seed=3)
    y = [[True, True], [False, True], [True, False]][:n_rows]
    scores = fit(X, y, [DenseEncoder("numbers", column=["a", "b"])]).predict_proba(X)
    assert np.isfinite(scores).all()


def test_a_fit_that_fails_leaves_the_ensemble_as_it_was(rows, ensemble):
    X, y = rows
    before = ensemble.predict_proba(X)
    with pytest.raises(ModalityError):
        ensemble.fit(X.drop(columns="a"), y)
    np.testing.assert_array_equal(ensemble.predict_proba(X), before)


# -- groups and further members ----------------------------------------------------------------


def test_groups_are_members_over_joined_features(rows):
    X, y = rows
    given = [*encoders(), TagEmbeddingEncoder("embedding", column="tags", dim=3)]
    ensemble = fit(X, y, given, groups={"words": ["tags", "embedding"]})
    assert [(member.name, member.takes) for member in ensemble.members_] == [
        ("words", ("tags", "embedding")),
        ("numbers", ("numbers",)),
        ("joint", ("tags", "numbers", "embedding")),
    ]
    # The name of a group that is no name of a layer.
    groups = {"joint": ["tags", "embedding"], "a/b": ["numbers"]}
    names = [member.name for member in fit(X, y, given, groups=groups).members_]
    assert names == ["joint", "a.b", "joint.2"]


BAD_GROUPS = {
    "a name": ("tags", ValueError, "a list of groups"),
    "no lists": ([3], ValueError, "a list of groups"),
    "an empty group": ([[]], ValueError, "a list of groups"),
    "an unknown name": ([["tag"]], ModalityError, r"groups names \['tag'\]; the encoders are"),
    "a name twice": ([["tags", "tags"]], ModalityError, "more than once"),
    "the name of another encoder": ({"tags": ["numbers"]}, ModalityError, "need distinct names"),
    "a group twice": ([["tags", "numbers"]] * 2, ModalityError, "need distinct names"),
    "the name of a layer": ({"scores": ["tags", "numbers"]}, ModalityError, "layers would have"),
}


@pytest.mark.parametrize(("groups", "error", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_bad_groups_are_refused(groups, error, message, rows):
    with pytest.raises(error, match=message):
        fit(*rows, groups=groups)


def test_groups_that_overlap_are_refused(rows):
    X, y = rows
    X = X.assign(title="a b")
    given = [*encoders(), BagOfWordsEncoder("title", tokenizer="words")]
    with pytest.raises(ModalityError, match="would count these twice"):
        fit(X, y, given, groups=[["tags", "title"], ["title", "numbers"]])


MEMBERS = {
    "features": ("knn", KNeighborsClassifier(5), ["numbers"]),
    "columns": ("logistic", LogisticRegression(), ["a", "b"]),
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_other_estimators_join_by_out_of_fold_scores(member, rows):
    X, y = rows
    ensemble = fit(X, y, members=[member])
    name, estimator, _ = member
    layout = ensemble.members_[-1]
    assert (layout.name, layout.evidence) == (name, "a, b")
    assert not np.array_equal(ensemble.predict_proba(X), fit(X, y).predict_proba(X))
    again = fit(X, y, members=[member])
    np.testing.assert_array_equal(again.predict_proba(X), ensemble.predict_proba(X))
    assert not hasattr(estimator, "classes_")


def test_several_estimators_of_a_member_are_averaged(rows):
    X, y = rows
    several = [KNeighborsClassifier(3), KNeighborsClassifier(9)]
    ensemble = fit(X, y, members=[("knn", several, ["a", "b"])], joint=False)
    (member,) = (each for each in ensemble.encoders_ if each.name == "knn")
    table = X[["a", "b"]]
    scores = [
        np.stack([each[:, 1] for each in knn.fit(table, y).predict_proba(table)], axis=1)
        for knn in several
    ]
    expected = log_odds(np.clip(np.mean(scores, axis=0), 1e-6, 1 - 1e-6))
    np.testing.assert_allclose(member.encode(member.select(X)), expected, atol=1e-4)


def test_a_member_that_says_nothing_has_no_influence(rows, ensemble):
    X, y = rows
    dummy = ("dummy", DummyClassifier(strategy="prior"), ["tags"])
    joined = fit(X, y, members=[dummy], joint=False)
    summed = fit(X, y, joint=False)
    expected = summed.decision_function(X)
    found = joined.decision_function(X)
    assert np.corrcoef(found[:, 0], expected[:, 0])[0, 1] > 0.95


def test_a_member_without_a_file_format_is_refused_by_save(rows, tmp_path):
    ensemble = fit(*rows, members=[MEMBERS["features"]])
    with pytest.raises(TypeError, match="'knn' is no MultimodalClassifier"):
        ensemble.save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


BAD_MEMBERS = {
    "no tuple": (KNeighborsClassifier(), "Each of members must be"),
    "no estimator": (("a", 3), "Each of members must be"),
    "no probabilities": (("a", Ridge()), "Each of members must be"),
    "inputs as a string": (("a", DummyClassifier(), "tags"), "must be a list of names"),
    "unknown inputs": (("a", DummyClassifier(), ["c"]), "names of encoders"),
    "a name that is taken": (("tags", DummyClassifier()), "is taken"),
    "the name of a group": (("words", DummyClassifier()), "members or layers would have"),
}


@pytest.mark.parametrize(("member", "message"), BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_bad_members_are_refused(member, message, rows):
    with pytest.raises(ModalityError, match=message):
        fit(*rows, members=[member], groups={"words": ["tags"]})


def test_a_member_without_weights_of_rows_is_refused_before_features_are_computed(rows):
    X, y = rows
    ensemble = MultimodalEnsemble(encoders(), members=[MEMBERS["columns"]], verbose=0)
    with pytest.raises(ModalityError, match="'logistic' is a LogisticRegression"):
        ensemble.fit(X, y, sample_weight=np.ones(N_ROWS))


class _Shares(BaseEstimator):
    """An estimator of one label that does not say that it is a classifier."""

    def fit(self, X, y):
        self.share_ = np.mean(y)
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.share_, self.share_], (len(X), 1))


def test_a_member_need_not_be_a_classifier_of_scikit_learn(rows):
    X, y = rows
    ensemble = fit(X, y, members=[("shares", _Shares(), ["numbers"])])
    assert ensemble.history_["member"].tolist()[-1] == "shares"


class _Storing(KNeighborsClassifier):
    """An estimator that notes the store of each fit."""

    stores: ClassVar[list] = []

    def __init__(self, n_neighbors=3, *, store=None):
        super().__init__(n_neighbors)
        self.store = store

    def fit(self, X, y):
        self.stores.append(self.store)
        return super().fit(X, y)


def test_the_folds_of_a_member_share_the_store_of_the_ensemble(rows, tmp_path):
    X, y = rows
    ensemble = fit(X, y, members=[("knn", _Storing(), ["a"])], store=tmp_path)
    assert [store.folder for store in _Storing.stores] == [tmp_path] * 6
    [fitted] = ensemble.encoders_[-1]._estimators
    assert fitted.store is None


def test_a_member_does_not_take_the_columns_of_labels(rows):
    X, y = rows
    X = X.drop(columns="tags").assign(tags=X["tags"], answer=y["label 0"])
    member = ("network", _Shares())
    ensemble = MultimodalEnsemble(encoders(), members=[member], verbose=0, random_state=0)
    ensemble.fit(X, X[["answer"]])
    assert ensemble.encoders_[-1].columns == ["a", "b", "tags"]
    ensemble.set_params(members=[(*member, ["a", "answer"])])
    with pytest.warns(UserWarning, match=r"'network' reads the column\(s\) \['answer'\]"):
        ensemble.fit(X, X[["answer"]])


def test_a_member_takes_features_of_images_without_a_store(tmp_path):
    X, y = draw_table(), draw_labels()
    member = ("logistic", LogisticRegression(), ["poster"])
    given = [make_poster(optional=True), BagOfWordsEncoder("tags", optional=True)]
    ensemble = fit(X, y, given, members=[member])
    through_the_network = ensemble.predict_proba(X)
    ensemble.set_params(store=tmp_path)
    np.testing.assert_allclose(ensemble.predict_proba(X), through_the_network, atol=1e-3)


class NoNumbers(KNeighborsClassifier):
    def predict_proba(self, X):
        return [np.full((len(X), 2), np.nan)] * 2


def test_an_error_names_its_member(rows):
    with pytest.raises(ValueError, match="y_score must be finite") as error:
        fit(*rows, members=[("other", NoNumbers(), ["a"])])
    assert "The member 'other' of" in error.value.__notes__[0]


def test_weights_may_be_a_series(rows):
    weights = {"tags": 1, "numbers": 0, "joint": 2}
    expected = fit(*rows, weights=weights).predict_proba(rows[0])
    found = fit(*rows, weights=pd.Series(weights)).predict_proba(rows[0])
    np.testing.assert_array_equal(found, expected)


def test_the_columns_of_a_member_may_be_absent(rows):
    X, y = rows
    X = X.assign(c=np.where(np.arange(N_ROWS) % 5, X["a"], np.nan))
    given = [BagOfWordsEncoder("tags"), DenseEncoder("c", optional=True)]
    ensemble = fit(X, y, given, members=[("knn", KNeighborsClassifier(5), ["c"])])
    absent = ensemble.predict_proba(X[["tags"]])
    np.testing.assert_array_equal(absent, ensemble.predict_proba(X.assign(c=np.nan)))


def test_the_largest_numbers_have_scores(rows, ensemble):
    X, _ = rows
    assert np.isfinite(ensemble.predict_proba(X.assign(a=3e38, b=-3e38))).all()


def test_given_weights_change_the_sum(rows):
    X, y = rows
    only = {"tags": 0, "numbers": 1, "joint": 0}
    ensemble = fit(X, y, weights=only)
    assert ensemble.history_["weight"].tolist() == [0, 1, 0]
    scores = ensemble.predict_proba(X.assign(tags=[[]] * len(X)))
    linear = fit(X, y, weights=only | {"numbers": 5}).predict_proba(X.assign(tags=[[]] * len(X)))
    np.testing.assert_allclose(scores, linear, atol=1e-3)


def test_learned_weights_do_not_count_the_same_evidence_three_times():
    X, y = draw(200, seed=2)
    copies = ["one", "two", "three"]
    X = X.assign(**{name: X["a"] for name in copies})
    given = [BagOfWordsEncoder("tags"), *(DenseEncoder(name) for name in copies)]
    history = fit(X, y, given, weights="learned", joint=False).history_.set_index("member")
    weights = history["weight"]
    assert weights["tags"] > weights[copies].mean() + 0.1
    assert (weights >= 0).all()


BAD_WEIGHTS = {
    "a word": ("best", "weights must be 'learned', 'equal', or a mapping"),
    "no names": ([1, 1, 1], "a mapping from the name of each member to its weight"),
    "an unknown member": (
        {"tags": 1, "poster": 1},
        r"value for each member. Without a value: \[.*joint.*\]. Not a member: \['poster'\]",
    ),
    "negative": (
        {"tags": -1, "numbers": 1, "joint": 1},
        "must not be negative",
    ),
}


@pytest.mark.parametrize(("weights", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_weights_are_refused(weights, message, rows):
    with pytest.raises(ValueError, match=message):
        fit(*rows, weights=weights)


def test_a_network_prints_no_progress_as_a_member():
    network = MultimodalClassifier()
    assert as_multilabel(network).verbose == 0
    assert network.verbose == 1


def test_a_member_is_trained_again_on_what_it_was_trained_on():
    networks = [MultimodalClassifier(random_state=1), MultimodalClassifier(random_state=2)]
    member = MemberEncoder("network", column=["tags", "a"], n_labels=1).adopt(networks)
    name, copies, columns = member.as_member(["tags", "numbers"])
    assert (name, columns) == ("network", ["tags", "a"])
    assert [each.random_state for each in copies] == [1, 2]
    # Names of encoders would be read as such, so that the network would take their features.
    assert len(member.as_member(["tags", "a"])) == 2


def test_the_error_of_a_member_names_the_member_and_what_it_takes(rows):
    with pytest.raises(ValueError, match=r"could not convert|setting an array") as info:
        fit(*rows, members=[("nearest", KNeighborsClassifier(), ["tags", "a"])])
    assert "The member 'nearest' of the ensemble raised this error" in info.value.__notes__[-1]
    assert "it takes the columns ['tags', 'a']" in info.value.__notes__[-1]


# -- what cannot be linear ----------------------------------------------------------------------


class IdsEncoder(Encoder):
    """An encoder of token ids."""

    input_shape = (2,)
    input_dtype = "int32"

    def encode(self, values):
        return np.zeros((len(values), 2), dtype="int32")


def test_token_ids_are_no_features(rows):
    with pytest.raises(ModalityError, match="encodes to int32"):
        fit(*rows, [IdsEncoder("a")])


def test_a_backbone_that_is_trained_is_refused():
    with pytest.raises(ModalityError, match=r"Freeze it with encoder.unfreeze\(0\)"):
        fit(draw_table(), draw_labels(), [make_poster(trainable_layers=1)])


# -- files --------------------------------------------------------------------------------------


def test_a_saved_ensemble_predicts_exactly_the_same(rows, ensemble, tmp_path):
    X, _ = rows
    ensemble.save(tmp_path / "file")
    loaded = MultimodalEnsemble.load(tmp_path / "file")
    np.testing.assert_array_equal(loaded.predict_proba(X), ensemble.predict_proba(X))
    assert loaded.members_ == ensemble.members_
    pd.testing.assert_frame_equal(loaded.history_, ensemble.history_)
    assert loaded.get_params(deep=False).keys() == ensemble.get_params(deep=False).keys()


def test_the_file_of_another_estimator_is_refused(ensemble, tmp_path):
    ensemble.save(tmp_path / "file")
    with pytest.raises(ArtefactError, match="holds a 'MultimodalEnsemble', not a Multimodal"):
        MultimodalClassifier.load(tmp_path / "file")
