"""The preparation of MovieLens data, on tables small enough to filter by hand."""

import itertools

import pandas as pd
import pytest

from examples.movielens_genres import _data
from examples.movielens_genres._data import (
    DataError,
    Filters,
    collect_tags,
    count_genres,
    normalize_tag,
    prepare_movies,
    split_rows,
)

MOVIES = [
    # movieId, title, genres, year, language
    (1, "Kept", "Drama|Comedy", 2000, "en"),
    (2, "Old", "Drama", 1994, "en"),
    (3, "Foreign", "Comedy", 2001, "fr"),
    (4, "First year", "Comedy|Film-Noir", 1995, "en"),
    (5, "Rare genre only", "Film-Noir", 2002, "en"),
    (6, "No year", "Drama", "", "en"),
    (7, 'Commas, "quotes" and é', "Drama", 2010, "en"),
]
TAGS = [
    # userId, movieId, tag
    (1, 1, "Space"),
    (2, 1, "space!"),
    (2, 1, "lonely"),
    (1, 1, "Film-Noir"),
    (3, 1, "filmnoir"),
    (1, 1, "film noir"),
    (2, 1, "Film noir"),
    (1, 3, "french"),
    (2, 3, "French"),
    (1, 4, "NA"),
    (2, 4, "null"),
    (3, 4, "null"),
    (5, 4, "null"),
    (5, 7, "twice"),
    (5, 7, "Twice"),
    (1, 7, "?!"),
]


@pytest.fixture
def folder(tmp_path):
    movies = pd.DataFrame(
        MOVIES, columns=["movieId", "title", "genres", "release_year", "language"]
    )
    movies.insert(3, "tmdbId", "")
    movies["poster_file"] = [f"posters/{movie}.jpg" for movie in movies["movieId"]]
    movies.to_csv(tmp_path / "extended_movie_data_with_local_files.csv", index=False)
    tags = pd.DataFrame(TAGS, columns=["userId", "movieId", "tag"]).assign(timestamp=0)
    tags.to_csv(tmp_path / "tags.csv", index=False)
    (tmp_path / "posters").mkdir()
    for movie in movies["movieId"]:
        (tmp_path / f"posters/{movie}.jpg").write_bytes(b"not read here")
    return tmp_path


@pytest.fixture(autouse=True)
def _few_movies_will_do(monkeypatch):
    monkeypatch.setattr(_data, "MIN_MOVIES", 1)


def prepare(folder, **filters):
    # Comedy 2, Drama 2, Film-Noir 2 of 6 occurrences; only Film-Noir is asked to go.
    return prepare_movies(folder, Filters(**{"min_genre_share": 0.3, **filters}))


def test_each_filter_leaves_what_it_should(folder):
    data = prepare(folder)
    assert data.steps["movies"].tolist() == [7, 6, 4, 4]
    assert data.movies["movieId"].tolist() == ["1", "4", "5", "7"]
    assert prepare(folder, language="fr").movies["movieId"].tolist() == ["3"]
    # Of 7 occurrences, Drama now has 3 and each of the others 2, which is less than 0.3.
    assert prepare(folder, min_year=1990).movies["movieId"].tolist() == ["1", "2", "7"]


def test_a_movie_without_a_kept_genre_is_dropped(folder):
    data = prepare(folder, min_genre_share=0.34, min_year=1990)
    # Drama 3, Comedy 2, Film-Noir 2 of 7: only Drama has 0.34.
    assert list(data.genres.columns) == ["Drama"]
    assert data.movies["movieId"].tolist() == ["1", "2", "7"]


def test_genres_are_multi_hot_in_the_order_of_the_rows(folder):
    data = prepare(folder)
    for row, genres in enumerate(data.movies["genres"]):
        hot = data.genres.columns[data.genres.iloc[row].astype(bool)]
        assert sorted(genres) == sorted(hot)


def test_tags_need_users_and_may_not_name_a_genre(folder):
    tags = dict(prepare(folder).movies.set_index("movieId")["tags"])
    # "null" and "NA" are words that people typed, no missing values.
    assert tags == {"1": ["film noir", "space"], "4": ["null"], "5": [], "7": []}


def test_one_user_twice_is_one_user(folder):
    tags = dict(prepare(folder, min_tag_users=1).movies.set_index("movieId")["tags"])
    assert tags["7"] == ["twice"]
    assert tags["4"] == ["na", "null"]
    assert tags["1"] == ["film noir", "lonely", "space"]


def test_genre_tags_are_kept_on_demand(folder):
    tags = dict(prepare(folder, keep_genre_tags=True).movies.set_index("movieId")["tags"])
    assert tags["1"] == ["film noir", "filmnoir", "space"]


def test_titles_survive_commas_quotes_and_accents(folder):
    assert 'Commas, "quotes" and é' in prepare(folder).movies["title"].tolist()


@pytest.mark.parametrize(
    ("tag", "normalized"),
    [
        ("Sci-Fi", "scifi"),
        ("  Two   Words ", "two words"),
        ("80's", "80s"),
        ("Été", "été"),
        ("?!", ""),
        ("STRASSE", "strasse"),
        ("\uff57ide", "wide"),
    ],
)
def test_normalized_tags(tag, normalized):
    assert normalize_tag(tag) == normalized


def test_the_share_of_a_genre_is_of_all_occurrences():
    counts = count_genres(pd.Series([["A", "B"], ["A"], ["A"]]), 0.25)
    assert counts["movies"].to_dict() == {"A": 3, "B": 1}
    assert counts["share"].to_dict() == {"A": 0.75, "B": 0.25}
    assert counts["kept"].all()


def test_no_tags_at_all_is_no_error():
    assert (
        collect_tags(pd.DataFrame({"userId": [], "movieId": [], "tag": []}, dtype=str), 1, ()) == {}
    )


def test_the_split_is_a_partition_that_follows_from_the_seed():
    parts = split_rows(1000, 1)
    assert [len(part) for part in parts] == [810, 100, 90]
    assert sorted(itertools.chain(*parts)) == list(range(1000))
    assert split_rows(1000, 1) == parts
    assert split_rows(1000, 2) != parts


@pytest.mark.parametrize("name", ["extended_movie_data_with_local_files.csv", "tags.csv"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}"):
        prepare(folder)


@pytest.mark.parametrize(
    ("name", "column"),
    [("extended_movie_data_with_local_files.csv", "language"), ("tags.csv", "userId")],
)
def test_a_missing_column_is_named(folder, name, column):
    pd.read_csv(folder / name).drop(columns=column).to_csv(folder / name, index=False)
    with pytest.raises(DataError, match=rf"lacks the column\(s\) \['{column}'\]"):
        prepare(folder)


def test_a_missing_poster_is_named(folder):
    (folder / "posters/4.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 4 posters are missing.*'posters/4.jpg'"):
        prepare(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere' does not exist"):
        prepare(tmp_path / "nowhere")


def test_filters_that_leave_nothing_are_told(folder):
    with pytest.raises(DataError, match=r"at least 1 are needed \(7 in the data"):
        prepare(folder, min_year=2050)


@pytest.mark.parametrize("content", [b"", b"movieId,title\n1,\xff\xfe\n", b'movieId,"title\n1,2,3'])
def test_a_file_that_is_no_csv_is_told(folder, content):
    (folder / "extended_movie_data_with_local_files.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"is not a CSV file|lacks the column"):
        prepare(folder)


def test_a_movie_listed_twice_is_named(folder):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path)
    pd.concat([movies, movies[movies["movieId"] == 4]]).to_csv(path, index=False)
    with pytest.raises(DataError, match="lists the movie '4' more than once"):
        prepare(folder)


def test_movies_without_a_genre_are_no_genre(folder):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path)
    movies.loc[movies["movieId"] == 1, "genres"] = "(no genres listed)"
    movies.loc[movies["movieId"] == 4, "genres"] = ""
    movies.to_csv(path, index=False)
    data = prepare(folder, min_genre_share=0.1, min_tag_users=1)
    assert set(data.genres.columns) == {"Drama", "Film-Noir"}
    assert data.movies["movieId"].tolist() == ["5", "7"]


def test_too_few_movies_are_told(folder, monkeypatch):
    monkeypatch.setattr(_data, "MIN_MOVIES", 5)
    with pytest.raises(DataError, match=r"Too few movies .* at least 5 are needed"):
        prepare(folder)


def test_no_tag_at_all_is_told(folder):
    with pytest.raises(DataError, match=r"gave it; lower --min-tag-users"):
        prepare(folder, min_tag_users=99)
