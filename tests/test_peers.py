"""The driver of the comparison with other libraries, with tiny contestants of this Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.peers.__main__ import run_all
from benchmarks.peers._contestants import CONTESTANTS, Contestant
from benchmarks.peers._results import summarize, to_markdown
from benchmarks.peers._task import Movies, Split, write_split
from multimodal_ensemble.metrics import mean_roc_auc

COUNTS = """
import numpy as np
def fit_predict(task):
    # user code
    assert list(task.test) == ["poster", "tags"]

    # A comment.
    runs = len(list(task.folder.iterdir()))
    (task.folder / f"run-{runs}").touch()
    known = [name for name in task.labels if task.labels[name].any()]
    return np.array([[(name in tags) + runs * 0.1 for name in known] for tags in task.test["tags"]])
    # end of user code
"""
FAILS = """
def fit_predict(task):
    # user code
    raise ValueError("no weights")
    # end of user code
"""
NOT_FINITE = COUNTS.replace("runs * 0.1", "np.nan")
WRONG_SHAPE = """
def fit_predict(task):
    # user code
    return [[0.5]]
    # end of user code
"""


def contestant(folder: Path, name: str, script: str, runs: tuple[str, ...] = ("",)) -> Contestant:
    path = folder / f"{name}.py"
    path.write_text(script)
    return Contestant(name, path, "", (), ("numpy",), runs)


@pytest.fixture(scope="module")
def movies() -> Movies:
    """Return movies whose tags name their labels, nine times out of ten."""
    rng = np.random.default_rng(0)
    labels = pd.DataFrame(rng.random((80, 2)) < 0.5, columns=["Drama", "War"]).astype(int)
    said = labels.to_numpy() ^ (rng.random((80, 2)) < 0.1)
    tags = ["|".join([*labels.columns[row > 0], "any"]) for row in said]
    return Movies(pd.DataFrame({"poster": "none.jpg", "tags": tags}), labels)


@pytest.fixture(scope="module")
def splits(movies: Movies, tmp_path_factory: pytest.TempPathFactory) -> list[Split]:
    settings = {"weights": "none", "image_size": 8, "epochs": 1}
    folder = tmp_path_factory.mktemp("splits")
    return [
        write_split(movies, folder / str(seed), n_rows=60, seed=seed, settings=settings)
        for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def rows(
    movies: Movies, splits: list[Split], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("scripts")
    counts = {"counts": contestant(folder, "counts", COUNTS, ("cold", "warm"))}
    failing = {
        "fails": contestant(folder, "fails", FAILS),
        "shape": contestant(folder, "shape", WRONG_SHAPE),
        "nan": contestant(folder, "nan", NOT_FINITE),
    }
    outcomes = run_all(counts, splits, None, install_limit=60, run_limit=60)
    outcomes += run_all(failing, splits[:1], None, install_limit=60, run_limit=60)
    found = summarize(movies, splits, outcomes, ["counts, cold"])
    return {row["title"]: row for row in found}


@pytest.mark.slow
def test_scores_are_those_of_the_test_rows(
    rows: dict[str, dict], movies: Movies, splits: list[Split]
) -> None:
    expected = [
        mean_roc_auc(
            movies.labels.iloc[split.test],
            [
                [name in tags.split("|") for name in movies.labels]
                for tags in movies.table["tags"].iloc[split.test]
            ],
        )
        for split in splits
    ]
    score, low, high = rows["counts, cold"]["mean_roc_auc"]
    assert score == pytest.approx(np.mean(expected))
    assert low < score < high
    # The same ranks, in a second run with the same folder.
    assert rows["counts, warm"]["minus"]["counts, cold"] == [0, 0, 0]


@pytest.mark.slow
def test_costs_lines_and_versions_are_reported(rows: dict[str, dict]) -> None:
    row = rows["counts, cold"]
    assert row["user_lines"] == 5
    assert len(row["cpu_seconds"]) == len(row["wall_seconds"]) == 2
    # A process that imports pandas uses this much, and less than a process with TensorFlow.
    assert all(0.05 < seconds < 60 for seconds in row["cpu_seconds"])
    assert all(20 < peak < 1000 for peak in row["peak_mib"])
    assert row["versions"] == {"numpy": np.__version__}


@pytest.mark.slow
def test_a_failure_is_a_row_with_its_reason(rows: dict[str, dict]) -> None:
    assert rows["fails"]["failure"] == "ValueError: no weights"
    assert rows["shape"]["failure"] == "scores of shape (1, 1), not (12, 2)"
    assert rows["nan"]["failure"] == "scores that are not finite"
    table = to_markdown([*rows.values()], ["counts, cold"]).splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == [
        "| counts, cold", "| counts, warm", "| fails", "| shape", "| nan",
    ]  # fmt: skip
    assert "ValueError: no weights" in table[4]


def test_a_run_past_its_limit_is_stopped(splits: list[Split], tmp_path: Path) -> None:
    slow = contestant(tmp_path, "slow", "import time; time.sleep(60)\n" + COUNTS)
    (outcome,) = run_all({"slow": slow}, splits[:1], None, install_limit=1, run_limit=0.2)
    assert outcome.failure == "not finished after 0.2 s"


@pytest.mark.slow
def test_a_finished_run_is_not_repeated(
    rows: dict[str, dict], movies: Movies, splits: list[Split], tmp_path: Path
) -> None:
    resumed = {"counts": contestant(tmp_path, "counts", FAILS, ("cold", "warm"))}
    outcomes = run_all(resumed, splits, None, install_limit=1, run_limit=60)
    (cold, _) = summarize(movies, splits, outcomes, [])
    assert cold["cpu_seconds"] == rows["counts, cold"]["cpu_seconds"]
    assert cold["mean_roc_auc"] == rows["counts, cold"]["mean_roc_auc"]


@pytest.mark.slow
def test_a_cold_store_is_empty_after_an_interruption(splits: list[Split], tmp_path: Path) -> None:
    (splits[0].inputs / "again" / "work" / "left").mkdir(parents=True)
    again = {"again": contestant(tmp_path, "again", COUNTS)}
    (outcome,) = run_all(again, splits[:1], None, install_limit=1, run_limit=60)
    # The script adds 0.1 for each file that it finds.
    assert outcome.runs[1].scores.min() == 0


def test_a_folder_of_another_job_is_refused(movies: Movies, splits: list[Split]) -> None:
    with pytest.raises(SystemExit, match="holds another job"):
        write_split(movies, splits[0].inputs, n_rows=60, seed=1, settings={"epochs": 2})


def test_no_label_of_a_test_row_is_written(splits: list[Split]) -> None:
    (first, _) = splits
    assert first.n_train == 48
    assert len(pd.read_csv(first.inputs / "labels.csv")) == 48
    assert list(pd.read_csv(first.inputs / "test.csv")) == ["poster", "tags"]
    assert {path.name for path in first.inputs.glob("*.*")} == {
        "train.csv", "labels.csv", "test.csv", "settings.json",
    }  # fmt: skip


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_script_marks_its_user_code(name: str) -> None:
    assert CONTESTANTS[name].count_lines() > 5
