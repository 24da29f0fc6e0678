"""Reading MovieLens folders of all releases, and reporting the problems in them."""

from unittest import mock

import pandas as pd
import pytest

from examples.movielens_genres._errors import DataError
from examples.movielens_genres.data._findings import Findings
from examples.movielens_genres.data._movielens import (
    drop_repeated_ids,
    parse_ids,
    read_movielens,
    read_tags,
)

MOVIES = [
    "movieId,title,genres",
    "3,Toy Story (1995),Animation|Comedy",
    '10,"Misérables, Les (1995)",Drama',
]
LINKS = ["movieId,imdbId,tmdbId", "3,0114709,862", "10,0113828,"]
TAGS = ["userId,movieId,tag,timestamp", "7,3,null,1139045764", '8,10,"a, ""b""",1139045765']
NO_LINKS = [
    "links.csv",
    "the folder has none",
    0,
    "no movie has links; --links FILE takes the links.csv of a newer MovieLens release, as movie "
    "ids are the same in all of them",
    "",
]
NO_TAGS = ["tags.csv", "the folder has none", 0, "no movie has tags", ""]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "movies.csv", MOVIES)
    write(tmp_path / "links.csv", [*LINKS[:2], "10,0113828,4415"])
    write(tmp_path / "tags.csv", TAGS)
    return tmp_path


def write(path, lines, encoding="utf-8"):
    path.write_text("\n".join(lines) + "\n", encoding=encoding)


def rows(table):
    return table.to_numpy().tolist()


def problems(data):
    return rows(data.findings.table())


def test_a_clean_folder_is_read_unchanged(folder):
    data = read_movielens(folder)
    movies = pd.DataFrame(
        {
            "movieId": [3, 10],
            "title": ["Toy Story (1995)", "Misérables, Les (1995)"],
            "genres": ["Animation|Comedy", "Drama"],
        }
    )
    links = {"movieId": [3, 10], "imdbId": ["0114709", "0113828"], "tmdbId": ["862", "4415"]}
    tags = {"userId": [7, 8], "movieId": [3, 10], "tag": ["null", 'a, "b"']}
    pd.testing.assert_frame_equal(data.movies, movies)
    pd.testing.assert_frame_equal(data.links, pd.DataFrame(links))
    pd.testing.assert_frame_equal(data.tags, pd.DataFrame(tags))
    assert problems(data) == []


def test_the_1m_release_is_read(tmp_path):
    lines = ["1::Toy Story (1995)::Animation|Comedy", "73::Misérables, Les (1995)::Drama"]
    write(tmp_path / "movies.dat", lines, encoding="latin-1")
    data = read_movielens(tmp_path)
    assert rows(data.movies) == [
        [1, "Toy Story (1995)", "Animation|Comedy"],
        [73, "Misérables, Les (1995)", "Drama"],
    ]
    assert rows(data.links) == [[1, "", ""], [73, "", ""]]
    assert rows(data.tags) == []
    assert dict(data.tags.dtypes) == dict(read_tags(_tags_of_10m(tmp_path), Findings()).dtypes)
    decoded = ["movies.dat", "not UTF-8", 1, "kept, decoded as Latin-1", f"line 2: {lines[1]}"]
    assert problems(data) == [decoded, NO_LINKS, NO_TAGS]


def test_the_10m_release_is_read(tmp_path):
    write(tmp_path / "movies.dat", ["1::Toy: Story::Animation", "2::A::B (1999)::Drama"])
    _tags_of_10m(tmp_path)
    data = read_movielens(tmp_path)
    assert rows(data.movies) == [[1, "Toy: Story", "Animation"], [2, "A::B (1999)", "Drama"]]
    assert rows(data.tags) == [[15, 2, "é::x"], [15, 1, '"NA']]
    rule = "kept, joined again"
    assert problems(data) == [
        ["movies.dat", "'::' within the title", 1, rule, "line 2: 2::A::B (1999)::Drama"],
        NO_LINKS,
        ["tags.dat", "'::' within the tag", 1, rule, "line 1: 15::2::é::x::1215184630"],
    ]


def _tags_of_10m(folder):
    write(folder / "tags.dat", ["15::2::é::x::1215184630", '15::1::"NA::1215184631'])
    return folder / "tags.dat"


def test_csv_is_preferred_to_dat(folder):
    write(folder / "movies.dat", ["1::Another::Drama"])
    data = read_movielens(folder)
    assert data.movies["movieId"].tolist() == [3, 10]
    found = ["movies.dat", "movies.csv also exists", 0, "movies.csv is read instead", ""]
    assert problems(data) == [found]


def test_links_of_another_release_can_be_used(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("newer") / "links.csv"
    write(path, ["movieId,imdbId,tmdbId", "10,1,2", "11,3,4", "3,5,6"])
    data = read_movielens(folder, links=path)
    assert rows(data.links) == [[3, "0000005", "6"], [10, "0000001", "2"]]
    assert problems(data) == []


@pytest.mark.parametrize(
    ("lines", "kept", "found"),
    [
        (
            ["x,A,Drama", "-4,B,Drama", "1.5,C,Drama", ",,", f"{2**63},D,Drama", "1e3,E,Drama"],
            [],
            [["movieId is not a whole number", 6, "dropped", "x,A,Drama"]],
        ),
        (
            ["9" * 5000 + ",A,"],
            [],
            [["movieId is not a whole number", 1, "dropped", "9" * 59 + "…"]],
        ),
        (
            [" 4 ,A,Drama", "5.0,B,Drama", "+6.,C,Drama", f"{2**63 - 1},D,Drama", "0008,E,Drama"],
            [4, 5, 6, 2**63 - 1, 8],
            [["movieId with a decimal point", 2, "kept, read as whole numbers", "5.0,B,Drama"]],
        ),
        (
            ["-4,A,Drama", "-5,B,Drama"],
            [],
            [["movieId is not a whole number", 2, "dropped", "-4,A,Drama"]],
        ),
        (
            ["3,Toy Story (1995),Animation|Comedy"],
            [],
            [
                [
                    "movieId repeated, the rows equal",
                    1,
                    "the first is kept",
                    "3,Toy Story (1995),Animation|Comedy",
                ]
            ],
        ),
        (
            ["3,Other,Drama", "3,Toy Story (1995),Drama", "10.0,X,Drama"],
            [],
            [
                ["movieId with a decimal point", 1, "kept, read as whole numbers", "10.0,X,Drama"],
                ["movieId repeated, the rows differ", 3, "the first is kept", "3,Other,Drama"],
            ],
        ),
        (
            ["4,,Drama", "5, ,Drama"],
            [4, 5],
            [["no title", 2, "kept", "4,,Drama"]],
        ),
        (
            ["4,A,", "5,B,(no genres listed)"],
            [4, 5],
            [["no genres", 2, "kept", "4,A,"]],
        ),
        (
            ["4,A, The,Drama"],
            [],
            [["not 3 columns", 1, "dropped", "line 4: 4,A, The,Drama"]],
        ),
    ],
)
def test_problems_of_movies_are_reported(folder, lines, kept, found):
    write(folder / "movies.csv", [*MOVIES, *lines])
    write(folder / "links.csv", [LINKS[0], *(f"{movie},1,1" for movie in [3, 10, *kept])])
    data = read_movielens(folder)
    assert data.movies["movieId"].tolist() == [3, 10, *kept]
    assert data.movies["title"].tolist()[:2] == ["Toy Story (1995)", "Misérables, Les (1995)"]
    assert data.movies["movieId"].dtype == "int64"
    assert problems(data) == [["movies.csv", *finding] for finding in found]


@pytest.mark.parametrize(
    ("links", "expected", "found"),
    [
        (["10,2,3"], ["", ""], [["movie without a row", 1]]),
        (["10,2,3", "3,,"], ["", ""], [["imdbId is empty", 1], ["tmdbId is empty", 1]]),
        (["10,2,3", "3,114709,00862"], ["0114709", "862"], []),
        (["10,2,3", "3,tt12345678, 5 "], ["12345678", "5"], []),
        (
            ["10,2,3", "3,114709.0,862.0"],
            ["0114709", "862"],
            [["imdbId with a decimal point", 1], ["tmdbId with a decimal point", 1]],
        ),
        (
            ["10,2,3", "3,nan,1.5"],
            ["", ""],
            [["imdbId is not an id", 1], ["tmdbId is not an id", 1]],
        ),
        (["10,2,3", "3,-1,0"], ["", ""], [["imdbId is not an id", 1], ["tmdbId is not an id", 1]]),
        (
            ["10,2,3", "3,1,1", "3,9,9"],
            ["0000001", "1"],
            [["movieId repeated, the rows differ", 1]],
        ),
        (["10,2,3", "3,1,1", "x,9,9"], ["0000001", "1"], [["movieId is not a whole number", 1]]),
    ],
)
def test_problems_of_links_are_reported(folder, links, expected, found):
    write(folder / "links.csv", [LINKS[0], *links])
    data = read_movielens(folder)
    assert rows(data.links) == [[3, *expected], [10, "0000002", "3"]]
    assert [row[:3] for row in problems(data)] == [["links.csv", *row] for row in found]


def test_dropped_links_are_reported_with_an_example(folder):
    write(folder / "links.csv", [LINKS[0], "10,x,862.0"])
    assert problems(read_movielens(folder)) == [
        ["links.csv", "movie without a row", 1, "kept, without links", MOVIES[1]],
        ["links.csv", "imdbId is not an id", 1, "kept, without it", "10,x,862.0"],
        [
            "links.csv",
            "tmdbId with a decimal point",
            1,
            "kept, read as whole numbers",
            "10,x,862.0",
        ],
    ]


@pytest.mark.parametrize(
    ("lines", "kept", "found"),
    [
        (["1,3,,5", '1,3," \xa0",5'], [], [["empty tag", 2, "dropped", "1,3,"]]),
        (["1,3, as typed ,5"], [" as typed "], []),
        (["1,99,other,5"], ["other"], [["movieId not in the movies", 1, "kept, unused"]]),
        (["u,3,x,5"], [], [["userId is not a whole number", 1, "dropped", "u,3,x"]]),
        (["1,,x,5"], [], [["movieId is not a whole number", 1, "dropped", "1,,x"]]),
        (
            ["1,3.0,x,5"],
            ["x"],
            [["movieId with a decimal point", 1, "kept, read as whole numbers", "1,3.0,x"]],
        ),
        (["1,3,x"], [], [["not 4 columns", 1, "dropped", "line 2: 1,3,x"]]),
    ],
)
def test_problems_of_tags_are_reported(folder, lines, kept, found):
    write(folder / "tags.csv", [TAGS[0], *lines, *TAGS[1:]])
    data = read_movielens(folder)
    assert data.tags["tag"].tolist() == [*kept, "null", 'a, "b"']
    assert data.tags.index.tolist() == list(range(len(data.tags)))
    assert dict(data.tags.dtypes.iloc[:2]) == {"userId": "int64", "movieId": "int64"}
    assert [row[: len(found[0]) + 1] for row in problems(data)] == [
        ["tags.csv", *row] for row in found
    ]


def test_tags_need_no_timestamp(tmp_path):
    write(tmp_path / "tags.csv", ["tag,movieId,userId", "a,1,2"])
    assert rows(read_tags(tmp_path / "tags.csv", Findings())) == [[2, 1, "a"]]


def test_rows_are_renumbered_without_bad_ids():
    table = pd.DataFrame({"id": ["x", "1"], "text": ["a", "b"]})
    expected = pd.DataFrame({"id": [1], "text": ["b"]})
    pd.testing.assert_frame_equal(parse_ids(table, "id", "x.csv", Findings()), expected)


def test_ids_of_an_empty_table_are_numbers():
    table = pd.DataFrame({"id": pd.Series([], dtype=str), "text": pd.Series([], dtype=str)})
    assert parse_ids(table, "id", "x.csv", Findings())["id"].dtype == "int64"


def test_repeated_rows_are_distinguished_by_whether_they_differ():
    table = pd.DataFrame({"id": [2, 1, 2, 2], "text": ["a", "b", "a", "c"]})
    findings = Findings()
    kept = drop_repeated_ids(table, "id", "x.csv", findings)
    assert rows(kept) == [[2, "a"], [1, "b"]]
    assert rows(findings.table()) == [
        ["x.csv", "id repeated, the rows equal", 1, "the first is kept", "2,a"],
        ["x.csv", "id repeated, the rows differ", 1, "the first is kept", "2,c"],
    ]


def _unzipped_deeper(folder):
    (folder / "ml-20m").mkdir()
    write(folder / "ml-20m/movies.csv", MOVIES)
    return folder


def _archive(folder):
    (folder / "ml-20m.zip").write_bytes(b"PK")
    return folder / "ml-20m.zip"


def _no_movies(folder):
    write(folder / "movies.csv", [MOVIES[0], "x,A,Drama"])
    return folder


def _movies_is_a_folder(folder):
    (folder / "movies.csv").mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", r"^Expected a folder .* '.*none' does not exist\.$"),
        (_archive, r"'.*ml-20m\.zip' is a file; unpack it if it is an archive\.$"),
        (lambda folder: folder, r"has no movies\.csv or movies\.dat; name one that has it\.$"),
        (_unzipped_deeper, r"has no movies\.csv or movies\.dat; name '.*ml-20m', which has it\.$"),
        (_no_movies, r"'.*movies\.csv' lists no movie; download or unpack it again\.$"),
        (_movies_is_a_folder, r"Expected a file, but '.*movies\.csv' is a folder; name a file"),
    ],
)
def test_a_folder_without_movies_is_refused_in_one_sentence(tmp_path, make, message):
    with pytest.raises(DataError, match=message):
        read_movielens(make(tmp_path))


def test_an_unreadable_folder_is_refused(tmp_path):
    error = PermissionError(13, "Permission denied")
    message = r"^The folder '.*' cannot be read \(Permission denied\); check its permissions\.$"
    with (
        mock.patch.object(type(tmp_path), "is_dir", side_effect=error),
        pytest.raises(DataError, match=message),
    ):
        read_movielens(tmp_path)


def test_a_links_file_that_does_not_exist_is_refused(folder):
    with pytest.raises(DataError, match=r"'.*newer\.csv' does not exist; check its name"):
        read_movielens(folder, links=folder / "newer.csv")


def test_findings_are_cut_and_printable():
    findings = Findings()
    assert list(findings.table().columns) == ["file", "problem", "rows", "rule", "example"]
    findings.add("x.csv", "long", 2, "dropped", "a\nb\0" + "c" * 60)
    findings.add("y.csv", "short", 1, "kept")
    assert rows(findings.table()) == [
        ["x.csv", "long", 2, "dropped", "a?b?" + "c" * 55 + "…"],
        ["y.csv", "short", 1, "kept", ""],
    ]
