"""The training table as a file, and its manifest."""

import functools
import hashlib
import importlib.util
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres._errors import DataError
from examples.movielens_genres.commands import _arguments
from examples.movielens_genres.data import (
    Filters,
    _source,
    check_posters,
    load_table,
    prepare_movies,
    read_folder,
    read_modalities,
)
from examples.movielens_genres.sample import write_sample


@pytest.fixture
def folder(sample_folder):
    return sample_folder


def prepare(folder, out, *options):
    return main(["prepare", "--data", str(folder), "--out", str(out), *options])


@pytest.mark.parametrize("table_format", ["csv", "parquet"])
def test_a_saved_table_is_read_back_unchanged(folder, tmp_path, table_format):
    assert prepare(folder, tmp_path / "out", "--format", table_format) == 0
    data = prepare_movies(read_folder(folder), Filters())
    loaded, manifest, posters = load_table(tmp_path / "out")
    for name in ("movies", "genres", "steps", "tag_steps", "genre_counts", "genre_tags"):
        pd.testing.assert_frame_equal(
            getattr(loaded, name), getattr(data, name), check_dtype=False, check_index_type=False
        )
    assert manifest["movies"] == len(data.movies)
    assert posters.resolve() == folder.resolve()
    check_posters(manifest, loaded, posters)


def test_relevances_are_read_back_unchanged(folder, tmp_path):
    genome = tmp_path / "genome"
    genome.mkdir()
    pd.DataFrame({"tagId": [1, 2, 3], "tag": ["a", "b", "c"]}).to_csv(
        genome / "genome-tags.csv", index=False
    )
    ids = pd.read_csv(folder / "movies.csv")["movieId"]
    scores = pd.DataFrame([(movie, tag) for movie in ids for tag in (1, 2, 3)])
    scores.columns = ["movieId", "tagId"]
    scores["relevance"] = np.random.default_rng(0).random(len(scores))
    scores.to_csv(genome / "genome-scores.csv", index=False)
    options = ["--tags", "genome", "--movielens", str(genome), "--modalities", "tags"]
    assert prepare(folder, tmp_path / "out", *options) == 0
    data = prepare_movies(
        read_folder(folder), Filters(tags="genome"), modalities=["tags"], genome=genome
    )
    loaded, manifest, _ = load_table(tmp_path / "out")
    assert loaded.genome_tags == ["a", "b", "c"]
    np.testing.assert_array_equal(np.stack(loaded.movies["tags"]), np.stack(data.movies["tags"]))
    assert "posters" not in manifest["inputs"]
    assert set(manifest["inputs"]) >= {"genome-scores.csv", "genome-tags.csv"}


def test_the_manifest_describes_the_inputs(folder, tmp_path):
    options = ["--min-year", "2000", "--drop-genre-tags", "within"]
    assert prepare(folder, tmp_path / "out", *options) == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    for name in ("tags.csv", "extended_movie_data_with_local_files.csv"):
        content = (folder / name).read_bytes()
        assert manifest["inputs"][name] == {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    table = pd.read_csv(tmp_path / "out/training_table.csv")
    files = sorted(table["poster_file"])
    lines = [f"{hashlib.sha256((folder / f).read_bytes()).hexdigest()}  {f}\n" for f in files]
    assert manifest["inputs"]["posters"]["files"] == len(files)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert manifest["inputs"]["posters"]["sha256"] == digest
    assert manifest["options"]["min_year"] == 2000
    assert manifest["options"]["drop_genre_tags"] == "within"
    assert manifest["options"]["modalities"] == ["poster", "tags"]
    assert manifest["steps"][-1] == {"filter": "with a poster", "movies": len(table)}
    assert {"python", "commit", "pandas", "tensorflow"} <= set(manifest["versions"])
    # Nothing in it depends on where the folders lie, so they may move together.
    assert str(tmp_path) not in json.dumps(manifest)


def test_the_same_input_produces_the_same_bytes(folder, tmp_path):
    for out in ("a", "b"):
        assert prepare(folder, tmp_path / out) == 0
    for name in ("training_table.csv", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_changed_table_is_refused(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    table = tmp_path / "out/training_table.csv"
    table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"is not the table that its manifest describes.*again"):
        load_table(tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"genres": ["Drama"]},
        {"movies": 3},
        {"steps": 5},
        {"genome_tags": ["a", "b"]},
        {"table": {"file": "training_table.csv"}},
        {"findings": [{"file": "a"}]},
    ],
)
def test_an_edited_manifest_is_reported(folder, tmp_path, change):
    prepare(folder, tmp_path / "out")
    path = tmp_path / "out/manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(manifest | change), encoding="utf-8")
    with pytest.raises(DataError, match=r"run prepare again"):
        load_table(tmp_path / "out")


def test_a_missing_matplotlib_is_reported_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["analyse", "--out", str(tmp_path / "out")]) == 2
    assert 'pip install ".[plots]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_records_its_modalities(folder, tmp_path):
    assert read_modalities(tmp_path) == ()
    prepare(folder, tmp_path / "out", "--modalities", "title,tags")
    assert read_modalities(tmp_path / "out") == ("tags", "title")


@pytest.fixture
def _small_sample(monkeypatch):
    monkeypatch.setattr(_arguments, "write_sample", functools.partial(write_sample, n_movies=40))


@pytest.mark.usefixtures("_small_sample")
def test_an_interruption_removes_the_sample(tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_source, "prepare_movies", interrupt)
    assert prepare("sample", tmp_path / "out") == 130
    assert "Interrupted; nothing was changed." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert not list((tmp_path / "out").iterdir())


def test_only_run_accepts_a_training_table(folder, tmp_path, capsys):
    prepare(folder, tmp_path / "out")
    assert prepare(tmp_path / "out", tmp_path / "again") == 2
    assert "holds a training table, which only the command run accepts" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', "\xff", '{"format": 1}'])
def test_a_damaged_manifest_is_reported(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=r"manifest\.json.*run prepare again"):
        load_table(tmp_path)


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_changed_posters_are_refused(folder, tmp_path, change):
    copy = tmp_path / "data"
    shutil.copytree(folder, copy)
    prepare(copy, tmp_path / "out")
    data, manifest, posters = load_table(tmp_path / "out")
    poster = copy / data.movies["poster_file"][0]
    poster.unlink()
    if change == "replaced":
        poster.write_bytes(b"another")
    with pytest.raises(DataError, match=r"poster.*run prepare again"):
        check_posters(manifest, data, posters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-genre-share", "1.5"], "--min-genre-share must lie in 0..1"),
        (["--min-tag-users", "0"], "--min-tag-users must be at least 1"),
        (["--tags", "genome", "--min-relevance", "2"], "--min-relevance must lie in 0..1"),
        (["--min-relevance", "0.5"], "--min-relevance belongs to --tags genome"),
        (["--movielens", "."], "--movielens belongs to --tags genome"),
        (["--tags", "genome"], "has no genome-scores.csv"),
        (["--data", "sample", "--tags", "genome"], "has no genome-scores.csv"),
        (["--tags", "genome", "--min-tag-users", "2"], "--min-tag-users belongs to --tags user"),
        (["--tags", "genome", "--modalities", "poster"], "add tags to --modalities"),
        (["--modalities", "poster,sound"], "--modalities takes each of poster,tags"),
        (["--modalities", "tags,tags"], "--modalities takes each of poster,tags"),
        (["--modalities", ""], "--modalities takes each of poster,tags"),
        (["--out", "."], "is not empty"),
    ],
)
@pytest.mark.usefixtures("_small_sample")
def test_a_wrong_option_is_reported_in_one_sentence(folder, options, message, check_refused):
    check_refused(["prepare", "--data", folder, "--out", "out", *options], message)
