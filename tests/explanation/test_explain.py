"""Contributions add up to log-odds, and are those of brute force."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
    TagEmbeddingEncoder,
    TextEncoder,
)
from multimodal_ensemble.estimators import errors
from tests.explanation.tables import N_TRAIN, make_encoders, make_table
from tests.text_models import write_folder

TABLE, LABELS = make_table()
TEST = TABLE[N_TRAIN : N_TRAIN + 12]
QUICK = {"verbose": 0, "random_state": 0}
# Tracing the updates of Adam would take a quarter of such a training, and evaluations another one.
NETWORK = {**QUICK, "epochs": 1, "optimizer": "sgd", "evaluate_every": 100}


def fit(estimator):
    return estimator.fit(TABLE[:N_TRAIN], LABELS[:N_TRAIN])


@pytest.fixture(scope="module")
def ensemble():
    return fit(MultimodalEnsemble(make_encoders(optional=True), **QUICK))


@pytest.fixture(scope="module")
def network():
    return fit(MultimodalClassifier(make_encoders(optional=True), **NETWORK))


@pytest.fixture(scope="module")
def plain_network():
    """A network that was trained with dropout of modalities, whose modalities are not optional."""
    return fit(MultimodalClassifier(make_encoders()[2:], **NETWORK))


@pytest.fixture(scope="module")
def network_without_dropout():
    """A network that has learned nothing about absent modalities."""
    encoders = make_encoders()[2:]
    return fit(MultimodalClassifier(encoders, modality_dropout=0, **NETWORK))


@pytest.fixture(scope="module", params=["ensemble", "network", "plain_network"])
def estimator(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def explanation(estimator):
    return estimator.explain(TEST)


@pytest.fixture(scope="module")
def of_ensemble(ensemble):
    return ensemble.explain(TEST)


def total(table, *, by=("row", "label")):
    return table.groupby(list(by), sort=False)["contribution"].sum()


def test_modalities_and_base_add_up_to_the_log_odds(estimator, explanation):
    scores = explanation.scores.set_index(["row", "label"])
    added = scores["base"] + total(explanation.modalities)
    np.testing.assert_allclose(added, scores["log_odds"], atol=1e-12)
    # Scores are float32.
    expected = estimator.decision_function(TEST)
    np.testing.assert_allclose(scores["log_odds"], expected.ravel(), atol=1e-3)
    np.testing.assert_array_equal(scores["score"], estimator.predict_proba(TEST).ravel())


def test_labels_may_be_chosen_by_the_scores(estimator, explanation):
    given = []

    def choose(y_score):
        given.append(y_score)
        return estimator.classes_[y_score.mean(axis=0).argmax()]

    chosen = estimator.explain(TEST, labels=choose)
    np.testing.assert_array_equal(given, [estimator.predict_proba(TEST)])
    (label,) = chosen.labels
    expected = explanation.modalities[explanation.modalities["label"] == label]
    pd.testing.assert_frame_equal(chosen.modalities, expected.reset_index(drop=True))
    with pytest.raises(ValueError, match="Labels must be among"):
        estimator.explain(TEST, labels=lambda y_score: ["nothing"])


def test_parts_add_up_to_their_modality(explanation):
    keys = ["row", "label", "modality"]
    whole = explanation.modalities.set_index(keys)["contribution"]
    for parts in (explanation.tokens, explanation.columns):
        if parts.empty:
            continue
        added = total(parts, by=keys)
        np.testing.assert_allclose(added, whole[added.index], atol=1e-12)


def test_the_prior_is_the_share_of_the_training_rows(of_ensemble):
    share = LABELS[:N_TRAIN].mean()
    prior = of_ensemble.scores["prior"][:3]
    np.testing.assert_allclose(prior, np.log(share / (1 - share)), atol=1e-12)


def test_a_contribution_to_an_ensemble_is_that_of_its_members():
    """With one member per modality, the sum without a modality is known."""
    encoders = make_encoders(optional=True)[2:]
    ensemble = fit(MultimodalEnsemble(encoders, joint=False, weights="equal", **QUICK))
    modalities = ensemble.explain(TEST).modalities
    for name, columns in {"numbers": ["year", "minutes"], "country": ["country"]}.items():
        without = ensemble.decision_function(TEST.drop(columns=columns))
        fall = ensemble.decision_function(TEST) - without
        found = modalities.loc[modalities["modality"] == name, "contribution"]
        np.testing.assert_allclose(found, fall.ravel(), atol=1e-3)


def test_a_token_of_a_linear_member_adds_what_its_weight_says():
    """Without joint members and idf, a bag of one row is a product with the kernel."""
    encoder = BagOfWordsEncoder("tags", tfidf=False, words=False, binary=True)
    ensemble = fit(MultimodalEnsemble([encoder], **QUICK))
    tokens = ensemble.explain(TEST).tokens.set_index(["row", "label", "token"])["contribution"]
    model, bag = ensemble.model_, ensemble.encoders_[0]
    (kernel,) = model.get_layer("tags_member").get_weights()
    mean, scale = model.get_layer("tags_head").get_weights()
    fusion = model.get_layer("scores")
    slope = np.asarray(fusion.slope) * np.asarray(fusion.member_slope)[0]
    for row, tags in TEST["tags"].items():
        count = ensemble.model_.get_layer("scores").token_amount(np.float32([[len(tags)]]))
        factor = np.exp(np.asarray(fusion.exponent)[0] * np.asarray(count).item())
        for tag in tags:
            at = bag.vocabulary_.index(tag)
            # Each of k tags has a k-th of the row, so it also has a k-th of the mean.
            vector = (np.eye(len(mean))[at] - mean / len(tags)) / scale
            expected = factor * slope * (vector @ kernel)
            np.testing.assert_allclose(
                tokens[row].unstack()[tag][LABELS.columns], expected, atol=1e-5
            )


@pytest.mark.slow
def test_shapley_values_of_a_network_are_means_over_all_orders(network):
    """Rows without a modality are predicted as such, because all modalities are optional."""
    columns = {"tags": ["tags"], "numbers": ["year", "minutes"], "country": ["country"]}
    encoders = [each for each in make_encoders(optional=True) if each.name in columns]
    network = fit(MultimodalClassifier(encoders, **NETWORK))

    def log_odds(names):
        lacking = [column for name in columns if name not in names for column in columns[name]]
        return network.decision_function(TEST.assign(**dict.fromkeys(lacking)))

    worth = {
        frozenset(names): log_odds(names)
        for size in range(4)
        for names in itertools.combinations(columns, size)
    }
    expected = dict.fromkeys(columns, 0.0)
    orders = list(itertools.permutations(columns))
    for order in orders:
        for position, name in enumerate(order):
            before, after = frozenset(order[:position]), frozenset(order[: position + 1])
            expected[name] = expected[name] + (worth[after] - worth[before]) / len(orders)
    modalities = network.explain(TEST).modalities
    for name, value in expected.items():
        found = modalities.loc[modalities["modality"] == name, "contribution"]
        np.testing.assert_allclose(found, value.ravel(), atol=1e-5)


def test_a_column_of_a_network_is_the_fall_without_it(plain_network):
    columns = plain_network.explain(TEST).columns
    at_mean = TEST.assign(year=plain_network.encoders_[0].mean_[0])
    fall = plain_network.decision_function(TEST) - plain_network.decision_function(at_mean)
    found = columns.loc[columns["column"] == "year", "contribution"]
    np.testing.assert_allclose(found, fall.ravel(), atol=1e-5)


def test_background_rows_stand_for_absent_modalities(network_without_dropout):
    network = network_without_dropout
    background = TABLE[:20]
    base = network.explain(TEST, background=background).scores["base"]
    expected = network.decision_function(background).mean(axis=0)
    np.testing.assert_allclose(base.to_numpy().reshape(-1, 3), [expected] * len(TEST), atol=1e-5)
    own = network.explain(TEST).scores["base"].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(own[0], network.decision_function(TEST).mean(axis=0), atol=1e-5)


def test_a_single_row_needs_a_background(network_without_dropout):
    network = network_without_dropout
    with pytest.raises(ValueError, match=r"single row cannot stand .* Pass background="):
        network.explain(TEST[:1])
    explanation = network.explain(TEST[:1], background=TABLE[:N_TRAIN])
    assert (explanation.modalities["contribution"] != 0).all()
    # Of 90 rows, 50 are used.
    base = explanation.scores["base"].to_numpy()
    used = np.sort(np.random.default_rng(0).choice(N_TRAIN, 50, replace=False))
    expected = network.decision_function(TABLE.iloc[used]).mean(axis=0)
    np.testing.assert_allclose(base, expected, atol=1e-5)
    # The only row with a mistake is explained beside the others.
    wrong = network.predict(TEST)
    wrong[0] = 1 - wrong[0]
    found = errors(network, TEST, wrong)
    assert found["row"].tolist() == ["film 90"] * 3
    assert "numbers +0.00" not in found["modalities"].tolist()[0]


def test_rows_are_explained_alike_alone_and_together(estimator, explanation):
    row = "film 95"
    alone = estimator.explain(TEST.loc[[row]])
    for name in ("scores", "modalities", "tokens", "columns"):
        table = getattr(explanation, name)
        same = table[table["row"] == row].reset_index(drop=True)
        pd.testing.assert_frame_equal(same, getattr(alone, name), atol=5e-4, check_dtype=False)


def test_a_tag_of_rounding_errors_has_no_contribution_of_its_own():
    """The vector of a tag that never occurs beside another one is zero, up to rounding."""
    tags = [["space opera", "space war", "War"], ["love"], ["opera"]] * 8
    encoder = TagEmbeddingEncoder("tags", dim=3).fit(tags)
    ((names, parts),) = encoder.additive_parts([["love"]], np.zeros(encoder.input_shape))
    assert names == ["love"]
    np.testing.assert_allclose(parts, encoder.encode([["love"]]), atol=1e-9)


def test_a_missing_modality_is_named_and_adds_nothing(ensemble, network):
    rows = TEST[:3].assign(tags=pd.Series([None, [], ["war"]], index=TEST.index[:3]))
    for estimator in (ensemble, network):
        found = estimator.explain(rows).modalities.set_index(["modality", "row"])
        tags = found.loc["tags"]
        assert tags.loc["film 90", "is_missing"].all()
        assert (tags.loc["film 90", "contribution"] == 0).all()
        assert not tags.loc["film 92", "is_missing"].any()
    # An empty bag says nothing in an ensemble, but a network has seen that a row has no tags.
    assert ensemble.explain(rows).modalities.query("row == 'film 91'")["is_missing"].sum() == 6
    assert not network.explain(rows).modalities.query("row == 'film 91'")["is_missing"].any()


def test_a_member_of_another_estimator_is_one_modality():
    members = [("logistic", LogisticRegression(), ["numbers"])]
    ensemble = fit(MultimodalEnsemble(make_encoders(), members=members, **QUICK))
    explanation = ensemble.explain(TEST)
    assert explanation.modalities["modality"].unique().tolist()[-1] == "logistic"
    scores = explanation.scores.set_index(["row", "label"])
    added = scores["base"] + total(explanation.modalities)
    expected = ensemble.decision_function(TEST)
    np.testing.assert_allclose(added, expected.ravel(), atol=1e-3)


def test_log_odds_are_those_before_the_calibration(plain_network):
    calibrated = fit(clone(plain_network).set_params(calibration="platt"))
    found, expected = (each.explain(TEST).scores for each in (calibrated, plain_network))
    np.testing.assert_allclose(found["log_odds"], expected["log_odds"], atol=1e-6)
    np.testing.assert_array_equal(found["score"], calibrated.predict_proba(TEST).ravel())


@pytest.mark.slow
def test_a_text_is_explained_by_words(tmp_path):
    write_folder(tmp_path)
    texts = ["the cat sat on the mat", "a dog in space", "war"] * 8
    table = pd.DataFrame({"text": texts, "year": np.arange(24.0)})
    labels = np.array([[1, 0], [0, 1], [1, 1]] * 8)
    encoders = [TextEncoder("text", backbone=tmp_path), DenseEncoder("year")]
    for estimator in (
        MultimodalEnsemble(encoders, **QUICK),
        MultimodalClassifier(encoders, **NETWORK),
    ):
        estimator.fit(table, labels)
        tokens = estimator.explain(table[:2], labels=[0]).tokens
        first = tokens[tokens["row"] == 0].set_index("token")["contribution"]
        words = ["the", "cat", "sat", "on", "the", "mat", "(rest)"]
        assert first.index.tolist() == words
        without = table[:1].assign(text="the cat sat on the")
        fall = estimator.decision_function(table[:1]) - estimator.decision_function(without)
        np.testing.assert_allclose(first["mat"], fall[0, 0], atol=1e-4)


def test_rows_are_called_by_their_names_or_by_numbers(ensemble, of_ensemble):
    assert of_ensemble.rows == [f"film {number}" for number in range(90, 102)]
    assert ensemble.explain(TEST[:2].to_dict("list")).rows == [0, 1]
    twice = pd.concat([TEST[:1], TEST[:1]])
    assert ensemble.explain(twice).rows == [0, 1]


def test_chosen_labels_in_their_order(ensemble):
    explanation = ensemble.explain(TEST[:2], labels=["New", "Action", "New"])
    assert explanation.labels == ["New", "Action"]
    assert ensemble.explain(TEST[:2], labels="New").labels == ["New"]
    in_array = ensemble.classes_[:2]
    assert ensemble.explain(TEST[:2], labels=in_array).labels == list(in_array)
    whole = ensemble.explain(TEST[:2])
    for label in explanation.labels:
        pd.testing.assert_frame_equal(
            explanation.top("film 91", label), whole.top("film 91", label)
        )


def test_a_token_may_be_called_as_the_rest():
    tags = [["(rest)", "war"], ["love"], ["(rest)"], ["love", "war"]] * 10
    ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0)
    ensemble.fit({"tags": tags}, [[1, 0], [0, 1], [1, 0], [0, 1]] * 10)
    top = ensemble.explain({"tags": tags[:2]}, labels=ensemble.classes_[0]).top(
        0, ensemble.classes_[0]
    )
    assert sorted(top["part"]) == ["(rest)", "war"]


def test_top_parts_add_encoders_of_the_same_column(of_ensemble):
    explanation = of_ensemble
    row = next(name for name, tags in TEST["tags"].items() if "war" in tags)
    top = explanation.top(row, "Action").set_index("part")["contribution"]
    tokens = explanation.tokens
    same = (tokens["row"] == row) & (tokens["label"] == "Action") & (tokens["token"] == "war")
    assert same.sum() == 2
    assert top["war"] == pytest.approx(tokens.loc[same, "contribution"].sum())
    assert top.abs().is_monotonic_decreasing


def test_text_and_figure(of_ensemble):
    explanation = of_ensemble
    assert repr(explanation) == "Explanation(12 rows, 3 labels, exact)"
    lines = str(explanation).splitlines()
    assert lines[1].startswith("film 90: ")
    assert lines[11:] == ["... and 2 more rows; `top` returns the parts of each."]
    figure = explanation.plot("film 90", "New")
    assert "New" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["Comedy"]}, r"Labels must be among .*'Comedy'"),
        ({"background": TEST[:0]}, "X has no rows"),
        ({"labels": []}, "Name at least one label of classes_"),
    ],
)
def test_unknown_labels_and_no_rows_are_refused(ensemble, options, message):
    with pytest.raises(ValueError, match=message):
        ensemble.explain(TEST, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.top("film 90", "New", 0), "n must be a whole number"),
        (lambda e: e.plot("film 90", "New", n=-1), "n must be a whole number"),
        (lambda e: e.top(TEST.index[:2].to_numpy(), "New"), "There is no row"),
        (lambda e: e.plot("film 7", "New"), "There is no row 'film 7'"),
        (lambda e: e.top("film 90", "Old"), "There is no label 'Old'"),
    ],
)
def test_unknown_names_are_refused(of_ensemble, call, message):
    with pytest.raises(ValueError, match=message):
        call(of_ensemble)


def test_a_model_of_one_thread_is_explained_in_another(estimator, explanation):
    # Names that Keras gives to layers are unique only within a thread.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(estimator.explain, TEST).result()
    pd.testing.assert_frame_equal(found.modalities, explanation.modalities)
