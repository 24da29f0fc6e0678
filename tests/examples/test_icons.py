"""The example of icons, on a package of made-up drawings."""

import functools
import io
import json
import shutil
import sys
from importlib import metadata

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from examples.command_line import ExampleError
from examples.icon_categories import controls, data, experiment, results
from examples.icon_categories.__main__ import main
from examples.icon_categories.data import load_icons
from examples.icon_categories.drawing import draw_icon
from examples.icon_categories.encoders import make_picture_encoder
from examples.icon_categories.split import Split
from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    mean_accuracy,
    mean_roc_auc,
)
from multimodal_ensemble.exceptions import WeightsUnavailableError

FOLDER = "fontawesomefree/static/fontawesomefree/metadata"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}">{}</svg>'
CIRCLE = SVG.format(512, 512, '<circle cx="256" cy="256" r="256"/>')
TALL = SVG.format(256, 512, '<rect width="256" height="512"/>')


def make_icon(number):
    """Return an icon; every second one is round, every third one is large."""
    is_round, is_large = number % 2 == 0, number % 3 == 0
    terms = ["Ball" if is_round else "box", "huge" if is_large else "tiny", "round + soft", number]
    drawing = {"raw": CIRCLE if is_round else TALL}
    return {
        "label": f"{'Disc' if is_round else 'Tile'} {number}",
        "search": {"terms": terms},
        "svg": {"brands": drawing} if is_large else {"regular": {"raw": TALL}, "solid": drawing},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return an unpacked package of 40 icons; tests must not change it."""
    folder = tmp_path_factory.mktemp("icons")
    (folder / FOLDER).mkdir(parents=True)
    (folder / "fontawesomefree-6.6.0.dist-info").mkdir()
    (folder / "fontawesomefree-6.6.0.dist-info" / "METADATA").touch()
    icons = {f"icon-{number}": make_icon(number) for number in range(40)}
    (folder / FOLDER / "icons.json").write_text(json.dumps(icons), encoding="utf-8")
    lines = []
    for label, step in (("Round + Soft", 2), ("Large", 3), ("Rare", 20)):
        lines += [f"{label.lower().replace(' + ', '-')}:", f"  label: {label}", "  icons:"]
        # The last one is not in the free package.
        lines += [f"    - icon-{number}" for number in [*range(0, 40, step), 99]]
    (folder / FOLDER / "categories.yml").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def _simple_drawings(monkeypatch):
    """Draw without resvg-py, which may not be installed."""

    def draw(svg, size):
        image = Image.new("RGB", (size, size), "white" if svg == CIRCLE else "black")
        file = io.BytesIO()
        image.save(file, "png")
        return file.getvalue()

    monkeypatch.setattr(data, "draw_icon", draw)


@pytest.fixture
def icons(folder, _simple_drawings):
    return load_icons(folder, image_size=8, min_icons=5)


def test_icons_without_a_frequent_category_are_left_out(icons):
    assert icons.categories.columns.tolist() == ["Round + Soft", "Large"]
    numbers = [number for number in range(40) if number % 2 == 0 or number % 3 == 0]
    assert icons.table.index.tolist() == [f"icon-{number}" for number in numbers]
    assert icons.categories.index.equals(icons.table.index)
    expected = [[number % 2 == 0, number % 3 == 0] for number in numbers]
    assert icons.categories.to_numpy().tolist() == expected
    assert icons.version == "6.6.0"


def test_terms_are_in_lower_case_and_name_no_category(icons):
    row = icons.table.loc["icon-6"]
    assert row["terms"] == ["ball", "huge", "6"]
    assert row["name"] == "Disc 6"
    assert icons.n_dropped == len(icons.table)


def test_the_solid_drawing_is_taken_if_there_is_one(icons):
    for name in ("icon-2", "icon-6"):
        with Image.open(io.BytesIO(icons.table.loc[name, "picture"])) as picture:
            assert picture.getpixel((4, 4)) == (255, 255, 255)


def test_a_wheel_is_read_as_its_folder(folder, icons, tmp_path):
    wheel = shutil.make_archive(str(tmp_path / "icons"), "zip", folder)
    path = tmp_path / "fontawesomefree-6.6.0-py3-none-any.whl"
    shutil.move(wheel, path)
    from_wheel = load_icons(path, image_size=8, min_icons=5)
    pd.testing.assert_frame_equal(from_wheel.table, icons.table)
    pd.testing.assert_frame_equal(from_wheel.categories, icons.categories)
    assert from_wheel.version == icons.version


def test_the_installed_package_is_found(folder, icons, monkeypatch):
    class Distribution:
        def locate_file(self, path):
            return folder / path

    monkeypatch.setattr(metadata, "distribution", lambda name: Distribution())
    installed = load_icons(None, image_size=8, min_icons=5)
    pd.testing.assert_frame_equal(installed.table, icons.table)


def test_a_package_that_is_not_installed_is_reported(monkeypatch):
    def find(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", find)
    with pytest.raises(ExampleError, match=r"run pip install -r .*requirements\.txt, or name its"):
        load_icons(None, image_size=8)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("icons.json", None, "does not hold the package fontawesomefree"),
        ("icons.json", "{", r"The metadata of fontawesomefree in .* cannot be read"),
        ("categories.yml", "a: [", r"The metadata of fontawesomefree in .* cannot be read"),
        ("categories.yml", "- 1", r"differs from that of version 6\.6\.0 .*install"),
        ("icons.json", '{"a": {}}', r"differs from that of version 6\.6\.0 \(KeyError\('svg'\)\)"),
    ],
)
def test_a_damaged_package_is_reported(folder, file, content, message, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / FOLDER / file
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ExampleError, match=message):
        load_icons(tmp_path, image_size=8, min_icons=1)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", r"--data '.*nowhere' does not exist; it takes the wheel"),
        ("file", "is neither a wheel nor a folder"),
        (".", "does not hold the package fontawesomefree"),
    ],
)
def test_a_path_without_the_package_is_reported(path, message, tmp_path):
    (tmp_path / "file").write_text("no wheel", encoding="utf-8")
    with pytest.raises(ExampleError, match=message):
        load_icons(tmp_path / path, image_size=8)


def test_too_few_icons_are_reported(folder):
    with pytest.raises(ExampleError, match="No category of the package has 30 icons"):
        load_icons(folder, image_size=8, min_icons=30)


def test_drawings_are_centred_on_white():
    pytest.importorskip("resvg_py")
    with Image.open(io.BytesIO(draw_icon(TALL, 80))) as file:
        pixels = np.asarray(file.convert("L"))
    assert pixels.shape == (80, 80)
    assert set(np.unique(pixels)) == {0, 255}
    rows, columns = np.nonzero(pixels == 0)
    assert (rows.min(), rows.max()) == (8, 71)
    assert (columns.min(), columns.max()) == (24, 55)


def test_a_drawing_that_is_not_svg_is_reported():
    pytest.importorskip("resvg_py")
    with pytest.raises(ExampleError, match=r"A drawing cannot be read .*'<svg'"):
        draw_icon("<svg", 8)


def test_controls_learn_from_the_features_of_all_encoders(icons, tmp_path):
    rows = np.arange(len(icons.table))
    split = Split(1, rows[:20], rows[20:])
    encoders = [BagOfWordsEncoder("terms"), BagOfWordsEncoder("name", tokenizer="words")]
    store = FeatureStore(tmp_path)
    x = controls._join_features(icons, split, encoders, store)
    blocks = [
        encoder.fit(icons.table[encoder.name].iloc[split.train]).encode(icons.table[encoder.name])
        for encoder in encoders
    ]
    full = np.hstack(blocks)
    assert x.shape[1] <= 20
    # A regression depends on inner products with training rows only.
    np.testing.assert_allclose(x @ x[:20].T, full @ full[:20].T, atol=1e-6)


def test_the_benchmark_gives_the_more_frequent_answer(icons):
    rows = np.arange(len(icons.table))
    outcome = controls.trivial_benchmark(icons, Split(1, rows[:20], rows[20:]))
    # Of the first 20 icons, 15 are round and 10 are large.
    assert icons.categories.iloc[:20].sum().tolist() == [15, 10]
    assert outcome.thresholds.tolist() == [-np.inf, np.inf]
    assert outcome.scores.shape == (len(rows) - 20, 2)


def test_random_weights_replace_those_that_cannot_be_downloaded(monkeypatch, capsys):
    def get_backbone(encoder):
        if encoder.weights == "imagenet":
            raise WeightsUnavailableError

    monkeypatch.setattr(ImageEncoder, "get_backbone", get_backbone)
    assert make_picture_encoder("MobileNet", None, 32).weights is None
    assert "random weights are used" in capsys.readouterr().out
    with pytest.raises(WeightsUnavailableError):
        make_picture_encoder("MobileNet", "imagenet", 32)


@pytest.fixture
def _quick_run(monkeypatch):
    """Take a tiny network, one epoch, one penalty, few samples, and 10 icons per category."""

    def make_tiny_encoder(backbone, weights, image_size):
        layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, strides=2)]
        return ImageEncoder(
            "picture", backbone=keras.Sequential(layers), weights=None, image_size=image_size
        )

    monkeypatch.setattr(experiment, "make_picture_encoder", make_tiny_encoder)
    few = functools.partial(load_icons, min_icons=10)
    monkeypatch.setattr(experiment, "load_icons", few)
    once = functools.partial(MultimodalClassifier, epochs=1)
    monkeypatch.setattr(experiment, "MultimodalClassifier", once)
    monkeypatch.setattr(controls, "INVERSE_PENALTIES", (1,))
    monkeypatch.setattr(results, "N_RESAMPLES", 20)


@pytest.mark.slow
@pytest.mark.usefixtures("_simple_drawings", "_quick_run")
def test_a_run_compares_all_models(folder, tmp_path, capsys, monkeypatch):
    # The scores of the first seed, as the report receives them.
    kept = []

    def keep(*arguments):
        kept.append(run_split(*arguments))
        return kept[-1]

    run_split = experiment.run_split
    monkeypatch.setattr(experiment, "run_split", keep)
    out = tmp_path / "out"
    arguments = ["run", "--data", folder, "--out", out, "--store", tmp_path / "store"]
    assert main([*map(str, arguments), "--image-size", "8"]) == 0
    table = pd.read_csv(out / "results.csv", index_col=0, header=[0, 1])
    assert table.index.tolist() == [
        "ensemble: picture (random weights)",
        "ensemble: terms",
        "ensemble: name",
        "ensemble: all (random weights)",
        "network, plain call: all (random weights)",
        "logistic: picture (random weights)",
        "logistic: terms",
        "logistic: name",
        "logistic: all (random weights)",
        "trivial",
    ]
    icons = load_icons(folder, image_size=8, min_icons=10)
    split = experiment.split_rows(icons.categories.to_numpy(), 1)
    y = icons.categories.to_numpy()[split.test]
    outcome = kept[0]["ensemble: all"]
    row = table.loc["ensemble: all (random weights)"]
    assert row["mean_roc_auc", "value"] == pytest.approx(mean_roc_auc(y, outcome.scores))
    expected = mean_accuracy(y, outcome.scores, outcome.thresholds)
    assert row["mean_accuracy", "value"] == pytest.approx(expected)
    for score in ("mean_roc_auc", "macro_f1"):
        assert (table[score]["low"] <= table[score]["high"]).all()
    differences = pd.read_csv(out / "differences.csv", index_col=0, header=[0, 1])
    difference = table.loc["ensemble: all (random weights)"] - table.loc["trivial"]
    last = differences.loc["ensemble: all (random weights) minus trivial"]
    assert last["micro_f1", "value"] == pytest.approx(difference["micro_f1", "value"])
    assert len(differences) == len(table) - 1
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "MobileNet, random weights, 8 pixels" in report
    assert "Round + Soft" in report
    assert "Round + Soft" not in capsys.readouterr().out
    assert "Round + Soft" in (out / "report.html").read_text(encoding="utf-8")


def test_a_missing_library_is_reported(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(ExampleError, match="run pip install resvg-py"):
        load_icons(folder, image_size=8, min_icons=5)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ExampleError, match=r"run pip install -r .*requirements\.txt"):
        load_icons(folder, image_size=8, min_icons=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--image-size", "0"], "--image-size must be at least 1"),
        (["--text-backbone", "nowhere"], "--text-backbone 'nowhere' is not a folder"),
        (["--weights", "gone.weights.h5"], "Here: --weights FILE or random for pictures"),
        (["--backbone", "Nope"], "keras.applications has no network 'Nope'"),
        (
            ["--backbone", "VGG16", "--image-size", "5", "--weights", "random"],
            "Input size must be at least",
        ),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence(options, message, check_refused):
    check_refused(["run", "--out", "out", *options], message, main)
