"""The tables behind the page; its figures draw only these."""

import dataclasses

import pandas as pd

from multimodal_ensemble.reporting import label_cooccurrence

from ..data import ALL_LANGUAGES, DataFolder, Filters, MovieData, split_genres

UNKNOWN = "unknown"
# A tag on fewer movies marks a genre by chance.
FEWEST_MOVIES = 5
N_MARKING_TAGS = 8


@dataclasses.dataclass(frozen=True)
class Analysis:
    """All tables; each one is written to a file of its name."""

    # Movies and tags after each filter.
    movies_left: pd.DataFrame
    tags_left: pd.DataFrame
    findings: pd.DataFrame  # the problems in the files
    years: pd.DataFrame  # movies per release year, in the data and after the filters
    languages: pd.DataFrame  # movies per language, their share, and whether they are kept
    # Movies per genre and share of all genre occurrences: in the data, after the filters of
    # language and year (filtered), and after all filters (left).
    genres: pd.DataFrame
    # Movies per tag after the filters, and their share, the most common first.
    tags: pd.DataFrame
    # Movies per tag as users typed it, before the filters, the most common first.
    typed_tags: pd.DataFrame
    rarity: pd.DataFrame  # the number of tags that occur on one movie, on two, and so on
    # Movies after the filters by their number of tags or of genres.
    tags_per_movie: pd.DataFrame
    genres_per_movie: pd.DataFrame
    # Pairs of kept genres; see `multimodal_ensemble.reporting.label_cooccurrence`.
    cooccurrence: pd.DataFrame
    cooccurrence_share: pd.DataFrame
    cooccurrence_lift: pd.DataFrame
    genre_tags: pd.DataFrame  # tags that name or contain a genre
    marking_tags: pd.DataFrame  # the tags that mark each kept genre


def analyse(content: DataFolder, data: MovieData, filters: Filters) -> Analysis:
    """Return all tables."""
    tags = count_tags(data.movies)
    return Analysis(
        movies_left=data.steps,
        tags_left=data.tag_steps,
        findings=content.findings.table(),
        years=count_years(content.movies, data.movies),
        languages=count_languages(content.movies, filters.language),
        genres=count_genre_fates(content.movies, data),
        tags=tags,
        typed_tags=count_typed_tags(content),
        rarity=count_rarity(tags),
        tags_per_movie=count_lengths(data.movies["tags"]).rename_axis("tags"),
        genres_per_movie=count_lengths(data.movies["genres"]).rename_axis("genres"),
        cooccurrence=label_cooccurrence(data.genres).rename_axis("genre"),
        cooccurrence_share=label_cooccurrence(data.genres, normalize="row").rename_axis("genre"),
        cooccurrence_lift=label_cooccurrence(data.genres, normalize="lift").rename_axis("genre"),
        genre_tags=data.genre_tags,
        marking_tags=find_marking_tags(data),
    )


def count_years(movies: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """Return the movies of each known release year, in the data and after the filters."""
    table = pd.DataFrame(
        {"movies": movies["release_year"].value_counts(), "left": left["year"].value_counts()}
    )
    table.index = table.index.astype("int64")
    return table.fillna(0).astype("int64").sort_index().rename_axis("year")


def count_languages(movies: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return the movies of each language, their share, and whether they are kept."""
    counts = _by_count(movies["language"].replace("", UNKNOWN))
    kept = (counts.index == language) | (language == ALL_LANGUAGES)
    return pd.DataFrame(
        {"movies": counts, "share": counts / counts.sum(), "kept": kept}
    ).rename_axis("language")


def count_genre_fates(movies: pd.DataFrame, data: MovieData) -> pd.DataFrame:
    """Return count and share of each genre before, between and after the filters."""
    stages = {
        "in_data": _by_count(movies["genres"].map(split_genres).explode()),
        "filtered": data.genre_counts["movies"],
        "left": data.genres.sum(),
    }
    table = pd.DataFrame(index=stages["in_data"].index)
    for name, counts in stages.items():
        table[name] = counts.reindex(table.index, fill_value=0).astype("int64")
        table[f"{name}_share"] = table[name] / table[name].sum()
    table["kept"] = data.genre_counts["kept"].reindex(table.index, fill_value=False).astype(bool)
    return table.rename_axis("genre")


def count_tags(movies: pd.DataFrame) -> pd.DataFrame:
    """Return the number and the share of movies that have each tag."""
    counts = _by_count(movies["tags"].explode())
    return pd.DataFrame({"movies": counts, "share": counts / len(movies)}).rename_axis("tag")


def count_typed_tags(content: DataFolder) -> pd.DataFrame:
    """Return the number of movies that have each tag as it was typed."""
    tags = content.tags[content.tags["movieId"].isin(content.movies["movieId"])]
    pairs = tags[["movieId", "tag"]].drop_duplicates()
    return pd.DataFrame({"movies": _by_count(pairs["tag"])}).rename_axis("tag")


def count_rarity(tags: pd.DataFrame) -> pd.DataFrame:
    """Return the number of tags that occur on one movie, on two, and so on."""
    counts = tags["movies"].value_counts().sort_index()
    return pd.DataFrame({"tags": counts, "share": counts / counts.sum()}).rename_axis("movies")


def count_lengths(lists: pd.Series) -> pd.DataFrame:
    """Return the number of lists of each length, up to the longest."""
    counts = lists.map(len).value_counts()
    counts = counts.reindex(range(counts.index.max() + 1), fill_value=0)
    return pd.DataFrame({"movies": counts, "share": counts / counts.sum()})


def find_marking_tags(data: MovieData) -> pd.DataFrame:
    """Return the tags that occur with each genre much more often than independent tags would.

    They are ordered by the Pearson residual, (observed - expected) / sqrt(expected), see
    A. Agresti, "Categorical Data Analysis", 2013, section 3.3. Columns: genre, tag, movies with the
    tag, those that also have the genre, and how many times as many that is as expected.
    """
    pairs = data.movies["tags"].explode().dropna()
    counts = _by_count(pairs)
    pairs = pairs[pairs.isin(counts.index[counts >= FEWEST_MOVIES])]
    tables = []
    for genre in data.genres.columns:
        has_genre = data.genres[genre].astype(bool)
        both = pairs[pairs.index.map(has_genre)].value_counts()
        table = pd.DataFrame({"movies": counts.loc[both.index], "with_genre": both})
        expected = table["movies"] * has_genre.mean()
        table["times"] = table["with_genre"] / expected
        residual = (table["with_genre"] - expected) / expected**0.5
        order = residual[residual > 0].sort_index().sort_values(ascending=False, kind="stable")
        table = table.loc[order.index[:N_MARKING_TAGS]].rename_axis("tag").reset_index()
        table.insert(0, "genre", genre)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _by_count(values: pd.Series) -> pd.Series:
    """Return counts in descending order, equal counts by name."""
    return values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
