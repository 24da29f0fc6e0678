"""The command that answers and explains one movie with a model of a run."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres._errors import DataError, UsageError
from examples.movielens_genres.study import _predict, list_saved_models, load_model
from examples.movielens_genres.study._saved_models import read_background
from multimodal_ensemble.explanation import Explanation

BOTH = "posters and tags (MobileNet)"


@pytest.fixture(scope="module")
def poster(sample_folder):
    return next((sample_folder / "posters").iterdir())


@pytest.fixture(scope="module")
def known_tag(sample_run):
    encoders = load_model(list_saved_models(sample_run)["tags"]).encoders_
    return encoders[0].vocabulary_[0]


def read_table(text, caption):
    """Return a table of a report in Markdown by its caption, as texts."""
    lines = text[text.index(f"### {caption}") :].splitlines()[2:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    table = pd.DataFrame(rows[2 : rows.index([])], columns=rows[0])
    return table.set_index(rows[0][0])


@pytest.mark.slow
def test_the_best_model_before_the_test_answers_and_explains(
    sample_run, poster, known_tag, tmp_path, capsys
):
    content = json.loads((sample_run / "results.json").read_text(encoding="utf-8"))
    files = list_saved_models(sample_run)
    best = max(files, key=content["roc_auc_before_the_test"].get)
    page = tmp_path / "movie.html"
    arguments = ["--run", str(sample_run), "--poster", str(poster), "--out", str(page)]
    tags = f"{known_tag.upper()}!, a tag that nobody gave"
    assert main(["predict", *arguments, "--tags", tags, "--title", "Heat (1995)"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# Heat (1995)\n")
    assert f"Model: {best}." in shown
    assert "does not know these tags: a tag that nobody gave." in shown
    model = load_model(files[best])
    rows = pd.DataFrame({"poster_file": [str(poster)], "tags": [[known_tag]]})
    (predicted,) = model.predict_labels(rows)
    (answer,) = [line for line in shown.splitlines() if line.startswith("Predicted genres: ")]
    listed = answer.removeprefix("Predicted genres: ").removesuffix(".").split(", ")
    assert set(listed) == set(predicted) or listed[0].startswith("none;")
    scores = read_table(shown, "Scores and thresholds")
    expected = dict(zip(model.classes_, model.predict_proba(rows)[0], strict=True))
    assert scores["score"].astype(float).to_dict() == pytest.approx(expected, abs=6e-4)
    parts = read_table(shown, "By modality").astype(float)
    assert list(parts.columns) == ["base", "poster", "tags", "log-odds"]
    added = parts[["base", "poster", "tags"]].sum(axis=1)
    assert added.to_numpy() == pytest.approx(parts["log-odds"].to_numpy(), abs=0.03)
    html = page.read_text(encoding="utf-8")
    assert "Where in the poster" in html
    assert html.count("<img") == 1 + max(1, len(predicted))


@pytest.mark.slow
def test_a_model_can_be_chosen_and_needs_only_what_it_sees(sample_run, known_tag, capsys):
    arguments = ["predict", "--run", str(sample_run), "--model", "tags", "--tags", known_tag]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# A movie\n")
    assert list(read_table(shown, "By modality").columns) == ["base", "tags", "log-odds"]
    assert "does not know" not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Describe the movie with --poster, --tags or --title"),
        (["--tags", "a", "--model", "best"], "--model 'best' is none of the saved models: "),
        (["--tags", "a", "--model", BOTH], f"The model '{BOTH}' needs --poster; pass it, or"),
        (["--title", "A", "--model", BOTH], "needs --poster and --tags; pass them"),
        (["--tags", "a", "--poster", "mine.txt", "--model", BOTH], "Here: another --poster."),
        (["--tags", "a", "--poster", "gone.jpg"], "--poster 'gone.jpg' is no file"),
        (["--tags", "a", "--out", "."], "--out '.' must be a file in a folder that exists"),
        (["--tags", "a", "--out", "mine.txt"], "--out 'mine.txt' exists already; name a new file"),
        (["--tags", "a", "--out", "no/page.html"], "must be a file in a folder that exists"),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence(sample_run, options, message, check_refused):
    check_refused(["predict", "--run", sample_run, *options], message)


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
