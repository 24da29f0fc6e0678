"""The command that puts runs side by side."""

import numpy as np
import pandas as pd
import pytest

from examples.movielens_genres.__main__ import main
from multimodal_ensemble import mean_roc_auc
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit

RNG = np.random.default_rng(3)
GENRES = ["Comedy", "Drama"]
Y = pd.DataFrame(RNG.integers(2, size=(40, 2)), index=range(100, 140), columns=GENRES)
TESTS = {5: list(range(100, 120)), 6: list(range(115, 140))}
TRIVIAL = "trivial (same scores for all)"


def draw_scores(*models):
    """Return scores of models for all movies, by name."""
    return {model: Y * 0.5 + RNG.random(Y.shape) for model in models} | {TRIVIAL: Y * 0}


def save_run(folder, scores, *, y=Y, tests=TESTS, order=1):
    """Save the scores of a run as the command run does; -1 reverses movies and genres."""
    y = y.iloc[::order, ::order]
    splits = []
    for seed, movies in tests.items():
        ids = movies[::order]
        splits.append(
            ComparisonSplit(
                y.index.get_indexer(ids),
                {model: table.loc[ids, y.columns].to_numpy() for model, table in scores.items()},
                dict.fromkeys(scores, 0.5),
                seed,
            )
        )
    folder.mkdir()
    result = ComparisonResult.from_scores(
        y.to_numpy(), splits, labels=list(y.columns), rows=list(y.index), n_resamples=50
    )
    result.save(folder / "comparison.scores")
    return folder


def test_equal_models_of_two_runs_are_paired_by_movie_and_genre(tmp_path, capsys):
    recommended = draw_scores("tags", "ensemble")
    reference = draw_scores("tags")
    runs = [
        save_run(tmp_path / "recommended", recommended),
        f"old={save_run(tmp_path / 'reference', reference, order=-1)}",
    ]
    out = tmp_path / "out"
    options = ["--baseline", "recommended: ensemble", "--out", str(out)]
    assert main(["compare", *map(str, runs), *options]) == 0
    shown = capsys.readouterr().out
    assert shown.count("old: tags minus recommended: tags") == 1
    assert "Differences to recommended: ensemble" in shown
    assert f"Run old: {tmp_path / 'reference'}." in shown
    table = pd.read_csv(out / "differences.csv", index_col="difference")
    assert list(table.index) == [
        "old: tags minus recommended: tags",
        "recommended: tags minus recommended: ensemble",
        f"recommended: {TRIVIAL} minus recommended: ensemble",
        "old: tags minus recommended: ensemble",
        f"old: {TRIVIAL} minus recommended: ensemble",
    ]
    expected = np.mean(
        [
            mean_roc_auc(Y.loc[ids], reference["tags"].loc[ids])
            - mean_roc_auc(Y.loc[ids], recommended["tags"].loc[ids])
            for ids in TESTS.values()
        ]
    )
    row = table.iloc[0]
    assert row["mean_roc_auc"] == pytest.approx(expected)
    assert row["mean_roc_auc_low"] < expected < row["mean_roc_auc_high"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"recommended: {TRIVIAL}" in page
    # It is the same in all runs, and said once.
    assert f"old: {TRIVIAL}" not in page
    assert "<dt>ensemble</dt><dd>one linear model per modality" in page
    assert page.count("class='arrow'") >= 1
    joined = ComparisonResult.load(out / "comparison.scores")
    assert joined.models == [
        "recommended: tags", "recommended: ensemble", f"recommended: {TRIVIAL}",
        "old: tags", f"old: {TRIVIAL}",
    ]  # fmt: skip
    assert "| old: tags" in (out / "report.md").read_text(encoding="utf-8")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<q>old: tags</q>" in page[: page.index("<nav")]


def test_runs_without_a_common_model_need_a_baseline(tmp_path, capsys):
    runs = [
        save_run(tmp_path / "a", draw_scores("tags")),
        save_run(tmp_path / "b", draw_scores("ensemble")),
    ]
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "out")]) == 0
    assert "No model is in two of the runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tests": {5: [*range(100, 119), 130], 6: TESTS[6]}},
            "have different test movies with seed 5: 2 are in one of them only, such as movieId 1",
        ),
        ({"tests": {5: TESTS[5]}}, "have different splits: seeds [5, 6] and [5]"),
        ({"tests": {5: TESTS[5], 7: TESTS[6]}}, "have different splits: seeds [5, 6] and [5, 7]"),
        (
            {"y": Y.rename(columns={"Drama": "Crime"})},
            "have different genres: Crime, Drama in one of them only",
        ),
        ({"y": 1 - Y}, "have different genres of the same movies"),
    ],
)
def test_runs_on_other_movies_are_refused(tmp_path, changes, message, check_refused):
    scores = draw_scores("tags")
    names = {"Drama": "Crime"} if "Crime" in changes.get("y", Y) else {}
    other = {model: table.rename(columns=names) for model, table in scores.items()}
    runs = [save_run(tmp_path / "a", scores), save_run(tmp_path / "b", other, **changes)]
    check_refused(["compare", *runs, "--out", "out"], f"The runs 'a' and 'b' {message}")


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["a"], "compare takes two or more runs"),
        (["a", "./a"], "Two runs are named 'a'; name them with NAME=FOLDER"),
        (["a", "nowhere"], "'nowhere' has no comparison.scores"),
        (["a", "b: c=a"], "The run name 'b: c' has ': '; name the run with NAME=FOLDER"),
        (
            ["a", "b=a", "--baseline", "tags"],
            "--baseline 'tags' is none of the models; they are 'a",
        ),
    ],
)
def test_a_wrong_argument_is_reported_in_one_sentence(tmp_path, runs, message, check_refused):
    save_run(tmp_path / "a", draw_scores("tags"))
    check_refused(["compare", *runs, "--out", "out"], message)


def test_the_name_of_a_folder_may_have_an_equals_sign(tmp_path, capsys):
    runs = [save_run(tmp_path / name, draw_scores("tags")) for name in ("a", "k=1")]
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "out")]) == 0
    assert "k=1: tags minus a: tags" in capsys.readouterr().out


def test_a_damaged_file_is_reported(tmp_path, check_refused):
    folder = save_run(tmp_path / "a", draw_scores("tags"))
    (folder / "comparison.scores").write_bytes(b"PK")
    check_refused(["compare", folder, "b=a", "--out", "out"], "comparison.scores")
