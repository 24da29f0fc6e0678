"""The invented MovieLens: its layout and repeatability, and the effect of every filter."""

import collections
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from examples.movielens_genres.sample import _sample, write_sample

COLUMNS = {
    "movies.csv": ["movieId", "title", "genres"],
    "tags.csv": ["userId", "movieId", "tag", "timestamp"],
    "links.csv": ["movieId", "imdbId", "tmdbId"],
    "extended_movie_data_with_local_files.csv": [
        "movieId",
        "title",
        "genres",
        "tmdbId",
        "release_year",
        "language",
        "poster_file",
    ],
}
KEPT_GENRES = {
    "Action",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Horror",
    "Romance",
    "Thriller",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "data"
    write_sample(folder, n_movies=60)
    return folder


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:
        # Drawing posters takes most of the time, and the tables do not depend on them.
        patch.setattr(_sample, "draw_poster", lambda *_: Image.new("L", (1, 1)))
        write_sample(folder)
    return folder


def read_movies(folder):
    return pd.read_csv(folder / "extended_movie_data_with_local_files.csv")


def read_pixels(folder):
    pixels = []
    for name in read_movies(folder).poster_file:
        with Image.open(folder / name) as poster:
            pixels.append(np.asarray(poster))
    return pixels


def english_and_recent(movies):
    return movies[(movies.language == "en") & (movies.release_year >= 1995)]


def genre_shares(movies):
    counts = collections.Counter(movies.genres.str.split("|").sum())
    return {genre: count / counts.total() for genre, count in counts.items()}


def normalise(tags):
    return tags.str.lower().map(lambda tag: re.sub(r"[^\w\s]", "", tag))


def test_the_same_seed_produces_the_same_files(small, tmp_path):
    write_sample(tmp_path, n_movies=60)
    for name in COLUMNS:
        assert (tmp_path / name).read_bytes() == (small / name).read_bytes()
    for again, first in zip(read_pixels(tmp_path), read_pixels(small), strict=True):
        np.testing.assert_array_equal(again, first)


def test_another_seed_produces_other_tables_and_posters(small, tmp_path):
    write_sample(tmp_path, seed=2, n_movies=60)
    for name in COLUMNS:
        assert (tmp_path / name).read_bytes() != (small / name).read_bytes()
    same_name = set(read_movies(tmp_path).poster_file) & set(read_movies(small).poster_file)
    assert same_name
    for name in same_name:
        assert (tmp_path / name).read_bytes() != (small / name).read_bytes()


def test_the_layout_is_that_of_the_real_data(small):
    assert {path.name for path in small.iterdir()} == {*COLUMNS, "posters"}
    for name, columns in COLUMNS.items():
        assert pd.read_csv(small / name).columns.tolist() == columns


def test_tables_agree_on_the_movies(small):
    movies = read_movies(small)
    assert len(movies) == 60
    assert movies.movieId.is_unique
    assert movies.movieId.is_monotonic_increasing
    plain = pd.read_csv(small / "movies.csv")
    pd.testing.assert_frame_equal(plain, movies[plain.columns])
    links = pd.read_csv(small / "links.csv")
    pd.testing.assert_frame_equal(links[["movieId", "tmdbId"]], movies[["movieId", "tmdbId"]])
    assert set(pd.read_csv(small / "tags.csv").movieId) <= set(movies.movieId)
    years = movies.title.str.extract(r"\((\d{4})\)$")[0].astype(int)
    assert years.tolist() == movies.release_year.tolist()


def test_every_poster_opens_and_is_small(small):
    movies = read_movies(small)
    assert movies.poster_file.tolist() == [f"posters/{id_}.jpg" for id_ in movies.movieId]
    assert len(list((small / "posters").iterdir())) == len(movies)
    for name in movies.poster_file:
        with Image.open(small / name) as poster:
            poster.load()
            assert poster.format == "JPEG"
            assert poster.width == 150
            assert 200 <= poster.height <= 230


def test_a_few_posters_are_grey(tmp_path):
    write_sample(tmp_path, n_movies=150)
    dimensions = collections.Counter(pixels.ndim for pixels in read_pixels(tmp_path))
    assert 0 < dimensions[2] < 0.15 * 150
    assert set(dimensions) == {2, 3}


def test_commas_quotes_and_accents_survive_the_csv_files(full, tmp_path):
    titles = read_movies(full).title
    tags = pd.read_csv(full / "tags.csv").tag
    for texts in (titles, tags):
        for pattern in (",", '"', r"[^\x00-\x7f]"):
            assert texts.str.contains(pattern).any()
    rows = [(1, 'Mr. "Tin", the Café (1999)'), (2, "plain")]
    _sample._write_csv(tmp_path / "x.csv", "movieId,title", rows)
    assert list(pd.read_csv(tmp_path / "x.csv").itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_filters_leave_eight_genres_and_about_600_movies(seed):
    drawn = _sample._draw_movies(np.random.default_rng(seed), 950)
    movies = pd.DataFrame(
        [(m.language, m.year, "|".join(m.genres)) for m in drawn],
        columns=["language", "release_year", "genres"],
    )
    assert (movies.language != "en").sum() > 100
    assert (movies.release_year < 1995).sum() > 100
    kept = english_and_recent(movies)
    shares = genre_shares(kept)
    assert {genre for genre, share in shares.items() if share >= 0.05} == KEPT_GENRES
    # The margins ensure that no seed moves a genre across the limit.
    assert all(share > 0.055 for genre, share in shares.items() if genre in KEPT_GENRES)
    assert all(share < 0.04 for genre, share in shares.items() if genre not in KEPT_GENRES)
    assert "(no genres listed)" in shares
    with_genre = [bool(set(genres.split("|")) & KEPT_GENRES) for genres in kept.genres]
    assert len(with_genre) - sum(with_genre) >= 10
    assert 550 <= sum(with_genre) <= 650


def test_the_default_size_is_the_tested_one(full):
    assert len(read_movies(full)) == 950


def test_every_tag_filter_has_something_to_drop(full):
    tags = pd.read_csv(full / "tags.csv")
    movies = english_and_recent(read_movies(full))
    tags = tags[tags.movieId.isin(movies.movieId)]
    assert 0.02 < 1 - tags.movieId.nunique() / len(movies) < 0.15

    raw_pairs = tags.groupby(["movieId", "tag"]).userId.nunique()
    tags["tag"] = normalise(tags.tag)
    by_pair = tags.groupby(["movieId", "tag"]).userId
    users = by_pair.nunique()
    assert (users >= 2).sum() > (raw_pairs >= 2).sum(), "normalisation joins spellings"
    assert ((users < 2) & (by_pair.size() >= 2)).any(), "rows are not users"
    assert 0.1 < (users < 2).mean() < 0.5

    frequent = users[users >= 2].index.get_level_values("tag")
    genres = set(normalise(pd.Series(list(genre_shares(movies)))))
    names_genre = frequent.isin(genres)
    assert names_genre.sum() > 50
    assert frequent[~names_genre].nunique() > 400


def test_rows_of_tags_are_ordered_and_distinct(full):
    tags = pd.read_csv(full / "tags.csv")
    assert not tags.duplicated(["userId", "movieId", "tag"]).any()
    assert tags[["userId", "movieId"]].apply(tuple, axis=1).is_monotonic_increasing
    assert tags.tag.str.strip().eq(tags.tag).all()


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(FileExistsError, match="empty folder"):
        write_sample(tmp_path, n_movies=10)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
