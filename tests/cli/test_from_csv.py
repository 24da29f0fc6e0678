"""A file with all troubles: what each column becomes, and the page about it, run as written."""

import os
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from multimodal_ensemble import infer_encoders
from multimodal_ensemble.estimators import load_estimator
from multimodal_ensemble.images import UnreadableImageWarning
from multimodal_ensemble.serving import make_app
from tests.cli.running import run
from tests.products import write_products
from tests.serving.conftest import as_base64, open_client

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how_to" / "untidy_files.md").read_text("utf-8")
# The page is about 2,000 rows, which take minutes.
N_ROWS = int(os.environ.get("PRODUCTS_ROWS", "100"))
SMALL = {"weights": None, "seed": 0, "image_size": 32}


@pytest.fixture(scope="module")
def european(folder):
    return write_products(folder, is_european=True)


@pytest.fixture(scope="module")
def inspected(products, european):
    """Return the lines of code for each form of the file."""
    return {
        path.stem: run("inspect", path, "--labels", "labels", "--json").value["code"]
        for path in (products, european)
    }


@pytest.mark.parametrize("form", ["products", "products_eu"])
@pytest.mark.parametrize(
    "expected",
    [
        "sku: left out; a different word in each row, like an id",
        "currency: left out; the same string in each row, 'EUR'",
        "BagOfWordsEncoder('description', tokenizer='words'",
        "texts of 15.8 words, not split at ','",
        "BagOfWordsEncoder('keywords', delimiter=','",
        "BagOfWordsEncoder('parts', tokenizer='list'",
        "BagOfWordsEncoder('posts', tokenizer='hashtags'",
        "10 of 200 paths without a file, such as 'images/lost/107.png'",
        "ImageEncoder('gallery', items='mean'",
        "delimited by ';'; missing in 67 of 200 rows",
        "# images as data URIs; missing in 24 of 200 rows",
        "DateEncoder('launched')",
        "DateEncoder('checked', format='%d.%m.%Y', optional=True)",
        "column=['material', 'in stock', 'fragile', 'gift'])",
        "discount: numbers as text, such as '20 %'",
        "'größe', 'weight'], decimal=",
    ],
)
def test_what_each_column_becomes(form, expected, inspected):
    assert expected in inspected[form]


def test_the_decimal_mark_is_found(inspected):
    assert "DenseEncoder('numbers', column=['price'," in inspected["products"]
    assert "price: numbers as text, such as '2,919.0'" in inspected["products"]
    named = "DenseEncoder('numbers_with_comma', column=['price', 'größe', 'weight'], decimal=',')"
    assert named in inspected["products_eu"]


def test_labels_are_split_and_trimmed(products, european):
    for path in (products, european):
        counts = run("inspect", path, "--labels", "labels", "--json").value["labels"]
        assert counts == {"Garden": 88, "Kitchen": 85, "Office": 77, "Toys": 1}


def test_empty_values_of_several_label_columns_are_unknown(products, tmp_path):
    options = ("--labels", "fragile", "gift", "--tags", "posts", "--out", tmp_path / "model.mme")
    result = run("train", products, *options, "--test-size", "0.3", "--json")
    assert result.status == 0, result.err
    table = pd.read_csv(products)
    shares = load_estimator(tmp_path / "model.mme").provenance_["label_shares"]
    known = (table[["fragile", "gift"]] == "yes").sum() / table[["fragile", "gift"]].notna().sum()
    assert shares == pytest.approx(known.tolist(), abs=0.1)
    report = {each["label"]: each for each in result.value["test"]["labels"]}
    assert result.value["test"]["n_samples"] == 60
    assert report["gift"]["roc_auc"] > 0.8
    (intervals,) = {each["model"] for each in result.value["test"]["intervals"]} - {"trivial"}
    assert intervals == "model"


def test_a_rare_label_is_left_out(products, tmp_path):
    options = ("--labels", "labels", "--tags", "keywords", "--out", tmp_path / "model.mme")
    result = run("train", products, *options, "--min-label-count", "2", "--json")
    assert result.value["labels"] == ["Garden", "Kitchen", "Office"]
    assert "1 label of 4 left out, with fewer than 2 rows: ['Toys']" in result.err
    scored = run("evaluate", tmp_path / "model.mme", products, "--json")
    assert "a label that no training row has" in scored.err.replace("1 label", "a label")
    assert scored.value["n_samples"] == 200


def test_the_printed_code_is_that_of_infer_encoders(products, capsys, inspected):
    table = pd.read_csv(products, dtype=str).drop(columns="labels")
    infer_encoders(table, root=products.parent, allow_missing=True)
    assert capsys.readouterr().out == inspected["products"]


def check_server(model, path, predicted):
    """Compare scores of the server with those of `predict`; requests have images in base64."""
    table = pd.read_csv(path, dtype=str, sep=None, engine="python", encoding="utf-8-sig")
    row = next(row for row, photo in enumerate(table["photo"]) if Path(str(photo)).is_file())

    def as_value(column, kind):
        value = table[column][row]
        if pd.isna(value) or kind not in ("image", "images") or value.startswith("data:"):
            return None if pd.isna(value) else value
        files = [Path(name.strip()) for name in value.split(";")]
        contents = [as_base64(file.read_bytes()) for file in files]
        return contents if kind == "images" else contents[0]

    with open_client(make_app(model)) as client:
        columns = client.get("/health").json()["columns"]
        values = {column: as_value(column, about["kind"]) for column, about in columns.items()}
        answer = client.post("/predict", json={"rows": [values]})
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["rows"]
        assert client.post("/explain", json={"rows": [values]}).status_code == 200
    for label, score in found["scores"].items():
        assert score == pytest.approx(predicted[f"score_{label}"][row], abs=1e-5)


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path, monkeypatch):
    # The lines of Python below read the other form of the file.
    path = write_products(tmp_path, N_ROWS, is_european=True)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ").replace("products.csv", path.name)
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line]
    assert [each[0] for each in commands] == ["inspect", "train", "predict", "explain"]
    for arguments in commands:
        if "--backbone" in arguments:
            # The weights would be downloaded.
            arguments += ["--weights", "random", "--image-size", "32"]
        result = run(*arguments)
        assert result.status == 0, result.err
        assert "Traceback" not in result.err
    predicted = pd.read_csv("predictions.csv")
    assert len(predicted) == N_ROWS
    assert predicted["error"].isna().all()
    check_server("model.mme", path, predicted)
    shown = run("show", "model.mme", "--json").value
    assert shown["test"]["mean_roc_auc"] > 0.75
    assert list(shown["thresholds"]) == ["Garden", "Kitchen", "Office"]


@pytest.mark.slow
def test_five_lines_of_python(tmp_path, monkeypatch):
    write_products(tmp_path, N_ROWS)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) == 5
    namespace = {}
    small = code.replace('"MobileNet"', f'"MobileNet", image_options={SMALL}')
    with pytest.warns(UnreadableImageWarning, match=r"'images/11.png' \(it is not an image"):
        exec(small, namespace)
    namespace["model"].save("model.mme")
    result = run("predict", "model.mme", "products.csv", "--out", "out.csv")
    assert result.status == 0, result.err
    assert pd.read_csv("out.csv")["error"].isna().all()
