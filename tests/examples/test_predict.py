"""The command that answers and explains one movie with a model of a run."""

from types import SimpleNamespace

import pandas as pd
import pytest

from examples.movielens_genres._errors import DataError, UsageError
from examples.movielens_genres.study import _predict
from examples.movielens_genres.study._saved_models import read_background
from multimodal_ensemble.explanation import Explanation


def test_a_folder_without_models_is_refused(tmp_path, check_refused):
    check_refused(["predict", "--run", "nowhere", "--tags", "a"], "'nowhere' has no saved models")


def test_a_run_that_was_stopped_needs_the_name_of_a_model(tmp_path, check_refused):
    models = tmp_path / "run" / "models"
    models.mkdir(parents=True)
    (models / "tags.network.mme").touch()
    message = "has no results.json, so that it is not known which model is best; choose one with "
    check_refused(["predict", "--run", "run", "--tags", "a"], f"{message}--model: 'tags'.")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_damaged_files_of_a_run_are_reported(content, tmp_path, check_refused):
    models = tmp_path / "run" / "models"
    models.mkdir(parents=True)
    (models / "tags.network.mme").touch()
    (tmp_path / "run" / "results.json").write_text(content, encoding="utf-8")
    check_refused(["predict", "--run", "run", "--tags", "a"], "results.json' is damaged")
    (models / "background.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"background\.json' is damaged"):
        read_background(tmp_path / "run")


def test_an_option_that_fills_two_columns_is_named_once():
    encoders = [SimpleNamespace(columns=[c], optional=False) for c in ("title_words", "title_text")]
    with pytest.raises(UsageError, match="'a' needs --title; pass it, or choose another"):
        _predict._check_given(SimpleNamespace(encoders_=encoders), "a", pd.DataFrame())


def test_what_two_networks_see_in_a_poster_is_added():
    parts = {"poster_A": 1.5, "poster_B": 1.25}
    modalities = pd.DataFrame(
        {
            "row": "Heat",
            "label": "Crime",
            "modality": [*parts, "tags"],
            "columns": ["poster_file", "poster_file", "tags"],
            "contribution": [*parts.values(), -2.0],
            "is_missing": False,
        }
    )
    tags = modalities.drop(columns="is_missing").assign(modality="tags", columns="tags")
    tokens = tags.assign(token=["heist", "calm", "(rest)"], contribution=[-1.75, -0.25, 0.0])
    scores = pd.DataFrame({"row": ["Heat"], "label": ["Crime"]})
    explanation = Explanation(scores, modalities, tokens, tokens[:0], "exact")
    table = _predict._list_parts(explanation, ["Crime"])
    assert table.loc["Crime", "contributions"] == "poster +2.75, heist -1.75, calm -0.25"
