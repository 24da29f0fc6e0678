"""The commands inspect, explain, compare, features and export."""

import json
import re

import pandas as pd
import pytest

from multimodal_ensemble import FeatureStore, MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator
from tests.cli.conftest import COLUMNS
from tests.cli.running import SMALL_IMAGES, run


def test_inspect_shows_the_columns_and_what_train_would_do(products):
    result = run("inspect", products)
    assert result.status == 0
    assert re.search(r"^currency +200 +0 +1 +EUR$", result.out, re.MULTILINE)
    assert "may hold labels: keywords, parts, posts, labels; or one of several" in result.out
    assert "classes per row: material, in stock, fragile, gift." in result.out
    assert "currency: left out; the same string in each row, 'EUR'" in result.out
    assert (
        "DenseEncoder('numbers', column=['price', 'discount', 'year', 'größe', 'weight']"
        in result.out
    )
    assert "on_error='missing', optional=True),  # paths of image files, 10 of 200" in result.out


def test_inspect_shows_columns_of_which_none_can_be_used(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n1,x\n")
    result = run("inspect", tmp_path / "one.csv")
    assert result.status == 0
    assert "b: left out; the same string in each row, 'x'" in result.out
    assert "to use them all the same" in result.out
    trained = run("train", tmp_path / "one.csv", "--labels", "b", "--out", tmp_path / "model.mme")
    assert trained.status == 1
    assert "encoders=" not in trained.err


def as_json(encoder):
    return json.dumps(encoder.get_config(), sort_keys=True)


@pytest.mark.slow
def test_the_code_that_inspect_prints_makes_the_encoders_that_train_uses(trained, products):
    result = run("inspect", products, "--labels", "labels", "--id", "sku", *COLUMNS, *SMALL_IMAGES)
    namespace = {}
    exec(result.out[result.out.index("# Encoders for") :], namespace)
    used = {each.name: each for each in load_estimator(trained.path).encoders_}
    for encoder in namespace["encoders"]:
        assert as_json(encoder) == as_json(used[encoder.name])


def test_inspect_counts_labels(products):
    value = run("inspect", products, "--labels", "labels", "--id", "sku", "--json").value
    assert set(value["labels"]) == {"Garden", "Kitchen", "Office", "Toys"}
    columns = {each["column"]: each for each in value["columns"]}
    assert columns["weight"]["n_missing"] > 20
    read = {column for each in value["encoders"] for column in each["columns"]}
    assert read.isdisjoint({"labels", "sku", "currency"})


def test_inspect_with_named_columns(products):
    result = run("inspect", products, "--tags", "keywords", "--text", "name")
    assert "# Encoders for 2 columns:" in result.out
    assert "BagOfWordsEncoder('keywords', delimiter=',', optional=True)" in result.out


def test_explain_prints_what_scores_rest_on(trained, products, tmp_path):
    out = tmp_path / "parts.csv"
    options = ("--rows", "3", "8", "--labels", "Garden", "--top", "2", "--out", out)
    result = run("explain", trained.path, products, *options)
    assert result.status == 0
    lines = result.out.splitlines()
    assert [line for line in lines if line.startswith("row")] == ["row 3", "row 8"]
    assert sum(line.startswith("  Garden: 0.") for line in lines) == 2
    # Row 8 has no image.
    parts = pd.read_csv(out)
    assert set(parts["row"]) == {3, 8}
    assert set(parts["kind"]) == {"modality", "token", "column"}


@pytest.mark.slow
def test_explain_leaves_out_bad_rows(trained, products, folder):
    lines = products.read_text("utf-8-sig").splitlines(keepends=True)[:4]
    lines[2] = lines[2].replace(" %", " percent")
    path = folder / "explained.csv"
    path.write_text("".join(lines), "utf-8")
    value = run("explain", trained.path, path, "--json").value
    assert [each["row"] for each in value["bad_rows"]] == [2]
    assert {each["row"] for each in value["rows"]} == {1, 3}
    first = value["rows"][0]
    assert first["is_predicted"] == (first["score"] >= first["threshold"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "Attic"], "The model has no label 'Attic'. It has Garden, Kitchen, Office."),
        (["--rows", "1", "999"], "has no row 999, or it is damaged"),
        (["--rows", "999"], "has none of these rows"),
    ],
)
def test_explain_refuses_unknown_rows_and_labels(options, message, trained, products):
    result = run("explain", trained.path, products, *options)
    assert result.status == 1
    assert message in result.err


def test_compare_prints_differences(products, tmp_path):
    result = run(
        *("compare", products, "--labels", "labels", "--folds", "2", "--keep", tmp_path / "fits"),
        *("--models", "trivial", "ensemble", "ensemble:keywords"),
        *("--tags", "keywords", "--numbers", "year", "--report", tmp_path / "report.html"),
    )
    assert result.status == 0
    assert "minus trivial" in result.out
    assert "ensemble:keywords beats trivial" in result.out
    assert (tmp_path / "report.html").exists()
    assert any((tmp_path / "fits").iterdir())


def test_ctrl_c_says_which_fits_are_kept(products, tmp_path, monkeypatch):
    def interrupted(self, X, y):
        raise KeyboardInterrupt

    monkeypatch.setattr(MultimodalEnsemble, "fit", interrupted)
    options = ("--labels", "labels", "--models", "ensemble", "--tags", "keywords")
    result = run("compare", products, *options, "--keep", tmp_path / "fits")
    assert result.status == 130
    assert f"finished fits are kept in {tmp_path / 'fits'}" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "forest"], "--models takes trivial, ensemble, network"),
        (["--models", "network", "network"], "each once"),
        (["--models", "ensemble:price", "--tags", "keywords"], "'price' is not read on its own"),
        (["--folds", "1"], "--folds must be at least 2"),
    ],
)
def test_compare_refuses_other_models(options, message, products):
    result = run("compare", products, "--labels", "labels", *options)
    assert result.status == 2
    assert message in result.err


def test_features_fills_a_store(products, tmp_path):
    options = ("--store", tmp_path / "store", "--image", "photo", *SMALL_IMAGES, "--json")
    value = run("features", products, *options).value
    assert value["n_computed"] == 189
    assert len(FeatureStore(tmp_path / "store").entries()) == 1
    assert run("features", products, *options, "--jobs", "1").value["n_computed"] == 0


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--image", "photo"], 2, "Name the folder for the features with --store"),
        (["--tags", "keywords", "--store", "store"], 1, "No column is read by a network"),
    ],
)
def test_features_needs_a_store_and_a_network(options, status, message, products):
    result = run("features", products, *options)
    assert result.status == status
    assert message in result.err


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "model.mme"
    MultimodalEnsemble(verbose=0).fit({"x": [1.0, 2, 3, 4]}, [["a"], [], ["a"], []]).save(path)
    return path


def test_export_refuses_other_suffixes(small, tmp_path):
    result = run("export", small, "--out", tmp_path / "model.bin")
    assert result.status == 1
    assert "end it in .onnx or .tflite" in result.err


@pytest.mark.slow
def test_export_chooses_the_format_by_the_suffix(small, tmp_path):
    value = run("export", small, "--out", tmp_path / "model.tflite", "--json").value
    assert value["format"] == "litert"
    assert (tmp_path / "model.tflite").stat().st_size
    assert (tmp_path / "model.tflite.json").stat().st_size


def test_export_does_not_replace_the_model(small):
    before = small.read_bytes()
    result = run("export", small, "--out", small, "--format", "litert")
    assert result.status == 1
    assert "is also read, and would be replaced" in result.err
    assert small.read_bytes() == before


def test_export_to_a_folder_that_exists_is_refused_in_one_sentence(small, tmp_path):
    result = run("export", small, "--out", tmp_path)
    assert result.status == 1
    assert result.err.endswith("is an existing folder; remove it, or choose another path.\n")


def test_compare_needs_known_labels(tmp_path):
    rows = "x,r,g\n" + "1,0,1\n2,1,0\n3,0,\n4,1,1\n" * 5
    (tmp_path / "rows.csv").write_text(rows, "utf-8")
    result = run("compare", tmp_path / "rows.csv", "--labels", "r", "g", "--folds", "2")
    assert result.status == 1
    assert "'g' has no value in 5 of 20 rows, the first is row 3" in result.err


def test_inspect_prints_one_line_per_column(tmp_path):
    (tmp_path / "rows.csv").write_text('"a\nb",c\n"1\n2",3\n"4\n5",6\n', "utf-8")
    lines = run("inspect", tmp_path / "rows.csv").out.splitlines()
    assert lines[1].split() == ["a", "b", "2", "0", "2", "1", "2;", "4", "5"]
    assert lines[2].split() == ["c", "2", "0", "2", "3;", "6"]


def test_explain_reads_features_of_a_store(trained, products, tmp_path):
    options = ("--first", "1", "--labels", "Garden", "--store", tmp_path / "store")
    result = run("explain", trained.path, products, *options)
    assert result.status == 0, result.err
    assert len(FeatureStore(tmp_path / "store").entries()) == 1


def test_the_trivial_model_of_compare_predicts_the_more_frequent_answer(tmp_path):
    # "a" has 44 of 100 rows, and thresholds that are tuned on shares would predict it.
    path = tmp_path / "rows.csv"
    labels = ["a"] * 40 + ["a|b"] * 4 + ["b"] * 56
    rows = [f"x{row % 2}|z,{label}" for row, label in enumerate(labels)]
    path.write_text("\n".join(["t,y", *rows]))
    options = ("--labels", "y", "--folds", "2", "--models", "trivial", "--tags", "t", "--json")
    table = run("compare", path, *options).value["table"]
    scores = {each["metric"]: each["score"] for each in table}
    assert scores["mean_accuracy"] == pytest.approx((0.56 + 0.60) / 2, abs=1e-3)


def test_evaluate_warns_of_the_file_of_the_training(plain, products, tmp_path):
    same = run("evaluate", plain, products, "--quiet")
    assert same.status == 0
    assert "the model was trained on rows of" in same.err
    text = products.read_text("utf-8-sig")
    (tmp_path / "others.csv").write_text("\n".join(text.splitlines()[:60]), "utf-8")
    assert "was trained on" not in run("evaluate", plain, tmp_path / "others.csv", "--quiet").err


def test_absent_weights_are_an_error_that_names_the_option(products, tmp_path):
    options = ("--labels", "labels", "--image", "photo", "--backbone", "MobileNet")
    absent = ("--weights", tmp_path / "absent.weights.h5", "--out", tmp_path / "model.mme")
    result = run("train", products, *options, *absent)
    assert result.status == 1
    assert "or --weights random for random weights" in result.err
    assert "weights=" not in result.err.splitlines()[-1]


def test_options_of_images_without_any_image_are_said_to_have_no_effect(products, tmp_path):
    result = run("inspect", products, "--tags", "keywords", *SMALL_IMAGES)
    assert "--backbone, --weights, --image-size have no effect, because no column is read as" in (
        result.err
    )
    result = run("inspect", products, "--tags", "keywords", "--text-backbone", tmp_path)
    assert "--text-backbone has no effect, because no column is read as text" in result.err
    result = run("inspect", products, "--image", "photo", *SMALL_IMAGES)
    assert "no effect" not in result.err
