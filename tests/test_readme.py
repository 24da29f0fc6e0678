"""The README's code runs as written, except for the weights, which would have to be downloaded."""

import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.toys import use_shallow_network

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def readme():
    return README.read_text(encoding="utf-8")


@pytest.fixture
def code(readme):
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return code


@pytest.mark.slow
def test_the_code_runs(code, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    files = []
    for row in range(24):
        files.append(str(tmp_path / f"{row}.png"))
        Image.fromarray(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)).save(files[-1])
    tags = [["space"] if row % 2 else ["love", "war"] for row in range(24)]
    genres = [["scifi"] * (row % 2) + ["romance"] * (row // 2 % 2) for row in range(24)]
    data = pd.DataFrame({"poster": files, "tags": tags, "genres": genres})
    names = {"train": data[:18], "test": data[18:]}
    # A file of 12 MB.
    use_shallow_network(monkeypatch, "MobileNet", n_hidden=3000)
    mobilenet = keras.applications.MobileNet

    def random_mobilenet(include_top=True, weights="imagenet", **kwargs):
        assert weights == "imagenet"
        return mobilenet(include_top=include_top, weights=None, **kwargs)

    random_mobilenet.__module__ = mobilenet.__module__
    monkeypatch.setattr(keras.applications, "MobileNet", random_mobilenet)
    monkeypatch.chdir(tmp_path)
    exec(code, names)
    assert names["model"].classes_.tolist() == ["romance", "scifi"]
    assert (tmp_path / "genres.mme").stat().st_size > 10_000_000


def test_the_code_has_at_most_ten_lines(code):
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_the_two_commands_are_targets_of_the_makefile(readme):
    makefile = README.with_name("Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make (\S+)", readme, re.MULTILINE)
    assert commands == ["example", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_table_lists_every_module(readme):
    package = README.parent / "src" / "multimodal_ensemble"
    # `saving` is internal.
    modules = {path.parent.name for path in package.glob("*/__init__.py")} - {"saving"}
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) == modules


def test_links_lead_to_files(readme):
    links = re.findall(r"\]\((?!http)([^)#]+)", readme)
    assert [link for link in links if not (README.parent / link).is_file()] == []
    assert "docs/tutorials/from_python.md" in links
