"""Explanations over HTTP."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.serving import make_app
from tests.serving.conftest import open_client
from tests.serving.test_predict import post
from tests.toys import draw_labels


def as_table(row, poster):
    return pd.DataFrame({name: [row[name]] for name in row} | {"poster": [poster]})


def test_an_explanation_is_that_of_the_estimator(client, model, row, table):
    answer = post(client, [row], "/explain?label=Drama&label=War&n_parts=3").json()
    explained = answer["rows"][0]["labels"]
    assert [each["label"] for each in explained] == ["Drama", "War"]
    wanted = model.explain(as_table(row, table["poster"][0]), labels=["Drama", "War"])
    for each in explained:
        parts = wanted.top(0, each["label"], 3)
        assert [part["part"] for part in each["parts"]] == parts["part"].tolist()
        found = [part["contribution"] for part in each["parts"]]
        np.testing.assert_allclose(found, parts["contribution"], rtol=1e-5, atol=1e-7)
        total = each["base"] + sum(part["contribution"] for part in each["modalities"])
        assert total == pytest.approx(each["log_odds"], abs=1e-5)


def test_the_predicted_labels_are_explained_by_default(client, row):
    rows = [row, {"year": 1980, "minutes": 90, "country": "us"}]
    predicted = post(client, rows).json()["rows"]
    explained = post(client, rows, "/explain").json()["rows"]
    for found, wanted in zip(explained, predicted, strict=True):
        assert {each["label"] for each in found["labels"]} == set(wanted["labels"])
        scores = [each["score"] for each in found["labels"]]
        assert scores == sorted(scores, reverse=True)
    missing = {
        each["modality"]: each["is_missing"] for each in explained[1]["labels"][0]["modalities"]
    }
    assert missing == {"poster": True, "tags": True, "numbers": False, "country": False}


def test_rows_are_encoded_and_scored_once(client, row, monkeypatch):
    counts = Counter()

    def count(owner, name, n_rows):
        original = getattr(owner, name)

        def counted(*arguments, **options):
            counts[name] += n_rows(*arguments)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    count(ImageEncoder, "encode", lambda _, values: len(values))
    count(MultimodalEnsemble, "_open_rows", lambda _, table: len(table))
    count(MultimodalEnsemble, "predict_proba", lambda _, table: len(table))
    assert post(client, [row, row], "/explain").status_code == 200
    assert counts == {"encode": 2, "_open_rows": 2}


def test_maps_of_images_are_those_of_the_estimator(client, model, row, table):
    rows = [row, row | {"poster": None}]
    answer = post(client, rows, "/explain?label=War&label=Drama&image_maps=true").json()
    first, second = answer["rows"]
    (found,) = first["image_maps"]
    assert (found["column"], found["label"]) == ("poster", "War")
    (wanted,) = model.explain_image(as_table(row, table["poster"][0]), "War", n_regions=6)
    np.testing.assert_allclose(found["values"], wanted.values, rtol=1e-4, atol=1e-6)
    assert second["image_maps"] == []
    assert "image_maps" not in post(client, [row], "/explain?label=War").json()["rows"][0]


def test_maps_of_images_are_bounded(client, row):
    answer = post(client, [row] * 3, "/explain?image_maps=true")
    assert answer.status_code == 413
    assert answer.json()["error"]["reason"] == "3 images to map; at most 2 are allowed"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("image_maps=yes", "image_maps must be true or false, not 'yes'"),
        ("label=Comedy", "there is no label 'Comedy' to explain; GET /health lists them"),
        ("n_parts=0", "n_parts must be a number from 1 to 100, not '0'"),
        ("n_parts=9999999999999999999", "n_parts must be a number"),
        ("n_parts=x", "n_parts must be a number"),
        ("labels=War", "there is no option 'labels'; there are ['label', 'n_parts', 'image_maps']"),
    ],
)
def test_bad_options_are_refused(client, row, query, reason):
    answer = post(client, [row], f"/explain?{query}")
    assert answer.status_code == 422
    assert reason in answer.json()["error"]["reason"]


@pytest.fixture(scope="module")
def network(table):
    """Return a network whose explanations need background rows, with few predicted labels."""
    encoders = [
        BagOfWordsEncoder("words", column="country", tokenizer="words", head=DenseHead(2)),
        DenseEncoder("numbers", column=["year", "minutes"], head=DenseHead(2)),
    ]
    options = {"epochs": 1, "optimizer": "sgd", "verbose": 0, "random_state": 1}
    options |= {"threshold": np.inf, "modality_dropout": 0}
    return MultimodalClassifier(encoders, **options).fit(table, draw_labels())


@pytest.mark.slow
def test_a_network_needs_background_rows(network, table):
    row = {"country": "fr", "year": 1980, "minutes": 90}
    with open_client(make_app(network)) as client:
        answer = post(client, [row], "/explain")
        assert answer.status_code == 422
        assert "background rows" in answer.json()["error"]["reason"]
        answer = post(client, [row], "/explain?image_maps=true")
        assert answer.status_code == 422
        assert "the model reads no single images" in answer.json()["error"]["reason"]
    with open_client(make_app(network, background=table)) as client:
        explained = post(client, [row], "/explain").json()["rows"][0]["labels"]
        # No label is predicted, so the best ones are explained.
        assert len(explained) == 3
