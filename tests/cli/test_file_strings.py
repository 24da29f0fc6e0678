"""Models that were trained in Python on lists, numbers and booleans predict strings of a file."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    MultimodalEnsemble,
    TagEmbeddingEncoder,
)
from tests.cli.running import run

NAMES = ["new", "fair trade", "garden", "steel"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(2)
    rows = [[name for name in NAMES if rng.random() < 0.5] for _ in range(60)]
    return pd.DataFrame(
        {
            "tags": rows,
            "size": rng.normal(1000, 300, 60).round(1),
            "count": rng.integers(1, 4, 60),
            "is_new": ["new" in row for row in rows],
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, 60), "D"),
        }
    )


@pytest.fixture(scope="module")
def model(table):
    encoders = [
        BagOfWordsEncoder("tags"),
        TagEmbeddingEncoder("embedded", column="tags"),
        DenseEncoder("size"),
        CategoryEncoder("kinds", column=["count", "is_new"]),
        DateEncoder("day"),
    ]
    labels = [["outdoor"] if "garden" in row else [] for row in table["tags"]]
    return MultimodalEnsemble(encoders, random_state=0, verbose=0).fit(table, labels)


def predict(folder, model, table):
    model.save(folder / "model.mme")
    table.to_csv(folder / "rows.csv", index=False)
    out = folder / "out.csv"
    return run("predict", folder / "model.mme", folder / "rows.csv", "--out", out), out


@pytest.mark.parametrize(
    "join",
    [
        "|".join,
        "; ".join,
        ", ".join,
        lambda names: str(list(names)),
        lambda names: "[" + ", ".join(f'"{name}"' for name in names) + "]",
    ],
    ids=["pipe", "semicolon", "comma", "Python", "JSON"],
)
def test_scores_of_strings_are_those_of_lists(join, table, model, tmp_path):
    written = table.assign(tags=table["tags"].map(join))
    result, out = predict(tmp_path, model, written)
    assert result.status == 0, result.err
    found = pd.read_csv(out)["score_outdoor"]
    np.testing.assert_allclose(found, model.predict_proba(table)[:, 0], atol=1e-5)


def test_one_name_per_row(table, model, tmp_path):
    single = table.assign(tags=[[NAMES[row % 4]] for row in range(60)])
    result, out = predict(tmp_path, model, single.assign(tags=single["tags"].str[0]))
    assert result.status == 0, result.err
    found = pd.read_csv(out)["score_outdoor"]
    np.testing.assert_allclose(found, model.predict_proba(single)[:, 0], atol=1e-5)


def test_unknown_names_without_a_delimiter_are_refused_with_the_fix(table, model, tmp_path):
    result, _ = predict(tmp_path, model, table.assign(tags="something else"))
    assert result.status == 1
    assert "Separate the names of a row by '|'" in result.err
