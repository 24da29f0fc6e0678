"""The command line, from a folder of data to tables and figures."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from examples.movielens_genres import study
from examples.movielens_genres.__main__ import main
from examples.movielens_genres.data import Filters, prepare_movies, read_folder
from examples.movielens_genres.study import (
    RECIPES,
    _page,
    choose_recipe,
    list_models,
    list_saved_models,
    load_model,
    split_rows,
)
from multimodal_ensemble import mean_accuracy, tune_thresholds
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting import StudyResults
from tests.examples.conftest import shortening_trainings
from tests.text_models import write_folder

MODELS = ["tags", "posters (MobileNet)", "posters and tags (MobileNet)"]


@pytest.fixture(scope="module", autouse=True)
def _short_trainings():
    with shortening_trainings():
        yield


@pytest.fixture
def _short_pages(monkeypatch):
    """Explain no test movies, which takes as long as training; those of `out` are explained."""
    monkeypatch.setattr(_page, "_explain", lambda *_: {})


@pytest.fixture
def _unsaved_models(monkeypatch):
    """Save no models, so that there is none to explain test movies; those of `out` are saved."""
    for name in ("save_background", "save_model", "write_random_weights"):
        monkeypatch.setattr(study, name, lambda *_: None)


@pytest.fixture(scope="module")
def arguments(run_arguments):
    return run_arguments


@pytest.fixture(scope="module")
def out(sample_run):
    return sample_run


@pytest.fixture(scope="module")
def without_posters(arguments):
    return arguments[: arguments.index("--backbones")]


@pytest.mark.slow
def test_every_model_control_and_benchmark_is_in_the_table(out):
    table = pd.read_csv(out / "results.csv", index_col="model")
    assert list(table.index) == [
        *MODELS,
        "ensemble (MobileNet)",
        "plain call (MobileNet)",
        "linear, joined (MobileNet)",
        "linear, summed (MobileNet)",
        "trivial (same scores for all)",
    ]
    scores = table[["mean_roc_auc", "mean_accuracy", "micro_f1", "macro_f1"]].to_numpy()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.slow
def test_the_trivial_benchmark_agrees_with_the_study(out, sample_folder):
    data = prepare_movies(read_folder(sample_folder), Filters())
    by_seed = pd.read_csv(out / "results_by_seed.csv", index_col=["seed", "model"])
    for seed in (1, 2):
        y = data.genres.to_numpy()
        split = split_rows(y, seed)
        constant = np.zeros((len(y), y.shape[1]))
        thresholds = tune_thresholds(y[split.validation], constant[split.validation])
        trivial = by_seed.loc[(seed, "trivial (same scores for all)")]
        assert trivial["mean_roc_auc"] == 0.5
        expected = mean_accuracy(y[split.test], constant[split.test], thresholds)
        assert trivial["mean_accuracy"] == pytest.approx(expected)


@pytest.mark.slow
def test_mean_and_spread_are_computed_over_seeds(out):
    by_seed = pd.read_csv(out / "results_by_seed.csv").groupby("model", sort=False)
    table = pd.read_csv(out / "results.csv", index_col="model")
    for column in ("mean_roc_auc", "macro_f1"):
        np.testing.assert_allclose(table[column], by_seed[column].mean())
        np.testing.assert_allclose(table[f"{column}_sd"], by_seed[column].std())


@pytest.mark.slow
def test_the_report_names_random_networks_and_shows_twelve_movies(out):
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "Random weights in MobileNet" in report
    assert "Seeds: 1, 2." in report
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Random weights in MobileNet" in page
    assert "posters and tags (MobileNet)</q>" in page[: page.index("<nav")]
    assert "<dt>linear, joined</dt><dd>logistic regressions" in page
    shown = report[report.index("Twelve test movies") :]
    assert len([line for line in shown.splitlines() if line.startswith("| ")]) == 13


@pytest.mark.slow
def test_the_json_is_strict_and_thresholds_can_be_read_back(out):
    def refuse(constant):
        raise AssertionError(constant)

    text = (out / "results.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert set(content["thresholds"]) == set(content["mean"])
    for thresholds in content["thresholds"].values():
        assert len([float(threshold) for threshold in thresholds]) == len(content["genres"])


@pytest.mark.slow
def test_all_tables_are_written(out):
    assert {path.name for path in out.iterdir()} == {
        "comparison.scores", "differences.csv", "histories.csv", "labels.csv", "models",
        "report.html", "report.md", "report.results", "results.csv", "results.json",
        "results_by_seed.csv", "test_scores.csv", "trained_on.json",
    }  # fmt: skip
    labels = pd.read_csv(out / "labels.csv")
    assert set(labels["model"]) == set(pd.read_csv(out / "results.csv")["model"])


@pytest.mark.slow
def test_the_scores_of_the_test_movies_reproduce_the_table(out, sample_folder):
    data = prepare_movies(read_folder(sample_folder), Filters())
    y = data.genres.set_index(data.movies["movieId"])
    scores = pd.read_csv(out / "test_scores.csv").set_index("movieId")
    by_seed = pd.read_csv(out / "results_by_seed.csv", index_col=["seed", "model"])
    for key, group in scores.groupby(["seed", "model"]):
        y_true, y_score = y.loc[group.index], group[y.columns]
        varied = [genre for genre in y.columns if y_true[genre].nunique() > 1]
        expected = roc_auc_score(y_true[varied], y_score[varied], average="macro")
        assert by_seed.loc[key, "mean_roc_auc"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_models_of_the_first_seed_are_saved(out, sample_folder):
    data = prepare_movies(read_folder(sample_folder), Filters())
    files = list_saved_models(out)
    assert set(files) == {*MODELS, "ensemble (MobileNet)", "plain call (MobileNet)"}
    # Random weights are in one file, and not in each of the models.
    sizes = {path.name: path.stat().st_size for path in (out / "models").iterdir()}
    assert sizes.pop("MobileNet.weights.h5") > 10**7
    assert max(sizes.values()) < 10**6
    background = json.loads((out / "models" / "background.json").read_text(encoding="utf-8"))
    train = data.movies.iloc[split_rows(data.genres.to_numpy(), 1).train[:50]]
    assert [movie["tags"] for movie in background["movies"]] == train["tags"].tolist()
    scores = pd.read_csv(out / "test_scores.csv").query("seed == 1")
    name = "ensemble (MobileNet)"
    expected = scores[scores["model"] == name].set_index("movieId")[data.genres.columns]
    rows = data.movies.set_index("movieId", drop=False).loc[expected.index]
    # Stored features are in half precision.
    np.testing.assert_allclose(load_model(files[name]).predict_proba(rows), expected, atol=0.01)


@pytest.mark.slow
def test_the_comparison_of_all_models_is_saved(out):
    comparison = ComparisonResult.load(out / "comparison.scores")
    means = pd.read_csv(out / "results.csv", index_col="model")
    assert comparison.models == list(means.index)
    table = comparison.table.set_index(["metric", "model"])["score"]
    for score in ("mean_roc_auc", "micro_f1"):
        np.testing.assert_allclose(table[score][means.index], means[score])
    assert [split.repeat for split in comparison.splits] == [1, 2]


@pytest.mark.slow
def test_the_page_explains_the_test_movies_of_the_first_seed(out, sample_folder):
    page = StudyResults.load(out / "report.results")
    content = json.loads((out / "results.json").read_text(encoding="utf-8"))
    before = content["roc_auc_before_the_test"]
    assert page.model == max(list_saved_models(out), key=before.get)
    data = prepare_movies(read_folder(sample_folder), Filters())
    test = data.movies.iloc[split_rows(data.genres.to_numpy(), 1).test]
    assert [row.title for row in page.gallery] == test["title"].tolist()
    assert [list(row.labels) for row in page.gallery] == test["genres"].tolist()
    assert all(row.picture for row in page.gallery)
    mapped = [row for row in page.gallery if row.picture_map is not None]
    assert 1 <= len(mapped) <= 6
    assert len({row.map_label for row in mapped}) == 1
    assert set(page.gallery[0].contributions) == {"poster", "tags"}
    assert set(page.importance["modality"].dropna()) - {""} == {"poster", "tags"}
    assert page.provenance["Explained model"].startswith(page.model)
    assert page.claims[1] == ("posters and tags (MobileNet)", "tags")
    assert page.families["linear, joined (MobileNet)"] == "linear controls"
    assert page.families["posters (MobileNet)"] == "one modality"
    assert page.families["posters and tags (MobileNet)"] == "all modalities"
    assert set(page.histories) == {*MODELS, "plain call (MobileNet)"}
    assert set(page.importance["case"]) == {"full", "missing", "alone", "shuffled"}


@pytest.mark.slow
def test_a_difference_is_that_of_the_means(out):
    means = pd.read_csv(out / "results.csv", index_col="model")
    *parts, pair = pd.read_csv(out / "differences.csv").to_dict("records")
    assert [part["difference"] for part in parts] == [
        "posters and tags (MobileNet) minus posters (MobileNet)",
        "posters and tags (MobileNet) minus tags",
    ]
    assert pair["difference"] == "ensemble (MobileNet) minus posters and tags (MobileNet)"
    for score in ("mean_roc_auc", "mean_accuracy"):
        ensemble, model = (means.loc[name, score] for name in pair["difference"].split(" minus "))
        assert pair[score] == pytest.approx(ensemble - model)
        assert pair[f"{score}_low"] < pair[score] < pair[f"{score}_high"]
    content = json.loads((out / "results.json").read_text(encoding="utf-8"))
    saved = content["differences"][pair["difference"]]
    assert saved["mean_roc_auc"] == pytest.approx(pair["mean_roc_auc"])
    assert "### Differences" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("_unsaved_models")
def test_the_ensemble_alone_is_cross_validated(arguments, sample_folder, tmp_path):
    options = ["--only", "ensemble", "--folds", "2", "--out", str(tmp_path / "out")]
    assert main([*arguments, *options]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv", index_col="model")
    assert list(table.index) == ["ensemble (MobileNet)", "trivial (same scores for all)"]
    assert table["mean_roc_auc"].iloc[0] > 0.6
    data = prepare_movies(read_folder(sample_folder), Filters())
    scores = pd.read_csv(tmp_path / "out" / "test_scores.csv")
    tested = scores.loc[scores["model"] == "ensemble (MobileNet)", "movieId"]
    assert sorted(tested) == sorted(data.movies["movieId"])
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "over 2 folds" in report
    # There is nothing to compare with, and no training has a history.
    assert "### Differences" not in report
    assert not list((tmp_path / "out").glob("histories.csv"))


@pytest.mark.slow
@pytest.mark.usefixtures("_unsaved_models")
def test_a_prepared_table_repeats_the_first_run_and_computes_no_features(
    out, arguments, sample_folder, tmp_path, capsys
):
    table = str(tmp_path / "table")
    assert main(["prepare", "--data", str(sample_folder), "--out", table]) == 0
    changed = [table if argument == str(sample_folder) else argument for argument in arguments]
    options = ["--only", "ensemble", "--out", str(tmp_path / "out")]
    assert main([*changed, *options]) == 0
    assert "Computing" not in capsys.readouterr().out
    again = pd.read_csv(tmp_path / "out" / "results_by_seed.csv")
    first = pd.read_csv(out / "results_by_seed.csv").query("seed == 1")
    first = first[first["model"].isin(again["model"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        first.drop(columns="seconds"), again.drop(columns="seconds"), check_exact=True
    )
    made_of = [
        json.loads(path.read_text(encoding="utf-8"))["inputs"]
        for path in (
            out / "trained_on.json",
            tmp_path / "out/trained_on.json",
            tmp_path / "table/manifest.json",
        )
    ]
    assert made_of[0] == made_of[1] == made_of[2]


@pytest.mark.slow
@pytest.mark.usefixtures("_short_pages")
def test_models_also_read_titles_and_tags_as_texts(without_posters, tmp_path):
    write_folder(tmp_path / "bert")
    options = ["--text-backbone", str(tmp_path / "bert"), "--modalities", "tags"]
    out = ["--only", "ensemble", "linear", "--out", str(tmp_path / "out")]
    assert main([*without_posters, *options, *out]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv", index_col="model")
    assert list(table.index) == [
        "ensemble",
        "ensemble with texts",
        "linear",
        "linear, joined with texts",
        "linear, summed with texts",
        "trivial (same scores for all)",
    ]
    [name] = pd.read_csv(tmp_path / "out" / "differences.csv")["difference"]
    assert name == "ensemble with texts minus ensemble"
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "Texts: titles through bert (8 numbers) and tags through bert (8 numbers)" in report
    ensemble = load_model(list_saved_models(tmp_path / "out")["ensemble with texts"])
    assert [encoder.name for encoder in ensemble.encoders_] == [
        "tags", "tag_embedding", "title_text", "tag_text",
    ]  # fmt: skip


def test_each_text_has_a_model_and_all_modalities_have_another_one():
    encoders, posters = {"tags": "bag"}, {"VGG16": "v", "MobileNet": "m"}
    texts = {"titles": "title text", "tags": "tag text"}
    assert list_models(encoders, posters, texts) == {
        "tags": ["bag"],
        "titles as text": ["title text"],
        "tags as text": ["tag text"],
        "posters (VGG16)": ["v"],
        "posters (MobileNet)": ["m"],
        "posters and tags (VGG16)": ["v", "bag"],
        "posters and tags (MobileNet)": ["m", "bag"],
        "posters and tags with texts (VGG16)": ["v", "bag", "title text", "tag text"],
        "posters and tags with texts (MobileNet)": ["m", "bag", "title text", "tag text"],
    }


@pytest.mark.slow
@pytest.mark.usefixtures("_unsaved_models")
def test_each_further_modality_has_its_own_model(without_posters, tmp_path):
    options = ["--modalities", "language,year,title,tags", "--language", "all"]
    options += ["--only", "models", "ensemble", "linear"]
    assert main([*without_posters, *options, "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv", index_col="model")
    assert list(table.index) == [
        "tags",
        "titles",
        "years",
        "languages",
        "tags, titles, years and languages",
        "ensemble",
        "linear, joined",
        "linear, summed",
        "trivial (same scores for all)",
    ]
    assert (
        (tmp_path / "out" / "report.md")
        .read_text(encoding="utf-8")
        .startswith("# Movie genres from tags, titles, years and languages\n")
    )


@pytest.mark.slow
@pytest.mark.usefixtures("_unsaved_models")
def test_models_train_on_the_tag_genome(without_posters, sample_folder, tmp_path):
    movies = pd.read_csv(sample_folder / "movies.csv")
    words = ["laughs", "tears", "chases"]
    pd.DataFrame({"tagId": [1, 2, 3], "tag": words}).to_csv(
        tmp_path / "genome-tags.csv", index=False
    )
    columns = zip(words, ["Comedy", "Drama", "Action"], [1, 2, 3], strict=True)
    scores = [
        movies[["movieId"]].assign(
            tagId=tag, relevance=movies["genres"].str.contains(genre).map({True: 0.9, False: 0.1})
        )
        for _, genre, tag in columns
    ]
    pd.concat(scores).to_csv(tmp_path / "genome-scores.csv", index=False)
    options = ["--modalities", "tags", "--tags", "genome", "--movielens", str(tmp_path)]
    assert main([*without_posters, *options, "--out", str(tmp_path / "out")]) == 0
    labels = pd.read_csv(tmp_path / "out" / "labels.csv", index_col=["model", "label"])
    for genre in ("Comedy", "Drama", "Action"):
        assert labels.loc[("linear", genre), "roc_auc"] == 1.0
    json_file = tmp_path / "out" / "trained_on.json"
    assert json.loads(json_file.read_text(encoding="utf-8"))["genome_tags"] == words


@pytest.mark.slow
@pytest.mark.usefixtures("_short_pages")
def test_the_reference_recipe_trains(arguments, tmp_path, monkeypatch):
    longer = dataclasses.replace(RECIPES["reference"], epochs=12)
    monkeypatch.setitem(RECIPES, "reference", longer)
    options = ["--recipe", "reference", "--only", "models", "--out", str(tmp_path / "out")]
    assert main([*arguments, *options]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv", index_col="model")
    # With the loss of Keras 3, every score would be 1 and the ROC-AUC 0.5. The features of a random
    # MobileNet are about 1e-20, so nothing is learned from them without scaling.
    assert table.loc["tags", "mean_roc_auc"] > 0.55
    assert table.loc["posters and tags (MobileNet)", "mean_roc_auc"] != 0.5
    # The loss is found again in the file.
    assert load_model(list_saved_models(tmp_path / "out")["tags"]).loss == RECIPES["reference"].loss


def test_the_loss_and_the_preprocessing_of_a_recipe_can_be_exchanged():
    recommended, reference = RECIPES["recommended"], RECIPES["reference"]
    recipe = choose_recipe("recommended", "categorical", "unit")
    assert recipe.loss is reference.loss
    assert recipe.encoders.posters == {**recommended.encoders.posters, "preprocessing": "unit"}
    assert recipe.encoders.words is recommended.encoders.words
    assert choose_recipe("reference", "binary", None).loss == recommended.loss
    assert choose_recipe("recommended", None, None) is recommended


@pytest.mark.slow
@pytest.mark.usefixtures("_unsaved_models")
def test_unreadable_posters_can_be_dropped(arguments, sample_folder, tmp_path, capsys):
    copy = shutil.copytree(sample_folder, tmp_path / "data")
    data = prepare_movies(read_folder(copy), Filters())
    (copy / data.movies["poster_file"][0]).write_bytes(b"no image")
    changed = [str(copy) if argument == str(sample_folder) else argument for argument in arguments]
    assert main([*changed, "--out", str(tmp_path / "refused")]) == 2
    assert str(data.movies["poster_file"][0]) in capsys.readouterr().err
    options = ["--modalities", "poster", "--unreadable-posters", "drop", "--only", "models"]
    status = main([*changed, *options, "--out", str(tmp_path / "out")])
    notes = [line for line in capsys.readouterr().err.splitlines() if "1 of " in line]
    assert len(notes) == 1
    assert status == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert content["filters"]["with a poster that can be read"] == len(data.movies) - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "'nowhere' does not exist"),
        (["--data", "."], "has no extended_movie_data_with_local_files.csv"),
        (["--out", "."], "is not empty"),
        (["--store", "."], "neither a feature store nor an empty folder"),
        (
            ["--backbones", "VGG61", "--weights", "VGG61=random"],
            "keras.applications has no network 'VGG61'",
        ),
        (["--backbones", "VGG16", "VGG16"], "names a network twice"),
        (["--weights", "MobileNet"], "NAME=PATH"),
        (["--weights", "Other=random"], "NAME=PATH"),
        (["--weights", "MobileNet=gone.weights.h5"], "'gone.weights.h5' of MobileNet"),
        (["--repeat", "0"], "--repeat must be at least 1"),
        (["--max-tags", "0"], "--max-tags must be at least 1"),
        (["--image-size", "0"], "--image-size must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--seed", "4294967295", "--repeat", "2"], "the last seed is 4294967296"),
        (["--min-genre-share", "1.5"], "--min-genre-share must lie in 0..1"),
        (["--min-tag-users", "99"], "lower --min-tag-users"),
        (["--out", "mine.txt"], "'mine.txt' is a file"),
        (["--out", "mine.txt/out"], "cannot be made"),
        (["--data", "mine.txt"], "'mine.txt' is a file"),
        (
            ["--backbones", "VGG16", "--weights", "VGG16=random", "--image-size", "8"],
            "Input size must be at least",
        ),
        (["--min-year", "2100"], "are left after the filters"),
        (["--modalities", "poster,sound"], "--modalities takes each of poster,tags,title"),
        (["--min-relevance", "0.5"], "--min-relevance belongs to --tags genome"),
        (["--modalities", "tags"], "--backbones is for models that see posters"),
        (["--min-genre-share", "0.2"], "have the same genres, Drama"),
        (["--folds", "1"], "--folds must be at least 2"),
        (["--folds", "2", "--repeat", "2"], "give one of them"),
        (["--folds", "99"], "are too few for 99 folds"),
        (["--only", "ensemble", "--recipe", "reference"], "--only ensemble is for --recipe"),
        (["--text-backbone", "nowhere"], "--text-backbone: 'nowhere' is no folder"),
        (["--text-backbone", ".", "--recipe", "reference"], "--text-backbone is for --recipe"),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence(arguments, options, message, check_refused):
    check_refused([*arguments, "--out", "out", *options], message)


# -- the command that answers and explains one movie with a model of the run --


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
        (
            ["--tags", "a", "--model", MODELS[2]],
            f"The model '{MODELS[2]}' needs --poster; pass it, or",
        ),
        (["--title", "A", "--model", MODELS[2]], "needs --poster and --tags; pass them"),
        (["--tags", "a", "--poster", "mine.txt", "--model", MODELS[2]], "Here: another --poster."),
        (["--tags", "a", "--poster", "gone.jpg"], "--poster 'gone.jpg' is no file"),
        (["--tags", "a", "--out", "."], "--out '.' must be a file in a folder that exists"),
        (["--tags", "a", "--out", "mine.txt"], "--out 'mine.txt' exists already; name a new file"),
        (["--tags", "a", "--out", "no/page.html"], "must be a file in a folder that exists"),
    ],
)
def test_a_wrong_option_of_predict_is_reported_in_one_sentence(
    sample_run, options, message, check_refused
):
    check_refused(["predict", "--run", sample_run, *options], message)
