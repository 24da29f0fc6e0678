"""Predictions over HTTP: the same as without a server, and bad input with its reason."""

import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    MultimodalEnsemble,
)
from multimodal_ensemble.serving import ServingLimits, make_app
from multimodal_ensemble.serving._multipart import _Collected
from multimodal_ensemble.serving._request_error import RequestError
from tests.serving.conftest import as_base64, as_uri, open_client
from tests.toys import draw_labels, encode_image


def as_rows(table):
    """Return the rows of a table as JSON values."""
    rows = []
    for row in table.to_dict("records"):
        if isinstance(row["poster"], np.ndarray):
            row["poster"] = as_uri(encode_image(row["poster"]))
        rows.append(row)
    return rows


def post(client, rows, path="/predict", **options):
    return client.post(path, json={"rows": rows}, **options)


def test_predictions_are_those_of_the_estimator(client, model, table):
    answer = post(client, as_rows(table)).json()
    scores = pd.DataFrame([row["scores"] for row in answer["rows"]])
    np.testing.assert_allclose(scores, model.predict_proba(table), rtol=1e-6)
    assert list(scores) == ["Drama", "War", "Western"]
    labels = [tuple(row["labels"]) for row in answer["rows"]]
    assert labels == model.predict_labels(table)
    assert answer["thresholds"] == {"Drama": 0.5, "War": "inf", "Western": "-inf"}
    assert len(set(labels)) > 1


def test_optional_columns_may_be_absent_and_numbers_null(client, model, table):
    row = {"year": None, "minutes": "90", "country": None}
    answer = post(client, [row]).json()
    wanted = pd.DataFrame(
        {"poster": [None], "tags": [None], "year": [np.nan], "minutes": [90.0], "country": [None]}
    )
    found = list(answer["rows"][0]["scores"].values())
    np.testing.assert_allclose(found, model.predict_proba(wanted)[0], rtol=1e-6)


def test_a_form_and_json_with_plain_base64_have_the_same_scores(client, row, table):
    content = encode_image(table["poster"][0])
    wanted = post(client, [row]).json()
    assert post(client, [row | {"poster": as_base64(content)}]).json() == wanted
    data = {"tags": " space , war", "year": "1980", "minutes": "101.5", "country": "fr"}
    sent = client.post("/predict", data=data, files={"poster": ("a.png", content)})
    assert sent.json() == wanted


def test_rows_of_a_form_refer_to_its_files(client, row, table):
    contents = [encode_image(table["poster"][number]) for number in (0, 1)]
    rows = [row | {"poster": as_uri(content)} for content in contents]
    referring = [row | {"poster": {"upload": name}} for name in ("a", "b")]
    sent = client.post(
        "/predict",
        data={"rows": json.dumps({"rows": referring})},
        files={"a": ("a.png", contents[0]), "b": ("b.png", contents[1])},
    )
    assert sent.json() == post(client, rows).json()
    of_list = client.post(
        "/predict",
        data={"rows": json.dumps(referring)},
        files={"a": ("a.png", contents[0]), "b": ("b.png", contents[1])},
    )
    assert of_list.json() == sent.json()


def test_an_empty_file_is_no_missing_image(client, row):
    sent = client.post("/predict", data={"year": "1980"}, files={"poster": ("a.png", b"")})
    assert sent.status_code == 422
    assert "the image is empty" in sent.json()["error"]["reason"]


def test_a_browser_leaves_a_file_and_a_field_empty(client, row):
    data = {"year": "1980", "minutes": "", "tags": "", "country": ""}
    sent = client.post("/predict", data=data, files={"poster": ("", b"")})
    plain = {"year": 1980, "minutes": None, "country": None}
    assert sent.json() == post(client, [plain]).json()


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"year": "many"}, "year", "it must be a finite number, not 'many'"),
        ({"year": 10**400}, "year", "it must be a finite number"),
        ({"year": "nan"}, "year", "it must be a finite number, not 'nan'"),
        ({"year": [1]}, "year", r"it must be a finite number, not \[1\]"),
        ({"year": 1e39}, None, "expects finite numbers of at most"),
        ({"tags": "space, war"}, "tags", "it must be a list of strings"),
        ({"tags": [1]}, "tags", "it must be a list of strings"),
        ({"tags": {"a": 10**9}}, "tags", "it must be a list of strings"),
        ({"country": ["fr"]}, "country", "a category must be text, a number or true or false"),
        ({"title": "x"}, "title", "there is no such column; the model reads"),
    ],
)
def test_a_bad_value_is_refused_with_its_row_and_column(client, row, change, column, reason):
    answer = post(client, [row, row | change])
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["row"] == 1
    assert error.get("column") == column
    assert re.search(reason, error["reason"])


def test_a_missing_column_is_refused(client, row):
    answer = post(client, [{name: row[name] for name in row if name != "year"}])
    assert answer.json()["error"] == {
        "status": 422,
        "reason": "it is missing",
        "row": 0,
        "column": "year",
    }


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"", "application/json", 400, "the body is no valid JSON"),
        (b"{", "application/json", 400, "the body is no valid JSON"),
        (b"\xff", "application/json", 400, "the body is no valid JSON"),
        (b'{"rows": [NaN]}', "application/json", 400, "NaN is no JSON value"),
        (b"[" * 200_000, "application/json", 400, "nested too deeply"),
        (b'{"rows": [' + b"9" * 5000 + b"]}", "application/json", 400, "the body is no valid JSON"),
        (b"[]", "application/json", 422, "the body must be"),
        (b'{"rows": {}}', "application/json", 422, "the body must be"),
        (b'{"rows": [], "more": 1}', "application/json", 422, "the body must be"),
        (b'{"rows": []}', "application/json", 422, "there are no rows"),
        (b'{"rows": [1]}', "application/json", 422, "a row must be an object"),
        (b"{}", "text/plain", 415, "the content type must be"),
        (b"{}", "", 415, "the content type must be"),
        (b"x", "multipart/form-data", 400, "has no boundary"),
        (b"x", "multipart/form-data; boundary=b", 400, "the form is malformed"),
        (b"--b\r\n", "multipart/form-data; boundary=b", 400, "its last boundary is missing"),
        (
            b"--b\r\nA: b\r\n\r\nx\r\n--b--\r\n",
            "multipart/form-data; boundary=b",
            400,
            "a part has no name",
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\n\xff\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
            "it is no UTF-8 text",
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="rows"\r\n\r\n{\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
            "the body is no valid JSON",
        ),
    ],
)
def test_a_malformed_body_is_refused(client, body, kind, status, reason):
    answer = client.post("/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]["status"] == status
    assert reason in answer.json()["error"]["reason"]


def test_half_of_a_surrogate_pair_is_answered(client, row):
    body = json.dumps({"rows": [row | {"tags": ["\ud800"], "\ud801": 1}]})
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["column"] == "\ud801"
    assert post(client, [row]).status_code == 200


def test_a_form_of_many_parts_is_refused(client):
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    answer = client.post(
        "/predict",
        content=part * 1001 + b"--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413
    assert answer.json()["error"]["reason"] == "the form has more than 1000 parts"


def test_paths_and_methods_that_do_not_exist(client):
    assert client.get("/nothing").json()["error"]["reason"] == "there is no such page; see /docs"
    assert client.get("/predict").status_code == 405
    assert client.post("/health").json()["error"]["status"] == 405


def test_limits_of_rows_images_and_bytes(model, row):
    limits = ServingLimits(max_rows=3, max_images=2, max_body_bytes=4000, max_explained_rows=1)
    with open_client(make_app(model, limits=limits)) as client:
        plain = row | {"poster": None}
        assert post(client, [plain] * 3).status_code == 200
        for rows, path, reason in (
            ([plain] * 4, "/predict", "4 rows; at most 3 are allowed"),
            ([plain] * 2, "/explain", "2 rows; at most 1 are allowed"),
            ([row] * 3, "/predict", "3 images; at most 2 are allowed"),
            ([row | {"tags": ["x" * 5000]}], "/predict", "the body has more than 4,000 bytes"),
        ):
            answer = post(client, rows, path)
            assert answer.status_code == 413, reason
            assert answer.json()["error"]["reason"] == reason

        def chunks():
            # Without a length that is known before.
            for _ in range(100):
                yield b" " * 1000

        answer = client.post("/predict", content=chunks())
        assert answer.status_code == 413


@pytest.mark.parametrize("options", [{"max_rows": 0}, {"timeout": -1}, {"max_wait": "x"}])
def test_limits_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ServingLimits(**options)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_class_per_row(n_classes, table):
    names = np.array(["calm", "loud", "odd"])[np.arange(len(table)) % n_classes]
    encoders = [BagOfWordsEncoder("tags"), DateEncoder("released")]
    days = [f"20{year:02}-05-17" for year in range(len(table))]
    X = pd.DataFrame({"tags": [[name, "war"] for name in names], "released": days})
    model = MultimodalEnsemble(encoders, random_state=1, verbose=0).fit(X, names)
    shuffled = X.assign(tags=[["loud", "odd"][: row % 3] for row in range(len(X))])
    with open_client(make_app(model)) as client:
        rows = shuffled.to_dict("records")
        answer = post(client, rows).json()
        assert answer["target_type"] == ("binary" if n_classes == 2 else "multiclass")
        assert [row["labels"] for row in answer["rows"]] == [
            [label] for label in model.predict_labels(shuffled)
        ]
        scores = pd.DataFrame([row["scores"] for row in answer["rows"]])
        np.testing.assert_allclose(scores, model.predict_proba(shuffled), rtol=1e-5, atol=1e-7)
        explained = post(client, rows[:2], "/explain").json()["rows"]
        for row, predicted in zip(explained, answer["rows"], strict=False):
            wanted = ["loud"] if n_classes == 2 else predicted["labels"]
            assert [each["label"] for each in row["labels"]] == wanted
        if n_classes == 2:
            assert list(answer["thresholds"]) == ["loud"]
            assert post(client, rows[:1], "/explain?label=calm").status_code == 422
        bad = post(client, [{"tags": [], "released": "yesterday"}])
        assert bad.status_code == 422
        assert "yesterday" in bad.json()["error"]["reason"]
        assert post(client, [{"tags": [], "released": 3}]).status_code == 422
        assert post(client, [{"tags": [], "released": None}]).status_code == 200


@pytest.mark.parametrize("change", [{"country": "\ud800"}, {"tags": ["war", "\udfff"]}])
def test_half_of_a_surrogate_pair_in_a_value_is_refused(client, row, change):
    body = json.dumps({"rows": [row | change]})
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["column"] in change
    assert "which is no Unicode character" in answer.json()["error"]["reason"]


def test_a_repeated_key_is_refused(client, row):
    body = json.dumps({"rows": [row]}).replace('"year": 1980', '"year": 1980, "year": 1981')
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "an object has the key 'year' several times" in answer.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([("rows", (None, "[]"))], "the form has the field 'rows' several times"),
        ([("a", ("a.png", b"2"))], "the form has the field 'a' several times"),
        ([("year", (None, "1"))], "has only files besides, not 'year'"),
    ],
)
def test_a_form_with_rows_is_not_ambiguous(client, row, more, reason):
    rows = json.dumps({"rows": [row | {"poster": {"upload": "a"}}]})
    files = [("rows", (None, rows)), ("a", ("a.png", b"1")), *more]
    answer = client.post("/predict", files=files)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]["reason"]


def test_a_compressed_body_is_refused(client):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post("/predict", content=gzip.compress(b"{}"), headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error"]["reason"] == "the body must not be compressed, as by 'gzip'"


def test_columns_of_several_encoders_and_names_with_quotes():
    """Their values suit each encoder, also from the fields of a browser."""
    number = 'the "x"'
    encoders = [
        CategoryEncoder("one", column="genres"),
        BagOfWordsEncoder("genres", delimiter="|"),
        CategoryEncoder("step", column=number),
        DenseEncoder("x", column=number),
    ]
    X = {"genres": ["a|b", "b", "c|b"] * 8, number: [0, 1, 2, 1] * 6}
    model = MultimodalEnsemble(encoders, random_state=1, verbose=0).fit(X, draw_labels())
    wanted = model.predict_proba({"genres": ["a|b"], number: [1]})[0]
    with open_client(make_app(model)) as client:
        fields = [("genres", (None, "a|b")), (number.replace('"', "%22"), (None, "1"))]
        answers = [post(client, [{"genres": "a|b", number: 1}])]
        answers.append(client.post("/predict", files=fields))
        for answer in answers:
            found = [*answer.json()["rows"][0]["scores"].values()]
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_header_of_a_part_is_bounded():
    """Versions of the parser without such a bound take long to read the options of a header."""
    collected = _Collected()
    for add in (collected.callbacks()["on_header_field"], collected.callbacks()["on_header_value"]):
        add(b";" * 4096, 0, 4096)
        with pytest.raises(RequestError, match="a header of a part has more than 4,096 bytes"):
            add(b";", 0, 1)


def test_a_body_of_too_many_lists_is_refused(client):
    body = b'{"rows": [' + b"[]," * 500_000 + b"[]]}"
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["reason"] == "the body has more than 500,000 lists and objects"


@pytest.mark.parametrize(("decimal", "texts"), [(".", ["1,234.5", "3"]), (",", ["1.234,5", "3"])])
def test_numbers_as_text_are_those_that_the_model_has_learned(decimal, texts):
    prices = [*texts, *map(str, range(22))]
    encoders = [DenseEncoder("price", decimal=decimal), DenseEncoder("year")]
    X = {"price": prices, "year": [*range(24)]}
    model = MultimodalEnsemble(encoders, random_state=1, verbose=0).fit(X, draw_labels())
    wanted = model.predict_proba({"price": texts, "year": [1, 2]})
    numbers = [1234.5, 3]
    with open_client(make_app(model)) as client:
        for given in (texts, numbers):
            rows = [
                {"price": price, "year": year} for price, year in zip(given, [1, 2], strict=True)
            ]
            answer = post(client, rows).json()
            found = [[*row["scores"].values()] for row in answer["rows"]]
            np.testing.assert_allclose(found, wanted, rtol=1e-5)
        assert f"such as {texts[0]} or 3 %." in client.get("/").text
        assert f"or text such as {texts[0]} or 3 %" in client.get("/docs").text
        form = {"price": (None, texts[0]), "year": (None, "1")}
        answer = client.post("/predict", files=form).json()
        np.testing.assert_allclose([*answer["rows"][0]["scores"].values()], wanted[0], rtol=1e-5)
        good, bad = {"price": "3", "year": 1}, {"price": "many", "year": 1}
        refused = post(client, [good, bad])
        assert refused.status_code == 422
        mark = " with a decimal comma" if decimal == "," else ""
        reason = f"it must be a finite number{mark}, not 'many'"
        error = {"status": 422, "reason": reason, "row": 1, "column": "price"}
        assert refused.json()["error"] == error
        assert post(client, [{"price": 3, "year": "1,5"}]).status_code == 422
        # A share, and no price: read as the command line does.
        share = [post(client, [{"price": price, "year": 1}]).json() for price in ("3 %", 0.03)]
        assert share[0] == share[1]
        unknown = [post(client, [{"price": price, "year": 1}]).json() for price in ("n/a", None)]
        assert unknown[0] == unknown[1]
        schema = client.get("/openapi.json").text
        assert '["number","string"]' in schema.replace(" ", "")
