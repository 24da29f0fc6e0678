"""Reading tables: both paths against Python's csv module and each other, and bad files."""

import csv
import io
from unittest import mock

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from examples.movielens_genres._errors import DataError
from examples.movielens_genres.data import _tables
from examples.movielens_genres.data._findings import Findings
from examples.movielens_genres.data._tables import read_table

HEADER = ["userId", "movieId", "tag", "timestamp"]
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)
LONG_LINE = "15,4973," + "a" * 60 + ",1,2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def read(folder, content, columns=HEADER, suffix=".csv", **options):
    """Return the rows, and the findings without the file's name."""
    path = folder / f"tags{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    findings = Findings()
    table = read_table(path, columns, findings, **options)
    assert list(table.columns) == list(columns)
    problems = findings.table()
    assert set(problems["file"]) <= {path.name}
    return table.to_numpy().tolist(), problems.drop(columns="file").to_numpy().tolist()


def to_csv(rows, **options):
    out = io.StringIO()
    csv.writer(out, **options).writerows(rows)
    return out.getvalue()


def only_fast():
    return mock.patch.object(_tables, "_read_carefully", side_effect=AssertionError)


def only_carefully():
    return mock.patch.object(_tables, "_read_fast", return_value=None)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(LINE, LINE, LINE, LINE), min_size=1, max_size=5),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.sampled_from(["", "\ufeff"]),
)
def test_any_text_is_read_as_it_was_written(folder, rows, quoting, end, bom):
    content = bom + to_csv([HEADER, *rows], quoting=quoting, lineterminator=end)
    expected = [list(row) for row in rows]
    with only_fast():
        assert read(folder, content) == (expected, [])
    bad = f"1,2,a, b,3{end}"
    number = len(rows) + 2
    finding = ["not 4 columns", 1, "dropped", f"line {number}: {bad.rstrip()}"]
    assert read(folder, content + bad) == (expected, [finding])


BREAKS = st.text(st.sampled_from('ab ,"\n'), max_size=9).filter(lambda text: text.count("\n") < 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(BREAKS, BREAKS), min_size=1, max_size=4))
def test_line_breaks_within_quotes_become_blanks(folder, rows):
    content = to_csv([HEADER, *[(1, *row, 2) for row in rows]], lineterminator="\n")
    table, findings = read(folder, content)
    expected = [["1", *row, "2"] for row in rows]
    assert table == [[cell.replace("\n", " ") for cell in row] for row in expected]
    broken = sum("\n" in "".join(row) for row in rows)
    assert [finding[:3] for finding in findings] == [
        ["a line break within quotes", broken, "kept, the break becomes a blank"]
    ] * (broken > 0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(body=st.text(st.sampled_from('1a,,""\n\n \t\r'), max_size=25))
def test_the_fast_path_agrees_with_the_careful_one_on_any_csv(folder, body):
    def outcome():
        try:
            return read(folder, "a,b,c\n" + body, ["a", "b", "c"])
        except DataError as error:
            return str(error)

    fast = outcome()
    with only_carefully():
        assert outcome() == fast


@settings(max_examples=200, deadline=None, derandomize=True)
@given(body=st.text(st.sampled_from('1a::::"\n\n \x1f'), max_size=25))
def test_the_fast_path_agrees_with_the_careful_one_on_any_dat(folder, body):
    def outcome():
        try:
            return read(folder, body, ["a", "b", "c"], ".dat", text="b")
        except DataError as error:
            return str(error)

    fast = outcome()
    with only_carefully():
        assert outcome() == fast


def test_a_good_file_is_read_as_by_pandas(folder):
    content = 'userId,movieId,tag,timestamp\n1,2,"say ""no"", twice",3\n4,5,NA,6\n7,8,  é ,9\n'
    expected = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
    with only_fast():
        assert read(folder, content) == (expected.to_numpy().tolist(), [])
    assert [row[2] for row in expected.to_numpy()] == ['say "no", twice', "NA", "  é "]


@pytest.mark.parametrize(
    ("header", "columns", "expected"),
    [
        ("userId,movieId,tag,timestamp", ["tag", "userId"], ["c", "a"]),
        (' userId ,"movieId",tag , more', ["tag", "movieId"], ["c", "b"]),
        ("\ufeffuserId,movieId,tag,", ["userId"], ["a"]),
        ("tag,tag,userId,tag", ["userId"], ["c"]),
        ("\n\nuserId,movieId,tag,timestamp", ["tag"], ["c"]),
    ],
)
def test_columns_are_picked_by_name(folder, header, columns, expected):
    assert read(folder, f"{header}\na,b,c,d\n", columns) == ([expected], [])


def test_optional_columns_are_read_if_they_exist(folder):
    path = folder / "some.csv"
    path.write_text("a,b\n1,2\n")
    table = read_table(path, ["a"], Findings(), optional=["c", "b"])
    assert table.to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_a_table_without_rows_is_empty(folder, end):
    assert read(folder, f"userId,movieId,tag,timestamp{end}") == ([], [])


def test_blank_lines_at_the_end_use_the_fast_path(folder):
    with only_fast():
        assert read(folder, "a,b\n1,\n\n\n", ["a", "b"]) == ([["1", ""]], [])


def test_only_blanks_and_tabs_make_a_blank_line(folder):
    content = "tag\n\u3000\n \t\n\x0b\n"
    assert read(folder, content, ["tag"]) == ([["\u3000"], ["\x0b"]], [])


def test_lines_are_counted_from_the_first_of_the_file(folder):
    found = ["not 2 columns", 1, "dropped", "line 5: 1"]
    assert read(folder, "\n\na,b\n1,2\n1\n", ["a", "b"]) == ([["1", "2"]], [found])


def test_unused_columns_must_also_be_text(folder):
    found = ["not UTF-8", 1, "kept, decoded as Latin-1", "line 2: 1,é"]
    assert read(folder, b"a,b\n1,\xe9\n", ["a"]) == ([["1"]], [found])


def test_columns_are_numbers_only_if_all_cells_are(folder):
    path = folder / "ids.csv"
    columns = {
        "ids": ["1", "2"],
        "decimal": ["1", "2.0"],
        "padded": ["007", "08"],
        "mixed": ["1", "x"],
        "tag": ["007", "1e3"],
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    with only_fast():
        ids = ["ids", "decimal", "mixed"]
        table = read_table(path, list(columns), Findings(), ids=ids, text="tag")
        assert table.to_dict("list") == {**columns, "ids": [1, 2]}
        table = read_table(path, ["ids", "padded", "tag"], Findings(), ids=["ids"])
    assert table.to_dict("list") == {
        "ids": [1, 2],
        **{name: columns[name] for name in ("padded", "tag")},
    }


def test_a_column_of_words_after_many_numbers_stays_as_typed(folder):
    # The parser infers the type of a column from chunks with fewer rows.
    tags = ["007"] * 300_000 + ["word"]
    path = folder / "long.csv"
    path.write_text("movieId,tag\n" + "".join(f"1,{tag}\n" for tag in tags))
    with only_fast():
        table = read_table(path, ["movieId", "tag"], Findings(), ids=["movieId"], text="tag")
    assert table["tag"].tolist() == tags
    assert table["movieId"].dtype == "int64"


GOOD = b"1,2,one,3\n"
GOOD_ROW = ["1", "2", "one", "3"]


@pytest.mark.parametrize(
    ("lines", "rows", "findings"),
    [
        pytest.param(
            b"15,4973,one, two,1215184630\n1,2,3,4,5\n",
            [],
            [["not 4 columns", 2, "dropped", "line 3: 15,4973,one, two,1215184630"]],
            id="too many columns",
        ),
        pytest.param(
            b"15,4973,\n", [], [["not 4 columns", 1, "dropped", "line 3: 15,4973,"]], id="too few"
        ),
        pytest.param(
            LONG_LINE.encode(),
            [],
            [["not 4 columns", 1, "dropped", f"line 3: {LONG_LINE[:51]}…"]],
            id="long",
        ),
        pytest.param(
            b'5,6,"stray,7\n' + 9 * b'8,9,"x, y",10\n',
            [["8", "9", "x, y", "10"]] * 9,
            [["a quote is not closed", 1, "dropped", 'line 3: 5,6,"stray,7']],
            id="stray quote",
        ),
        pytest.param(
            b'5,6,"stray,7\n8,9,two,10\n5,6,"astray,7\n',
            [["8", "9", "two", "10"]],
            [["a quote is not closed", 2, "dropped", 'line 3: 5,6,"stray,7']],
            id="two stray quotes",
        ),
        pytest.param(
            b'5,6,",7\n5,6,",7\n',
            [],
            [["a quote is not closed", 2, "dropped", 'line 3: 5,6,",7']],
            id="tags of one quote",
        ),
        pytest.param(
            b'5,6,"a\n' + b"b\n" * 5 + b'c",7\n8,9,two,10\n',
            [["8", "9", "two", "10"]],
            [
                ["a quote is not closed", 1, "dropped", 'line 3: 5,6,"a'],
                ["not 4 columns", 6, "dropped", "line 4: b"],
            ],
            id="a quote over seven lines",
        ),
        pytest.param(
            b'5,6,"a\nb" c,7\n',
            [],
            [
                ["a quote is not closed", 1, "dropped", 'line 3: 5,6,"a'],
                ["not 4 columns", 1, "dropped", 'line 4: b" c,7'],
            ],
            id="two stray quotes in a broken line",
        ),
        pytest.param(
            b'5,6,"a\n\nb",7\n',
            [["5", "6", "a  b", "7"]],
            [
                [
                    "a line break within quotes",
                    1,
                    "kept, the break becomes a blank",
                    'line 3: 5,6,"a',
                ]
            ],
            id="a blank line within quotes",
        ),
        pytest.param(
            b"5,6,caf\xe9,7\n5,6,\x93caf\xe9\x94,7\n5,6,\x81,7\n",
            [[*["5", "6"], tag, "7"] for tag in ("café", "“café”", "\x81")],
            [["not UTF-8", 3, "kept, decoded as Latin-1", "line 3: 5,6,café,7"]],
            id="Latin-1",
        ),
        pytest.param(
            "5,6,café\0,7\n".encode(),
            [["5", "6", "café", "7"]],
            [["NUL characters", 1, "kept without them", "line 3: 5,6,café,7"]],
            id="NUL",
        ),
        pytest.param(
            b'5,6,"' + b"x" * 200_000 + b'",7\n8,9,two,10\n8\n',
            [["8", "9", "two", "10"]],
            [
                [
                    "a quote is not closed",
                    1,
                    "dropped",
                    f'line 3: 5,6,"{"x" * 46}…',
                ],
                ["not 4 columns", 1, "dropped", "line 5: 8"],
            ],
            id="a huge cell",
        ),
        pytest.param(b"\n  \n\t\n\n5,6,two,7\n\n", [["5", "6", "two", "7"]], [], id="blank lines"),
        pytest.param(b"5,6,a\rb,7\n5,6,two,7", [["5", "6", "two", "7"]], None, id="stray CR"),
    ],
)
def test_bad_lines_are_reported_and_affect_no_others(folder, lines, rows, findings):
    content = b"userId,movieId,tag,timestamp\n" + GOOD + lines
    found, problems = read(folder, content)
    assert found == [GOOD_ROW, *rows]
    if findings is None:
        findings = [["not 4 columns", 2, "dropped", "line 3: 5,6,a"]]
    assert problems == findings


@pytest.mark.parametrize(
    ("line", "row", "finding"),
    [
        ("1::A: B::C", ["1", "A: B", "C"], None),
        ("1::A::B::C", ["1", "A::B", "C"], ["'::' within the b", "kept, joined again"]),
        ("1::A:::C", ["1", "A:", "C"], None),
        ("1::::C", ["1", "", "C"], None),
        ("1::A, \"B'::", ["1", "A, \"B'", ""], None),
        ('1::"A"::C', ["1", '"A"', "C"], None),
        ("1::A\x1fB::C", ["1", "A\x1fB", "C"], None),
        ("1::A", None, ["not 3 columns", "dropped"]),
        ("1:A:B", None, ["not 3 columns", "dropped"]),
    ],
)
def test_the_text_of_a_dat_file_may_hold_colons(folder, line, row, finding):
    rows, problems = read(folder, f"0::x::y\n{line}\n", ["a", "b", "c"], ".dat", text="b")
    assert rows == [["0", "x", "y"], *([row] if row else [])]
    expected = [[finding[0], 1, finding[1], f"line 2: {line}"]] if finding else []
    assert problems == expected


def test_a_dat_file_without_free_text_has_exactly_its_columns(folder):
    rows, problems = read(folder, "1::2\n1::2::3\n", ["a", "b"], ".dat")
    assert rows == [["1", "2"]]
    assert problems == [["not 2 columns", 1, "dropped", "line 2: 1::2::3"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", None, r"'\S*x.csv' does not exist; check its name and folder\.$"),
        ("", None, r"^Expected a file, but '.*' is a folder; name a file within it\.$"),
        ("x.csv", b"", r"'\S*x.csv' is empty; download or unpack it again\.$"),
        ("x.csv", b"\xef\xbb\xbf\r\n \r\n", r"'\S*x.csv' is empty"),
        ("x.csv", b"PK\x03\x04junk", r"holds a zip archive or a workbook; unpack it"),
        ("x.csv", b"\x1f\x8bjunk", r"holds a gzip archive; unpack it and name the file within\.$"),
        ("x.csv", b"\n <!DOCTYPE html>", r"holds a web page; download the file itself\.$"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16"), r"holds text in UTF-16; save it as CSV in UTF-8"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16-le"), r"holds binary data; save it as CSV in UTF-8"),
        ("x.csv", b"a;b\n1;2\n", r"lacks the column\(s\) \['a', 'b'\]; .* but it is 'a;b'\.$"),
        ("x.csv", b"1,2\n3,4\n", r"its first line must name the columns, .* but it is '1,2'\.$"),
        ("x.csv", b'{"a": "' + b"x" * 200_000, r"lacks the column\(s\).*it is '{\"a\": \"x{53}'"),
        ("x.csv", b"a,b,a\n1,2,3\n", r"names the column\(s\) \['a'\] more than once; rename"),
        ("x.csv", b"a,b\n1\n2\n", r"No line of '\S*x.csv' is a row of the columns \['a', 'b'\], s"),
        (
            "x.dat",
            b"1,2\n3,4\n",
            r"separated by '::'; the first line is '1,2'. Download the file again",
        ),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_in_one_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as info:
        read_table(path, ["a", "b"], Findings())
    assert "\n" not in str(info.value)


def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    error = PermissionError(13, "Permission denied")
    message = r"cannot be read \(Permission denied\); check its permissions\.$"
    with (
        mock.patch.object(type(path), "read_bytes", side_effect=error),
        pytest.raises(DataError, match=message),
    ):
        read_table(path, ["a"], Findings())
