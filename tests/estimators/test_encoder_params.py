"""Parameters of encoders by name, as scikit-learn's tools use them."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead

OWN = MultimodalClassifier._get_param_names()


def make(encoders=None, **options):
    if encoders is None:
        encoders = [
            BagOfWordsEncoder("tags", head=DenseHead(4)),
            DenseEncoder("number", head=DenseHead(3)),
        ]
    options = {"epochs": 1, "optimizer": "sgd", "random_state": 1, "verbose": 0, **options}
    return MultimodalClassifier(encoders, **options)


def draw(n_rows=60):
    numbers = np.random.default_rng(1).normal(size=(n_rows, 2))
    tags = [["space", "war"] if row[0] > 0 else ["love"] for row in numbers]
    return pd.DataFrame({"tags": tags, "number": numbers[:, 1]}), (numbers > 0).astype(int)


# -- get_params ------------------------------------------------------------------------------


def test_deep_parameters_contain_encoders_and_heads():
    classifier = make()
    params = classifier.get_params()
    assert params["tags"] is classifier.encoders[0]
    assert params["tags__head"] is classifier.encoders[0].head
    assert params["tags__head__units"] == 4
    assert params["number__scaling"] == "standard"
    assert params["threshold"] == "auto"
    assert set(classifier.get_params(deep=False)) == set(OWN)


@pytest.mark.parametrize("encoders", ["auto", None, 3, [], ["tags"], [None]], ids=str)
def test_without_encoders_there_are_no_deep_parameters(encoders):
    classifier = MultimodalClassifier(encoders)
    assert set(classifier.get_params()) == set(OWN)


def test_a_single_encoder_has_deep_parameters():
    classifier = make(DenseEncoder("number"))
    assert classifier.set_params(number__scaling=None).encoders[0].scaling is None


def test_constructor_parameters_take_precedence_over_encoders():
    encoder = DenseEncoder("threshold")
    classifier = make([encoder, DenseEncoder("number")])
    assert classifier.get_params()["threshold"] == "auto"
    assert "threshold__scaling" not in classifier.get_params()
    assert classifier.set_params(threshold=0.3).threshold == 0.3
    assert classifier.encoders[0] is encoder
    with pytest.raises(ValueError, match="Invalid parameter 'threshold__scaling'"):
        classifier.set_params(threshold__scaling=None)


# -- set_params ------------------------------------------------------------------------------


def test_parameters_of_encoders_and_heads_are_set():
    classifier = make().set_params(
        tags__max_tokens=7, number__head__dropout=0.5, number__head__units=9, batch_size=8
    )
    assert classifier.encoders[0].max_tokens == 7
    assert classifier.encoders[1].head.dropout == 0.5
    assert classifier.encoders[1].head.units == 9
    assert classifier.batch_size == 8


def test_set_params_restores_what_get_params_returned():
    classifier = make().set_params(tags__max_tokens=7)
    other = make().set_params(**classifier.get_params())
    assert other.encoders[0].max_tokens == 7
    assert other.get_params(deep=False).keys() == classifier.get_params(deep=False).keys()


def test_an_encoder_is_replaced_by_its_name():
    new = BagOfWordsEncoder("tags", max_tokens=5)
    classifier = make().set_params(tags=new)
    assert classifier.encoders[0] is new
    assert [encoder.name for encoder in classifier.encoders] == ["tags", "number"]
    both = make().set_params(tags=new, tags__max_tokens=6)
    assert both.encoders[0].max_tokens == 6
    assert new.max_tokens == 5


def test_encoders_are_replaced_before_their_parameters_are_set():
    classifier = make().set_params(encoders=[DenseEncoder("year")], year__scaling=None)
    assert classifier.encoders[0].scaling is None


def test_the_longest_name_matches():
    classifier = make([DenseEncoder("a"), DenseEncoder("a__b")])
    classifier.set_params(a__b__scaling=None)
    assert [encoder.scaling for encoder in classifier.encoders] == ["standard", None]


def test_shared_encoders_are_not_changed():
    encoders = [BagOfWordsEncoder("tags"), DenseEncoder("number")]
    one, other = make(encoders), make(encoders)
    one.set_params(tags__max_tokens=7, number__head__dropout=0.25)
    assert other.encoders[0].max_tokens == 20_000
    assert other.encoders[1].head.dropout == 0.5
    assert one.encoders[0].max_tokens == 7


def test_a_clone_does_not_change_the_original():
    original = make()
    clone(original).set_params(tags__max_tokens=7, tags__head__units=99)
    assert original.encoders[0].max_tokens == 20_000
    assert original.encoders[0].head.units == 4


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"tag__max_tokens": 7}, r"Invalid parameter 'tag__max_tokens'.*'tags__max_tokens'"),
        ({"tag": 7}, r"'tag'. Did you mean 'tags'\? Valid parameters are \['batch_size', .*'tags'"),
        ({"tags_max_tokens": 7}, "Invalid parameter 'tags_max_tokens'"),
        ({"tags__max_token": 7}, r"Invalid parameter 'max_token' for .*'max_tokens'"),
        ({"tags__head__dropot": 7}, r"Invalid parameter 'dropot' for .*'dropout'"),
        ({"tags__max_tokens__x": 7}, "has no parameters"),
        ({"tags__head__dropout": 7}, "dropout must be at least 0 and below 1"),
        (
            {"tags": DenseEncoder("number")},
            r"same name. Received one named 'number'; pass encoders",
        ),
        ({"tags": None}, r"'tags' can be replaced only by another encoder.* Received None"),
    ],
    ids=str,
)
def test_invalid_parameters_are_refused_with_the_valid_ones(params, match):
    classifier = make()
    before = [encoder.get_params() for encoder in classifier.encoders]
    with pytest.raises(ValueError, match=match):
        classifier.set_params(batch_size=5, **params)
    assert classifier.batch_size is None
    assert [encoder.get_params() for encoder in classifier.encoders] == before


def test_automatic_encoders_have_no_parameters_and_the_error_says_why():
    with pytest.raises(
        ValueError, match=r"Invalid parameter 'tags__max_tokens'.*With encoders='auto', fit chooses"
    ):
        make("auto").set_params(tags__max_tokens=7)
    assert make("auto").set_params(batch_size=5).batch_size == 5


# -- searches --------------------------------------------------------------------------------


@pytest.mark.slow
def test_grid_search_over_the_parameters_of_an_encoder():
    data, y = draw()
    classifier = make([BagOfWordsEncoder("tags", head=DenseHead(4))])
    search = GridSearchCV(classifier, {"tags__max_tokens": [1, 3]}, cv=2, refit=False)
    search.fit(data, y)
    for max_tokens, score in zip([1, 3], search.cv_results_["split0_test_score"], strict=True):
        # scikit-learn splits multilabel targets in order.
        by_hand = clone(classifier).set_params(tags__max_tokens=max_tokens)
        by_hand.fit(data[30:], y[30:])
        assert by_hand.score(data[:30], y[:30]) == score
    assert classifier.encoders[0].max_tokens == 20_000


def test_instances_in_a_grid_are_not_shared_between_fits():
    data, y = draw()
    head, optimizer = DenseHead(2), keras.optimizers.SGD(0.1, momentum=0.9)
    encoder = BagOfWordsEncoder("tags", head=head)
    grid = ParameterGrid(
        {"tags": [encoder], "number__head": [head], "optimizer": [optimizer], "batch_size": [8, 16]}
    )
    first, second = (make().set_params(**params).fit(data, y) for params in grid)
    for one, other in zip(first.encoders_, second.encoders_, strict=True):
        assert one is not other
        assert one.head is not other.head
    assert first.encoders_[0].head is not first.encoders_[1].head
    assert not hasattr(encoder, "vocabulary_")
    assert not optimizer.built
    # The instances carry nothing from one fit to the next.
    again = make().set_params(**next(iter(grid))).fit(data, y)
    np.testing.assert_array_equal(again.predict_proba(data), first.predict_proba(data))
