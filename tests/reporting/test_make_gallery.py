"""Rows of the gallery from an estimator, with stand-ins for estimators and explanations."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
from multimodal_ensemble.reporting import StudyResults, make_gallery, write_report

LABELS = ["Crime", "Drama", "Night"]
Y = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]])
X = pd.DataFrame({"tags": [["heist"], ["calm", "long"], []]}, index=[4, 7, 9])
SCORES = np.array([[0.9, 0.2, 0.4], [0.3, 0.6, 0.1], [0.2, 0.2, 0.2]])


def explain(X):
    """Explain the label Crime alone; the last row lacks its tags."""
    rows = list(X.index)
    modalities = pd.DataFrame(
        {
            "row": rows,
            "label": "Crime",
            "modality": "tags",
            "columns": "tags",
            "contribution": [1.5, -0.5, 0.0][: len(X)],
            "is_missing": [not tags for tags in X["tags"]],
        }
    )
    tokens = pd.DataFrame(
        [
            {"row": row, "label": "Crime", "modality": "tags", "token": tag, "contribution": 0.5}
            for row in rows
            for tag in X["tags"].iloc[row]
        ]
    )
    columns = pd.DataFrame(
        {
            "row": 0,
            "label": "Crime",
            "modality": "facts",
            "column": ["year", "(rest)"],
            "contribution": 0.1,
        }
    )
    return SimpleNamespace(modalities=modalities, tokens=tokens, columns=columns)


def estimator(**more):
    return SimpleNamespace(
        classes_=np.array(LABELS), predict_proba=lambda X: SCORES[: len(X)], **more
    )


def test_rows_have_their_labels_scores_and_explanation():
    rows = make_gallery(estimator(thresholds_=[0.5, 0.4, np.inf], explain=explain), X, Y)
    assert [row.title for row in rows] == ["4", "7", "9"]
    assert [row.labels for row in rows] == [["Crime"], ["Drama", "Night"], []]
    np.testing.assert_array_equal([row.y_score for row in rows], SCORES)
    assert rows[0].thresholds.tolist() == [0.5, 0.4, np.inf]
    np.testing.assert_array_equal(rows[0].contributions["tags"], [1.5, np.nan, np.nan])
    assert np.isnan(rows[2].contributions["tags"]).all()
    assert {name: list(of) for name, of in rows[0].tokens.items()} == {
        "tags": ["heist"],
        "facts": ["year"],
    }
    np.testing.assert_array_equal(rows[1].tokens["tags"]["long"], [0.5, np.nan, np.nan])
    assert rows[0].picture is None


def test_modalities_that_read_the_same_columns_are_added():
    def explain_twice(X):
        once = explain(X)
        again = once.modalities.assign(modality="tag_embedding", contribution=0.25)
        words = once.tokens.assign(modality="tag_embedding")
        return SimpleNamespace(
            modalities=pd.concat([once.modalities, again.assign(is_missing=False)]),
            tokens=pd.concat([once.tokens, words]),
            columns=once.columns,
        )

    rows = make_gallery(estimator(explain=explain_twice), X, Y)
    assert [list(row.contributions) for row in rows] == [["tags"]] * 3
    # The last row lacks one of the two.
    assert [row.contributions["tags"][0] for row in rows] == [1.75, -0.25, 0.25]
    assert {name: list(of) for name, of in rows[0].tokens.items()} == {
        "tags": ["heist"],
        "facts": ["year"],
    }
    assert rows[0].tokens["tags"]["heist"][0] == 1.0


def test_an_estimator_without_explanations_has_scores_alone():
    rows = make_gallery(estimator(), X, [["Crime"], ["Drama", "Night"], []], titles=["a", "b", "c"])
    assert [row.title for row in rows] == ["a", "b", "c"]
    assert not rows[0].tokens
    assert not rows[0].contributions


def test_pictures_are_small_and_rows_without_a_readable_image_have_none(tmp_path):
    Image.new("RGB", (400, 600)).save(tmp_path / "a.png")
    table = X.assign(poster=[tmp_path / "a.png", tmp_path / "absent.png", None])
    rows = make_gallery(estimator(), table, Y, images="poster")
    assert rows[0].picture.startswith(b"\xff\xd8")
    assert [row.picture for row in rows[1:]] == [None, None]
    shades = np.eye(2)
    maps = [SimpleNamespace(row=row, label="Crime", values=shades) for row in X.index[:2]]
    mapped = make_gallery(estimator(), table, Y, images="poster", maps=maps)
    assert [row.map_label for row in mapped] == ["Crime", "", ""]
    assert mapped[0].picture_map is shades


def test_200_rows_with_noise_as_pictures_are_smaller_than_3_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    labels = [f"label {number}" for number in range(8)]
    n_rows = 20
    y, scores = rng.random((n_rows, 8)) < 0.3, rng.random((n_rows, 8))
    noise = [rng.integers(0, 256, (276, 184, 3), dtype=np.uint8) for _ in range(n_rows)]
    many = SimpleNamespace(classes_=labels, predict_proba=lambda _: scores)
    rows = make_gallery(many, {"poster": noise}, y, images="poster")
    tokens = {"tags": {f"token {n}": rng.normal(size=8) for n in range(30)}}
    contributions = {name: rng.normal(size=8) for name in ("posters", "tags")}
    shades = {"picture_map": rng.random((7, 7)), "map_label": labels[0]}
    gallery = [
        dataclasses.replace(row, tokens=tokens, contributions=contributions, **shades)
        for row in rows
    ]
    split = ComparisonSplit(range(n_rows), {"both": scores}, {"both": 0.5})
    comparison = ComparisonResult.from_scores(y, [split], labels=labels, n_resamples=1)
    sizes = []
    for shown in (gallery, []):
        write_report(StudyResults(comparison, gallery=shown), tmp_path / "report.html")
        sizes.append((tmp_path / "report.html").stat().st_size)
    assert 200 / n_rows * (sizes[0] - sizes[1]) + sizes[1] < 3e6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": Y[:2]}, "y must have 3 rows, as X. Received 2"),
        ({"titles": ["a"]}, "titles must have 3 rows, as X. Received 1"),
        ({"images": "poster"}, r"images must be one of the columns \['tags'\]. Received 'poster'"),
        ({"n_rows": 0}, "n_rows must be"),
        ({"maps": [SimpleNamespace(row=0)]}, "maps must be of rows of X, .* of the row 0"),
        ({"y": pd.DataFrame(Y, columns=LABELS)}, "have different index"),
        ({"estimator": estimator(target_type_="multiclass")}, "predicts one of 3 classes per row"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_gallery(**{"estimator": estimator(), "X": X, "y": Y, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": None}, "classifier with predict_proba. Received None"),
        ({"estimator": SimpleNamespace}, "Received <class 'types.SimpleNamespace'>"),
        ({"images": "tags"}, r"The column 'tags' has something else in row 0.*heist"),
        ({"maps": ["map"]}, r"maps must be .* Received str at position 0"),
    ],
)
def test_arguments_of_another_kind_are_refused(change, message):
    with pytest.raises(TypeError, match=message):
        make_gallery(**{"estimator": estimator(), "X": X, "y": Y, **change})
