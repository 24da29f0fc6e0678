"""The commands train, show and evaluate."""

import re

import pandas as pd
import pytest

from multimodal_ensemble import ImageEncoder, MultimodalClassifier, MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator
from tests.cli.running import run

TAGS = ("--tags", "keywords")


def test_train_prints_figures_with_intervals_beside_a_trivial_benchmark(trained):
    assert trained.result.status == 0
    assert "50 rows: mean ROC-AUC" in trained.result.out
    assert "trivial benchmark" in trained.result.out
    assert re.search(r"mean_roc_auc +model 0\.\d+ \[0\.\d+, [01]\.\d+\]", trained.result.out)


def test_train_says_what_it_read(trained):
    err = trained.result.err
    assert "200 rows, 22 columns (UTF-8 with a byte order mark, delimiter comma)" in err
    assert "4 labels in labels, separated by '|': Garden, Kitchen, Office, Toys; " in err


def test_absent_and_damaged_images_are_reported_and_do_not_stop_the_training(trained):
    assert "'images/lost/7.png' (No such file or directory)" in trained.result.err
    assert "'images/11.png' (it is not an image" in trained.result.err


def test_held_out_rows_take_no_part_in_the_training(trained):
    fitted, scored = set(trained.fitted_rows), set(trained.scored_rows)
    assert len(fitted) == 150
    assert len(scored) == 50
    assert fitted.isdisjoint(scored)
    # Thresholds come from leave-one-out scores of the rows that `fit` received.
    assert load_estimator(trained.path).provenance_["thresholds_from"] == "leave-one-out scores"


def test_show_prints_the_figures_of_train_again(trained):
    shown = run("show", trained.path)
    figures = trained.result.out.partition("\n\nThe model is")[0]
    assert shown.status == 0
    assert figures in shown.out
    assert "150 rows of products.csv (labels: labels)" in shown.out
    assert "photo: ImageEncoder with MobileNet, optional" in shown.out


def test_show_as_json(trained):
    value = run("show", trained.path, "--json").value
    assert value["kind"] == "MultimodalEnsemble"
    assert value["provenance"]["command"]["id"] == "sku"
    assert len(value["provenance"]["command"]["sha256"]) == 64
    assert value["test"]["n_samples"] == 50
    assert {each["model"] for each in value["test"]["intervals"]} == {"trivial", "model"}


@pytest.mark.parametrize("figures", [None, 3, {"evaluation": {}}, {"comparison": 1}])
def test_show_goes_on_without_figures(figures, products, tmp_path):
    model = MultimodalEnsemble(verbose=0).fit({"x": [1.0, 2, 3, 4]}, [["a"], [], ["a"], []])
    model.provenance_["command"] = {"test": {"figures": figures}}
    model.save(tmp_path / "model.mme")
    shown = run("show", tmp_path / "model.mme")
    assert shown.status == 0
    assert "The file has no figures of test rows" in shown.out


def test_evaluate_knows_the_column_of_labels(trained, products, tmp_path):
    rows, report = tmp_path / "rows.csv", tmp_path / "report.html"
    lines = products.read_text("utf-8-sig").splitlines(keepends=True)
    rows.write_text("".join(lines[:21]), "utf-8")
    root = ("--root", products.parent)
    result = run("evaluate", trained.path, rows, "--json", "--report", report, *root)
    assert result.value["n_samples"] == 20
    assert [each["label"] for each in result.value["labels"]] == ["Garden", "Kitchen", "Office"]
    assert "trivial" in report.read_text("utf-8")


def test_each_row_is_encoded_once_also_for_a_page(trained, products, tmp_path, monkeypatch):
    encoded = []
    encode = ImageEncoder.encode

    def spy(self, values):
        encoded.extend(values)
        return encode(self, values)

    monkeypatch.setattr(ImageEncoder, "encode", spy)
    rows = pd.read_csv(products, dtype=str).drop(index=11)
    # Of these rows, all images exist.
    rows = rows[~rows["photo"].str.contains("lost")].iloc[:12]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    # A relative root, which must not be joined twice.
    monkeypatch.chdir(products.parent.parent)
    root = products.parent.name
    command = ("evaluate", trained.path, tmp_path / "rows.csv", "--root", root, "--json")
    without = run(*command).value
    assert len(encoded) == 12
    result = run(*command, "--report", tmp_path / "report.html")
    value = result.value
    assert len(encoded) == 24
    assert "cannot be read" not in result.err
    # The page changes no figure.
    for name in ("mean_roc_auc", "brier_score", "n_samples"):
        assert value[name] == pytest.approx(without[name], abs=1e-6)


def test_evaluate_needs_a_column_of_labels(products, tmp_path):
    model = MultimodalEnsemble(verbose=0).fit({"x": [1.0, 2, 3, 4]}, [["a"], [], ["a"], []])
    model.save(tmp_path / "model.mme")
    result = run("evaluate", tmp_path / "model.mme", products)
    assert result.status == 2
    assert "name it with --labels" in result.err


def test_the_same_seed_gives_the_same_model(products, tmp_path):
    first, second = (
        run(
            *("train", products, "--labels", "labels", "--out", tmp_path / f"{name}.mme", *TAGS),
            *("--test-size", "0.3", "--seed", "4", "--json", "--quiet"),
        ).value
        for name in "ab"
    )
    assert first["thresholds"] == second["thresholds"]
    assert first["test"]["mean_roc_auc"] == second["test"]["mean_roc_auc"]


def test_json_is_alone_on_stdout(products, tmp_path):
    out = tmp_path / "model.mme"
    result = run("train", products, "--labels", "labels", "--out", out, *TAGS, "--json")
    assert result.value["n_train"] == 200
    assert result.value["test"] is None
    assert "Member keywords" in result.err


def test_a_separate_file_of_test_rows(products, tmp_path):
    rows = pd.read_csv(products, dtype=str).iloc[:60]
    rows.to_json(tmp_path / "test.jsonl", orient="records", lines=True)
    result = run(
        *("train", products, "--labels", "labels", "--out", tmp_path / "model.mme", *TAGS),
        *("--test", tmp_path / "test.jsonl", "--json"),
    )
    assert result.value["n_train"] == 200
    assert result.value["test"]["n_samples"] == 60


def test_rare_labels_are_left_out(products, tmp_path):
    text = products.read_text("utf-8-sig").replace("Office", "Desk", 1)
    (tmp_path / "rare.csv").write_text(text, "utf-8")
    result = run(
        *("train", tmp_path / "rare.csv", "--labels", "labels", "--out", tmp_path / "model.mme"),
        *("--min-label-count", "2", "--json", *TAGS),
    )
    assert result.value["labels"] == ["Garden", "Kitchen", "Office"]


def test_rows_that_are_held_out_do_not_count_for_rare_labels(tmp_path):
    # Two rows have the label "rare", and one of them is held out.
    rows = pd.DataFrame({"x": range(20), "y": ["common", ""] * 9 + ["rare", "rare"]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    options = ("train", tmp_path / "rows.csv", "--labels", "y", "--label-delimiter", "|")
    options = (*options, "--numbers", "x", "--json")
    out = ("--out", tmp_path / "model.mme", "--min-label-count", "2")
    assert run(*options, *out).value["labels"] == ["common", "rare"]
    assert run(*options, *out, "--test-size", "0.5").value["labels"] == ["common"]


def test_several_columns_of_labels(tmp_path):
    rows = pd.DataFrame({"x": [1, 5, 2, 6] * 5, "low": ["yes", "no"] * 10, "high": [0, 1] * 10})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    result = run(
        *("train", tmp_path / "rows.csv", "--labels", "low", "high"),
        *("--out", tmp_path / "model.mme", "--json"),
    )
    assert result.value["labels"] == ["low", "high"]


def test_ctrl_c_keeps_the_best_weights_of_a_network(products, tmp_path, monkeypatch):
    fit = MultimodalClassifier.fit

    def interrupted(self, X, y):
        fit(self, X, y)
        raise KeyboardInterrupt

    monkeypatch.setattr(MultimodalClassifier, "fit", interrupted)
    out = tmp_path / "model.mme"
    result = run(
        *("train", products, "--labels", "labels", "--out", out, "--model", "network"),
        *("--epochs", "1", "--test-size", "0.2", *TAGS),
    )
    assert result.status == 130
    assert f"Interrupted; the best weights so far are in {out}" in result.err
    assert "interrupted by Ctrl-C" in run("show", out).out


def test_ctrl_c_without_a_result(products, tmp_path, monkeypatch):
    def interrupted(self, X, y):
        raise KeyboardInterrupt

    monkeypatch.setattr(MultimodalEnsemble, "fit", interrupted)
    out = tmp_path / "model.mme"
    result = run("train", products, "--labels", "labels", "--out", out, *TAGS)
    assert result.status == 130
    assert result.err.endswith("Interrupted; nothing was written.\n")
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--labels", "nothing"], 1, "There is no column 'nothing'. The file has sku, name,"),
        (["--labels", "labels", "--id", "key"], 1, "There is no column 'key'"),
        (["--labels", "labels", "--tags", "labels"], 2, "'labels' is named for two purposes"),
        (["--labels", "labels", "--min-label-count", "999"], 1, "has min_label_count=999 rows"),
        (["--labels", "sku", "name"], 1, "'sku' has 'P-00000' in row 1"),
        (["--labels", "labels", "--test-size", "20"], 2, "'20' is no number between 0 and 1"),
        (["--labels", "labels", "--report", "r.html"], 2, "--report is about test rows"),
        (["--labels", "labels", "--test", "x", "--test-size", "0.2"], 2, "give one of them"),
        (
            ["--labels", "labels", "--numbers", "currency"],
            1,
            "'currency' is missing in all 200 training",
        ),
        (["--labels", "labels", "--encoding", "nonsense"], 1, "There is no encoding 'nonsense'"),
        (["--labels", "labels", "--delimiter", "ab"], 2, "'ab' is no single character"),
        ([], 2, "the following arguments are required: --labels"),
    ],
)
def test_bad_input_is_refused_with_the_fix(options, status, message, products, tmp_path):
    out = tmp_path / "model.mme"
    result = run("train", products, "--out", out, *options)
    assert result.status == status
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not out.exists()


def test_training_rows_are_no_test_rows(products, tmp_path):
    options = ("--labels", "labels", "--out", tmp_path / "model.mme", "--test", products)
    result = run("train", products, *options)
    assert result.status == 2
    assert "--test names the training rows themselves" in result.err


def test_values_that_are_no_numbers_count_as_missing_in_training(products, tmp_path):
    rows, out = tmp_path / "rows.csv", tmp_path / "model.mme"
    rows.write_text(products.read_text("utf-8-sig").replace(",8 %,", ",eight,", 1), "utf-8")
    result = run("train", rows, "--labels", "labels", "--out", out, "--numbers", "discount")
    assert result.status == 0
    assert "1 of 200 values are no numbers, and count as missing. The first one is 'eight'." in (
        result.err
    )


def test_errors_of_rows_have_the_numbers_of_the_file(tmp_path):
    rows = "x,y\n" + "".join(f'{{"x": [{row}], "y": ["a"]}}\n' for row in range(4))
    lines = [line for line in rows.splitlines() if line.startswith("{")]
    lines[2] = '{"x": [1, 2], "y": []}'
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(["nonsense", *lines]), "utf-8")
    out = tmp_path / "model.mme"
    result = run("train", path, "--labels", "y", "--out", out, "--numbers", "x")
    assert result.status == 1
    assert "2 numbers in row 4" in result.err


def test_a_folder_that_does_not_exist_is_refused_before_anything_is_read(tmp_path):
    result = run("train", "x.csv", "--labels", "y", "--out", tmp_path / "absent" / "model.mme")
    assert result.status == 1
    assert "there is no folder" in result.err


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    result = run("train", "x.csv", "--labels", "y", "--out", tmp_path / "model.mme")
    assert result.status == 1
    assert "nothing can be written to the folder" in result.err


def test_a_column_without_any_label_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n1,\n2,NA\n")
    options = ("--labels", "y", "--out", tmp_path / "model.mme")
    result = run("train", tmp_path / "rows.csv", *options)
    assert result.status == 1
    assert "No row has a value in the column 'y'" in result.err


def test_debug_prints_the_traceback(tmp_path):
    result = run("show", tmp_path / "absent.mme", "--debug")
    assert result.status == 1
    assert "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("error: There is no file")


def test_another_file_is_no_model(products):
    result = run("show", products)
    assert result.status == 1
    assert "is not a zip archive" in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "There is no file"), ("x,z\n1,2\n", "There is no column 'y'. The file has x, z.")],
)
def test_what_is_wrong_with_test_rows_is_said_before_the_training(
    text, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(MultimodalEnsemble, "fit", None)
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b\n3,a\n", "utf-8")
    if text is not None:
        (tmp_path / "test.csv").write_text(text, "utf-8")
    options = ("--labels", "y", "--out", tmp_path / "model.mme", "--test", tmp_path / "test.csv")
    result = run("train", tmp_path / "rows.csv", *options)
    assert result.status == 1
    assert message in result.err


def test_an_evaluation_that_fails_leaves_the_model_and_says_so(tmp_path):
    rows = "x,y\n" + "1,a\n2,b\n" * 10
    (tmp_path / "rows.csv").write_text(rows, "utf-8")
    (tmp_path / "test.csv").write_text("x,y\none,a\ntwo,b\n", "utf-8")
    out = tmp_path / "model.mme"
    options = ("--labels", "y", "--out", out, "--test", tmp_path / "test.csv")
    result = run("train", tmp_path / "rows.csv", *options)
    assert result.status == 1
    assert f"warning: the model is in {out}, without an evaluation" in result.err
    assert run("show", out).status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "'-1' is no whole number of at least 0"),
        (["--label-delimiter", ""], "it must have a character, such as '|'"),
        (["--delimiter", '"'], "is no single character that can separate values"),
    ],
)
def test_values_that_no_training_can_use_are_refused_at_once(options, message):
    result = run("train", "absent.csv", "--labels", "y", "--out", "absent.mme", *options)
    assert result.status == 2
    assert message in result.err


def test_a_file_of_labels_alone_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("y\na\nb\n", "utf-8")
    options = ("--labels", "y", "--out", tmp_path / "model.mme")
    result = run("train", tmp_path / "rows.csv", *options)
    assert result.status == 1
    assert "The file has no column besides those of --labels, --id and --exclude." in result.err


def test_a_column_that_the_model_reads_has_no_labels(plain, products):
    result = run("evaluate", plain, products, "--labels", "keywords")
    assert result.status == 1
    assert "The model reads the column 'keywords', so it cannot have the labels" in result.err


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            ["keywords,labels", "gift,Attic", "new,Cellar|Attic"],
            (),
            "the file has ['Attic', 'Cella",
        ),
        (["keywords,labels", "gift,Attic", "new,Attic"], (), "the model ['Garden', 'Kitchen', 'Of"),
        (
            ["keywords,labels", "gift,Garden+Office", "new,Office+Garden"],
            (),
            "or what separates the labels with --label-delimiter",
        ),
        (["keywords,labels", "gift,", "new,NA"], (), "No row has a label in the column 'labels'"),
        (
            ["keywords,Garden,Kitchen,Office", "gift,0,,0"],
            ("--labels", "Garden", "Kitchen", "Office"),
            "because all values are 0 or missing",
        ),
    ],
)
def test_rows_of_which_no_label_is_known_are_not_evaluated(rows, options, message, plain, tmp_path):
    columns = ",price,year,discount"
    lines = [rows[0] + columns, *(f"{row},1,2,3 %" for row in rows[1:])]
    (tmp_path / "rows.csv").write_text("\n".join(lines), "utf-8")
    result = run("evaluate", plain, tmp_path / "rows.csv", *options)
    assert (result.status, result.out) == (1, "")
    assert message in result.err
    delimiter = ("--label-delimiter", "+")
    if "--label-delimiter" in message:
        assert run("evaluate", plain, tmp_path / "rows.csv", *delimiter).status == 0


def test_test_rows_of_which_no_label_is_known_are_refused_before_the_training(
    products, tmp_path, monkeypatch
):
    monkeypatch.setattr(MultimodalEnsemble, "fit", None)
    (tmp_path / "test.csv").write_text("keywords,labels\ngift,Attic\n", "utf-8")
    options = ("--labels", "labels", "--out", tmp_path / "m", "--test", tmp_path / "test.csv")
    result = run("train", products, *options, *TAGS)
    assert result.status == 1
    assert "The model knows none of the labels in the column 'labels'" in result.err


def test_a_folder_is_no_model(tmp_path):
    result = run("show", tmp_path)
    assert result.status == 1
    assert "is a folder; name the file of a model" in result.err


def test_a_long_list_of_columns_is_shortened(tmp_path):
    names = [f"c{column}" for column in range(50)]
    (tmp_path / "rows.csv").write_text(",".join(names) + "\n" + "1," * 49 + "1\n", "utf-8")
    result = run("inspect", tmp_path / "rows.csv", "--labels", "y")
    assert result.status == 1
    assert result.err.endswith("c18, c19 and 30 more.\n")


def test_epochs_of_an_ensemble_are_said_to_have_no_effect(tmp_path):
    result = run("train", "absent.csv", "--labels", "y", "--out", tmp_path / "m", "--epochs", "2")
    assert "--epochs has no effect on the ensemble" in result.err


@pytest.mark.parametrize("model", ["ensemble", "network"])
def test_calibration_reaches_the_estimator(model, tmp_path, monkeypatch):
    kind = MultimodalClassifier if model == "network" else MultimodalEnsemble
    asked = []

    def interrupted(self, X, y):
        asked.append(self.calibration)
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "fit", interrupted)
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b\n3,a\n4,b\n", "utf-8")
    options = ("--labels", "y", "--out", tmp_path / "m", "--calibration", "isotonic")
    run("train", tmp_path / "rows.csv", *options, "--model", model, "--numbers", "x")
    assert asked == ["isotonic"]


def test_show_prints_the_calibration(plain):
    assert "\nCalibration: platt\n" in run("show", plain).out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "--out", "m", "--calibration", "beta"], 2, "invalid choice: 'beta'"),
        (["compare", "--models", "trivial", "--calibration", "platt"], 2, "--models names none"),
        (["train", "--out", "m", "--calibration", "platt"], 1, "the ensemble always has it"),
        (["compare", "--models", "ensemble", "--calibration", "platt"], 1, "always has it"),
    ],
)
def test_calibration_that_does_not_fit(arguments, status, message):
    result = run(arguments[0], "absent.csv", "--labels", "y", *arguments[1:])
    assert result.status == status
    assert message in result.err
