"""The preparation of MovieLens data, on tables small enough to filter by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from examples.movielens_genres._errors import DataError
from examples.movielens_genres.data import (
    Filters,
    check_enough,
    describe_data,
    normalize_tag,
    prepare_movies,
    read_folder,
)
from examples.movielens_genres.data._prepare import count_genres, split_title
from examples.movielens_genres.data._tags import collect_tags, find_genre, genre_names
from examples.movielens_genres.study import split_rows
from multimodal_ensemble.images import UnreadableImageWarning

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


def add_tags(folder, rows):
    with (folder / "tags.csv").open("a", encoding="utf-8", newline="") as file:
        pd.DataFrame(rows).assign(timestamp=0).to_csv(file, index=False, header=False)


def prepare(folder, **filters):
    # Comedy, Drama and Film-Noir have 2 of 6 occurrences each.
    return prepare_movies(read_folder(folder), Filters(**{"min_genre_share": 0.3, **filters}))


def test_each_filter_leaves_the_expected_movies(folder):
    data = prepare(folder)
    assert data.steps["movies"].tolist() == [7, 6, 4, 4, 4]
    assert data.movies["movieId"].tolist() == [1, 4, 5, 7]
    assert prepare(folder, language="fr").movies["movieId"].tolist() == [3]
    # Of 7 occurrences, Drama now has 3 and each of the others 2, which is less than 0.3.
    assert prepare(folder, min_year=1990).movies["movieId"].tolist() == [1, 2, 7]


def test_a_movie_without_a_kept_genre_is_dropped(folder):
    data = prepare(folder, min_genre_share=0.34, min_year=1990)
    # Drama 3, Comedy 2, Film-Noir 2 of 7: only Drama has 0.34.
    assert list(data.genres.columns) == ["Drama"]
    assert data.movies["movieId"].tolist() == [1, 2, 7]


def test_genres_are_multi_hot_in_the_order_of_the_rows(folder):
    data = prepare(folder)
    for row, genres in enumerate(data.movies["genres"]):
        hot = data.genres.columns[data.genres.iloc[row].astype(bool)]
        assert sorted(genres) == sorted(hot)


def test_tags_need_users_and_may_not_name_a_genre(folder):
    tags = dict(prepare(folder).movies.set_index("movieId")["tags"])
    # "null" and "NA" are words that people typed, not empty cells.
    assert tags == {1: ["space"], 4: ["null"], 5: [], 7: []}


def test_one_user_twice_is_one_user(folder):
    tags = dict(prepare(folder, min_tag_users=1).movies.set_index("movieId")["tags"])
    assert tags[7] == ["twice"]
    assert tags[4] == ["na", "null"]
    assert tags[1] == ["lonely", "space"]


def test_genre_tags_can_be_kept(folder):
    tags = dict(prepare(folder, drop_genre_tags="none").movies.set_index("movieId")["tags"])
    assert tags[1] == ["film noir", "filmnoir", "space"]


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
    nothing = pd.DataFrame({"userId": [], "movieId": [], "tag": []}).astype({"tag": object})
    found = collect_tags(nothing, {1: ["Drama"]}, {"drama": "Drama"}, Filters())
    assert found.tags == {}
    assert found.steps["rows"].tolist() == [0, 0, 0, 0, 0]
    assert found.genre_tags.empty


NAMES = genre_names(["Comedy", "Sci-Fi", "War", "Film-Noir", "Children", "Action"])


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("comedy", ("Comedy", "exact")),
        ("scifi", ("Sci-Fi", "exact")),
        ("sci fi", ("Sci-Fi", "exact")),
        ("film noir", ("Film-Noir", "exact")),
        ("comedies", ("Comedy", "within")),
        ("romantic comedy", ("Comedy", "within")),
        ("dark sci fi epic", ("Sci-Fi", "within")),
        ("world war two", ("War", "within")),
        ("star wars", ("War", "within")),
        ("childrens book", ("Children", "within")),
        ("actionpacked", None),
        ("software", None),
        ("award", None),
        ("film", None),
        ("", None),
    ],
)
def test_tags_that_name_a_genre_are_found(tag, found):
    assert find_genre(tag, NAMES) == found


def test_each_rule_includes_the_one_before(folder):
    add_tags(
        folder, [(user, 7, tag) for user in (1, 2) for tag in ("Drama", "court dramas", "law")]
    )
    kept = {
        rule: set(prepare(folder, drop_genre_tags=rule).movies.set_index("movieId")["tags"][7])
        for rule in ("none", "exact", "within")
    }
    assert kept["none"] == {"drama", "court dramas", "law"}
    assert kept["exact"] == {"court dramas", "law"}
    assert kept["within"] == {"law"}


def test_the_precision_of_a_tag_that_names_a_genre_is_counted(folder):
    add_tags(folder, [(user, movie, "Drama") for user in (1, 2) for movie in (1, 4, 7)])
    found = prepare(folder).genre_tags.set_index("tag").loc["drama"]
    # Movies 1 and 7 are dramas, 4 is none; of all four, two are.
    assert found.to_dict() == {
        "genre": "Drama",
        "how": "exact",
        "movies": 3,
        "precision": pytest.approx(2 / 3),
        "prevalence": 0.5,
        "dropped": True,
    }
    assert not prepare(folder, drop_genre_tags="none").genre_tags["dropped"].any()


def test_each_filter_of_tags_leaves_the_expected_rows(folder):
    steps = prepare(folder).tag_steps
    assert steps["rows"].tolist() == [16, 14, 13, 4, 2]
    assert steps["distinct"].tolist() == [14, 12, 7, 4, 2]
    assert steps["movies"].tolist() == [4, 3, 3, 2, 2]


def test_tags_agree_with_plain_loops(folder):
    """A brute-force oracle of normalising, counting users and dropping names, on random tags."""
    rng = np.random.default_rng(1)
    words = ["Space", "space!", "DRAMA", "war film", "twist", "Twist?", "??", "sci fi", "é", "É"]
    rows = [
        (int(rng.integers(1, 6)), int(rng.choice([1, 2, 4, 7])), str(rng.choice(words)))
        for _ in range(300)
    ]
    add_tags(folder, rows)
    users = {}
    for user, movie, tag in [*TAGS, *rows]:
        users.setdefault((movie, normalize_tag(tag)), set()).add(user)
    names = {"drama", "comedy", "filmnoir", "film noir"}
    expected = {
        movie: sorted(
            tag
            for (m, tag), who in users.items()
            if m == movie and tag and len(who) >= 3 and tag not in names
        )
        for movie in (1, 4, 5, 7)
    }
    data = prepare(folder, min_tag_users=3)
    assert dict(zip(data.movies["movieId"], data.movies["tags"], strict=True)) == expected


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Copper Café, The (1999)", ["copper", "café", "the"]),
        ("Two-Way: Part 2 (a.k.a. Other) (1999)", ["two", "way", "part", "2", "aka", "other"]),
        ("Series, The (2003-2005)", ["series", "the"]),
        ("1984", ["1984"]),
        ("", []),
    ],
)
def test_titles_are_split_into_words(title, words):
    assert split_title(title) == words


def test_the_split_is_a_partition_that_depends_only_on_the_seed():
    genres = np.eye(1000)
    split = split_rows(genres, 1)
    assert [len(rows) for rows in split.parts().values()] == [810, 100, 90]
    assert sorted(itertools.chain(*split.parts().values())) == list(range(1000))
    assert split_rows(genres, 1) == split
    assert split_rows(genres, 2).train != split.train


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
    with pytest.raises(DataError, match=r"1 of 4 posters do not exist.*'posters/4.jpg'"):
        prepare(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere' does not exist"):
        prepare(tmp_path / "nowhere")


def test_filters_that_leave_nothing_are_reported(folder):
    data = prepare(folder, min_year=2050)
    with pytest.raises(DataError, match=r"at least 40 are needed \(7 in the data, 6 in the"):
        check_enough(data, folder)


@pytest.mark.parametrize("content", [b"", b"movieId,title\n1,x\n", b"PK\x03\x04\x00\x00"])
def test_a_file_that_is_not_a_table_is_reported(folder, content):
    (folder / "extended_movie_data_with_local_files.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"extended_movie_data_with_local_files\.csv"):
        prepare(folder)


def test_damaged_rows_are_counted_and_the_others_kept(folder):
    with (folder / "extended_movie_data_with_local_files.csv").open("ab") as file:
        file.write("8,Verité,Drama,,2003,en,posters/8.jpg\n".encode("latin-1"))
        file.write(b"9,too,few\n1,Kept again,Drama,,2000,en,posters/1.jpg\n")
        file.write(b"ten,No id,Drama,,2000,en,posters/1.jpg\n")
        file.write(b"11,Odd year,Drama,,MCMXCV,en,posters/1.jpg\n")
    (folder / "posters/8.jpg").write_bytes(b"not read here")
    data = prepare(folder, min_genre_share=0.2)
    assert data.movies["movieId"].tolist() == [1, 4, 5, 7, 8]
    assert data.movies["title"].tolist()[-1] == "Verité"
    found = data.findings.table()
    # Movies 6 and 11 have no year.
    assert found.set_index("problem")["rows"]["no release year"] == 2
    assert found["rows"].tolist() == [1, 1, 1, 1, 1, 2]
    assert found["rule"].str.contains("dropped").sum() == 2
    assert {"kept, year unknown"} <= set(found["rule"])
    assert found["rule"].str.contains("the first is kept").sum() == 1
    assert "MCMXCV" in describe_data(data)


def test_gaps_of_movies_are_reported(folder):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path, dtype=str, keep_default_na=False)
    movies["genres"] = movies["genres"].replace("Film-Noir", "(no genres listed)")
    for column, rows in {"title": 1, "genres": 1, "language": 2, "poster_file": 3}.items():
        movies.loc[: rows - 1, column] = ""
    movies.to_csv(path, index=False)
    add_tags(folder, [(1, 99, "of no movie")])
    found = read_folder(folder).findings.table().set_index("problem")
    assert found["rows"].to_dict() == {
        "no title": 1,
        "no genres": 2,
        "no release year": 1,
        "no language": 2,
        "no poster": 3,
        "movieId not in the movies": 1,
    }
    assert found["rule"].str.startswith("kept").all()
    assert found.loc["movieId not in the movies", "example"] == "1,99,of no movie"


def test_a_movie_without_a_poster_is_dropped_if_models_see_posters(folder):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path)
    movies.loc[movies["movieId"] == 4, "poster_file"] = ""
    movies.to_csv(path, index=False)
    data = prepare(folder)
    assert data.movies["movieId"].tolist() == [1, 5, 7]
    assert data.steps.loc["with a poster", "movies"] == 3
    data = prepare_movies(read_folder(folder), Filters(min_genre_share=0.3), modalities=["tags"])
    assert data.movies["movieId"].tolist() == [1, 4, 5, 7]


@pytest.mark.parametrize("column", ["tmdbId", "poster_file"])
def test_a_movie_with_two_ids_is_used_once(folder, column):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path, dtype=str, keep_default_na=False)
    movies.loc[movies["movieId"].isin(["1", "7"]), column] = "1"
    movies.to_csv(path, index=False)
    data = prepare_movies(read_folder(folder), Filters(min_genre_share=0.2), modalities=["tags"])
    assert data.movies["movieId"].tolist() == [1, 4, 5]
    assert data.steps["movies"].tolist() == [7, 6, 5, 3, 3]
    assert data.steps.index[1] == "without repetitions"


def test_unreadable_posters_can_be_dropped(folder):
    for movie in (1, 4, 7):
        Image.new("RGB", (2, 3)).save(folder / f"posters/{movie}.jpg")
    (folder / "posters/4.jpg").unlink()
    with pytest.warns(UnreadableImageWarning, match=r"2 of 4 images"):
        data = prepare_movies(
            read_folder(folder), Filters(min_genre_share=0.3), drop_unreadable_posters=True
        )
    assert data.movies["movieId"].tolist() == [1, 7]
    assert data.steps.loc["with a poster that can be read", "movies"] == 2


@pytest.mark.parametrize(
    "file", ["../posters/1.jpg", "/etc/hostname", "c:/posters/1.jpg", "a" * 256, "a/../../b.jpg"]
)
def test_a_poster_outside_the_folder_is_ignored(folder, file):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path)
    movies.loc[movies["movieId"] == 1, "poster_file"] = file
    movies.loc[movies["movieId"] == 4, "poster_file"] = "posters\\4.jpg"
    movies.to_csv(path, index=False)
    data = prepare(folder)
    assert data.movies["movieId"].tolist() == [4, 5, 7]
    assert data.movies["poster_file"][0] == "posters/4.jpg"
    found = data.findings.table().set_index("problem")
    assert found.loc["poster file is outside the folder", "rows"] == 1


def test_problems_found_by_retrieve_are_reported_again(folder):
    text = 'file,problem,rows,rule,example\nmovies.csv,no title,2,kept,"1,"\n'
    (folder / "findings.csv").write_text(text, encoding="utf-8")
    found = read_folder(folder).findings.table()
    assert found.iloc[0].tolist() == ["movies.csv", "no title", 2, "kept", "1,"]


def test_all_languages_can_be_kept(folder):
    data = prepare(folder, language="all", min_genre_share=0.2)
    assert data.movies["language"].tolist() == ["en", "fr", "en", "en", "en"]


def test_no_genre_is_not_a_genre(folder):
    path = folder / "extended_movie_data_with_local_files.csv"
    movies = pd.read_csv(path)
    movies.loc[movies["movieId"] == 1, "genres"] = "(no genres listed)"
    movies.loc[movies["movieId"] == 4, "genres"] = ""
    movies.to_csv(path, index=False)
    data = prepare(folder, min_genre_share=0.1, min_tag_users=1)
    assert set(data.genres.columns) == {"Drama", "Film-Noir"}
    assert data.movies["movieId"].tolist() == [5, 7]


def test_too_few_movies_are_reported(folder):
    data = prepare(folder)
    check_enough(data, folder, 4)
    with pytest.raises(DataError, match=r"Too few movies .* at least 5 are needed"):
        check_enough(data, folder, 5)


def test_a_folder_without_tags_is_reported(folder):
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"^No tag is left after the filters; leave tags out of --modalities\.$"
    ):
        prepare(folder)


def test_filters_that_leave_no_tag_are_reported(folder):
    with pytest.raises(
        DataError, match=r"^No tag is left after the filters; lower --min-tag-users"
    ):
        prepare(folder, min_tag_users=99)


GENOME_TAGS = ["space", "Sci-Fi", "space drama", "twist"]


def write_genome(folder, rows):
    names = pd.DataFrame({"tagId": range(1, 5), "tag": GENOME_TAGS})
    names.to_csv(folder / "genome-tags.csv", index=False)
    scores = pd.DataFrame(rows, columns=["movieId", "tagId", "relevance"])
    scores.to_csv(folder / "genome-scores.csv", index=False)


def prepare_genome(folder, **filters):
    filters = {"tags": "genome", "min_genre_share": 0.3, **filters}
    return prepare_movies(read_folder(folder), Filters(**filters), modalities=["tags"])


def test_relevances_of_the_genome_replace_tags(folder):
    relevance = np.random.default_rng(0).random((3, 4)).round(3)
    movies = [1, 3, 7]
    write_genome(
        folder,
        [(m, t + 1, relevance[row, t]) for row, m in enumerate(movies) for t in range(4)][::-1],
    )
    data = prepare_genome(folder, drop_genre_tags="none")
    # Movie 3 is French, 4 and 5 are not in the genome.
    assert data.movies["movieId"].tolist() == [1, 7]
    assert data.steps.loc["in the tag genome", "movies"] == 2
    assert data.genome_tags == ["space", "scifi", "space drama", "twist"]
    np.testing.assert_allclose(np.stack(data.movies["tags"]), relevance[[0, 2]], rtol=1e-6)


def test_genome_tags_that_name_a_genre_are_dropped_by_the_same_rule(folder):
    write_genome(folder, [(1, tag, tag / 10) for tag in (1, 2, 3, 4)])
    # Sci-Fi is no genre of these movies, drama is one.
    assert prepare_genome(folder).genome_tags == ["space", "scifi", "space drama", "twist"]
    data = prepare_genome(folder, drop_genre_tags="within")
    assert data.genome_tags == ["space", "scifi", "twist"]
    np.testing.assert_allclose(data.movies["tags"][0], [0.1, 0.2, 0.4])


def test_genome_tags_are_chosen_by_relevance(folder):
    write_genome(folder, [(1, 1, 0.5), (1, 2, 0.49), (1, 4, 0.9), (7, 2, 0.1)])
    data = prepare_genome(folder, min_relevance=0.5)
    assert dict(zip(data.movies["movieId"], data.movies["tags"], strict=True)) == {
        1: ["space", "twist"],
        7: [],
    }
    assert data.genome_tags == []
    found = data.findings.table().set_index("problem")["rows"]
    assert found.to_dict() == {"no release year": 1, "movie without the relevance of a tag": 4}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(3, 1, 0.5)], r"has none of the 4 movies that are left; use --tags user"),
        ([(10**20, 1, 0.5)], r"genome-scores\.csv' must be a table of whole numbers"),
        (
            [(1, 1, "much")],
            r"genome-scores\.csv' must be a table of whole numbers.*download the file",
        ),
        ([(1, 1, 0.1)], r"^No tag is left after the filters; lower --min-relevance"),
    ],
)
def test_an_invalid_genome_is_reported(folder, rows, message):
    write_genome(folder, rows)
    with pytest.raises(DataError, match=message):
        prepare_genome(folder, min_relevance=0.5)


def test_relevances_out_of_range_are_counted(folder):
    write_genome(folder, [(1, 1, 0.5), (1, 2, 1.5), (1, 9, 0.5), (1, 3, 0.2), (1, 4, 0.2)])
    data = prepare_genome(folder)
    assert data.findings.table()["rows"].tolist()[1:] == [2, 1]
    np.testing.assert_allclose(data.movies["tags"][0], [0.5, 0, 0.2, 0.2])


def test_problems_of_a_genome_are_reported(folder, monkeypatch):
    monkeypatch.setitem(globals(), "GENOME_TAGS", ["space", "!?", "drama", "twist"])
    write_genome(folder, [(1, tag, 0.1) for tag in (1, 2, 3, 4)] + [(1, 4, 0.9)])
    data = prepare_genome(folder)
    found = data.findings.table().set_index("problem")["rows"]
    assert found["repeated movie and tag"] == 1
    assert found["tag without a letter or digit"] == 1
    assert data.genome_tags == ["space", "twist"]
    np.testing.assert_allclose(data.movies["tags"][0], [0.1, 0.9])


def test_a_folder_without_genome_is_reported(folder):
    with pytest.raises(DataError, match=r"has no genome-scores\.csv; name the MovieLens folder"):
        prepare_genome(folder)
