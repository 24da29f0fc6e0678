"""Files of rows: encodings, delimiters, damaged rows."""

import csv

import pandas as pd
import pytest

from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._row_reader import RowReader


def read(path, n_rows=100, **options):
    reader = RowReader(str(path), **options)
    return pd.concat(reader.blocks(n_rows)), reader


def write(folder, text, name="rows.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("delimiter", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe")]
)
def test_the_delimiter_is_found_and_said(delimiter, name, tmp_path):
    # Each text has another delimiter more often than the rows have theirs.
    other = "|" if delimiter == "," else ","
    rows = [["id", "tags"], *([str(row), f'"a{other}b{other}c{other}d"'] for row in range(5))]
    table, reader = read(write(tmp_path, "\n".join(delimiter.join(row) for row in rows)))
    assert reader.columns == ["id", "tags"]
    assert table["tags"].tolist() == [f"a{other}b{other}c{other}d"] * 5
    assert reader.description == f"UTF-8, delimiter {name}"


def test_a_single_column(tmp_path):
    table, _ = read(write(tmp_path, "name\nfirst\nsecond\n"))
    assert table["name"].tolist() == ["first", "second"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encoding_is_found(encoding, tmp_path):
    table, _ = read(write(tmp_path, "größe,ort\n1,Köln\n", encoding=encoding))
    assert table.to_dict("records") == [{"größe": "1", "ort": "Köln"}]


def test_another_encoding_is_named(tmp_path):
    path = write(tmp_path, "ort\nKöln\n", encoding="cp1252")
    with pytest.raises(CommandError, match=r"is no text in utf-8.*--encoding cp1252"):
        read(path)
    table, _ = read(path, encoding="cp1252")
    assert table["ort"].tolist() == ["Köln"]


def test_missing_values_have_several_spellings(tmp_path):
    table, _ = read(write(tmp_path, "a,b\n, NA \nnull,0\nN/A,-\n"))
    assert table["a"].tolist() == [None] * 3
    assert table["b"].tolist() == [None, "0", None]


def test_damaged_rows_are_numbered_and_left_out(tmp_path):
    table, reader = read(write(tmp_path, "a,b\n1,2\n3\n\n4,5,6\n7,8\n"), n_rows=1)
    assert table.index.tolist() == [1, 4]
    assert [str(each) for each in reader.take_bad()] == [
        "row 2: 1 values for 2 columns (line 3)",
        "row 3: 3 values for 2 columns (line 5)",
    ]
    assert reader.take_bad() == []


def test_a_line_break_in_quotes_is_part_of_a_value(tmp_path):
    table, _ = read(write(tmp_path, 'a,b\n"1\n2",3\n4,5\n'))
    assert table["a"].tolist() == ["1\n2", "4"]
    assert table.index.tolist() == [1, 2]


def test_a_long_value_is_read_and_the_limit_of_the_process_stays(tmp_path):
    limit = csv.field_size_limit()
    path = write(tmp_path, f"a,b\n1,{'x' * 200_000}\n4,5\n")
    reader = RowReader(str(path))
    lengths = []
    for block in reader.blocks(1):
        assert csv.field_size_limit() == limit
        lengths += block["b"].str.len().tolist()
    assert lengths == [200_000, 1]
    assert csv.field_size_limit() == limit


def test_json_lines(tmp_path):
    text = '{"a": ["x"]}\nnonsense\n[1]\n\n{"b": 2.5, "a": null}\n'
    table, reader = read(write(tmp_path, text, "rows.jsonl"))
    assert table.index.tolist() == [1, 4]
    assert table["a"].tolist() == [["x"], None]
    assert table["b"].isna().tolist() == [True, False]
    assert [each.row for each in reader.take_bad()] == [2, 3]


def test_parquet_and_folders_of_it(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    for part in range(2):
        pd.DataFrame({"a": [part, 9]}).to_parquet(folder / f"{part}.parquet")
    table, reader = read(folder, n_rows=3)
    assert table["a"].tolist() == [0, 9, 1, 9]
    assert table.index.tolist() == [1, 2, 3, 4]
    assert reader.share == 1


def test_the_share_that_is_read_grows(tmp_path):
    reader = RowReader(str(write(tmp_path, "a\n" + "1\n" * 100_000)))
    shares = [reader.share for _ in reader.blocks(20_000)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line must have the names"),
        ("a,,b\n1,2,3\n", "1 of 3 columns have no name, the first is column 2"),
        ("a,b,a\n1,2,3\n", "the column 'a' occurs more than once"),
        ('a,b\n1,"' + "x" * 17_000_000, "cannot be read near line 2: field larger"),
    ],
)
def test_bad_files_are_refused(text, message, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(CommandError, match=message):
        read(path, delimiter=",")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CommandError, match="save spreadsheets as CSV"):
        RowReader(str(write(tmp_path, "", "rows.xlsx")))
    with pytest.raises(CommandError, match="There is no file"):
        RowReader(str(tmp_path / "absent.csv"))


@pytest.mark.parametrize(
    ("lines", "bad", "rows"),
    [
        # Nothing closes it, a mark of a later row does, or a mark in the middle of a value does.
        (['1,"x', "2,y", "3,z"], ["row 1: a quotation mark that is not closed (line 2)"], [2, 3]),
        (['1,"x', '2,"y"', "3,z"], ["row 1: a quotation mark that is not closed (line 2)"], [2, 3]),
        (
            ["1,x", '2,"5 inches', '3,"6 inches', '4,"a\nb"', "5"],
            [
                "row 2: a quotation mark that is not closed (line 3)",
                "row 3: a quotation mark that is not closed (line 4)",
                "row 5: 1 values for 2 columns (line 7)",
            ],
            [1, 4],
        ),
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_quotation_mark_that_is_not_closed_loses_one_row(end, lines, bad, rows, tmp_path):
    table, reader = read(write(tmp_path, "\n".join(["a,b", *lines]) + end))
    assert table.index.tolist() == rows
    assert [str(each) for each in reader.take_bad()] == bad


def test_a_quotation_mark_before_much_text_loses_one_row(tmp_path):
    lines = ['1,"x', *(f"{row},{'y' * 1_000_000}" for row in range(2, 20))]
    table, reader = read(write(tmp_path, "a,b\n" + "\n".join(lines)))
    assert table.index.tolist() == list(range(2, 20))
    assert [each.row for each in reader.take_bad()] == [1]


def test_a_header_with_a_quotation_mark_that_is_not_closed_is_refused(tmp_path):
    with pytest.raises(CommandError, match="the first line has a quotation mark"):
        read(write(tmp_path, 'a,"b\n1,2\n'))


def test_sentences_in_a_single_column_are_not_divided(tmp_path):
    table, _ = read(write(tmp_path, "text\nHello, world\nplain\none, two; three\n"))
    assert table["text"].tolist() == ["Hello, world", "plain", "one, two; three"]


def test_a_first_column_without_a_name_is_called_as_in_pandas(tmp_path):
    pd.DataFrame({"a": ["x", "y"]}).to_csv(tmp_path / "rows.csv")
    table, _ = read(tmp_path / "rows.csv")
    assert list(table) == list(pd.read_csv(tmp_path / "rows.csv")) == ["Unnamed: 0", "a"]


def test_empty_values_behind_the_last_column_are_ignored(tmp_path):
    table, reader = read(write(tmp_path, "a,b,,\n1,2,,\n3,,,\n4,5\n6,7,8,\n"))
    assert table.to_dict("list") == {"a": ["1", "3", "4"], "b": ["2", None, "5"]}
    assert [str(each) for each in reader.take_bad()] == ["row 4: 3 values for 2 columns (line 5)"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_found(encoding, tmp_path):
    table, _ = read(write(tmp_path, "ort,b\nKöln,1\n", encoding=encoding))
    assert table.to_dict("records") == [{"ort": "Köln", "b": "1"}]


def test_objects_that_are_nested_deeply_or_have_no_name_are_bad_rows(tmp_path):
    text = "[" * 100_000 + '\n{"": 1, "a": 2}\n{"a": 3}\n'
    table, reader = read(write(tmp_path, text, "rows.jsonl"))
    assert table.to_dict("list") == {"a": [3]}
    assert [each.row for each in reader.take_bad()] == [1, 2]
