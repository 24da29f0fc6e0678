"""The HTML page: figures of the tables, with captions that quote the tables."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from multimodal_ensemble.reporting import (
    ReportFigure,
    ReportTable,
    plot_distribution,
    plot_label_cooccurrence,
    plot_label_counts,
    plot_rank_frequency,
    write_html_report,
)

from ..data import ALL_LANGUAGES, NO_GENRE, Filters, MovieData
from ._tables import FEWEST_MOVIES, N_MARKING_TAGS, Analysis

PAGE_NAME = "analysis.html"
N_COMMON = 30
N_EXAMPLES = 10

Parts = list[str | pd.DataFrame | ReportTable | ReportFigure]


def write_analysis(
    out: Path, analysis: Analysis, data: MovieData, filters: Filters, notes: Sequence[str]
) -> Path:
    """Write the page and one CSV file per table; return the path of the page."""
    for field in dataclasses.fields(analysis):
        table = getattr(analysis, field.name)
        table.to_csv(out / f"{field.name}.csv", index=table.index.name is not None)
    sections = {
        "What the filters leave": [*notes, *_filters(analysis, filters)],
        "Problems in the files": _findings(analysis),
        "Movies per release year and language": _movies(analysis, filters),
        "Genres before and after the filters": _genres(analysis, filters),
        "Common and rare tags": _tags(analysis, filters),
        "Tags per movie": _tags_per_movie(analysis),
        "Genres that go together": _together(analysis, data),
        "Tags that mark a genre": _marks(analysis),
        "Tags that reveal a genre": _leaks(analysis, filters),
    }
    page = out / PAGE_NAME
    write_html_report(page, "The movies, their genres and their tags", sections)
    return page


def _filters(analysis: Analysis, filters: Filters) -> Parts:
    first, last = analysis.movies_left["movies"].iloc[[0, -1]]
    options = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in dataclasses.asdict(filters).items()
        if value is not None
    )
    return [
        f"Of {_count(first, 'movie')} in the data, the filters leave {last:,} "
        f"({_percent(last, first)}). Filters: {options}.",
        _table(analysis.movies_left, "Movies after each filter."),
        _table(
            analysis.tags_left,
            "Tags after each filter: rows, distinct tags, and movies that have any.",
        ),
    ]


def _findings(analysis: Analysis) -> Parts:
    findings = analysis.findings
    if findings.empty:
        return ["The files have no problems."]
    return [
        _table(
            findings,
            f"{_count(len(findings), 'problem')} in {_count(findings['file'].nunique(), 'file')}, "
            f"{_count(findings['rows'].sum(), 'row')} in all, and how they are handled.",
        )
    ]


def _movies(analysis: Analysis, filters: Filters) -> Parts:
    years, languages = analysis.years, analysis.languages
    known, total = years["movies"].sum(), languages["movies"].sum()
    unknown = total - known
    late = years["movies"][years.index >= filters.min_year].sum()
    top, kept = languages.index[0], languages["movies"][languages["kept"]].sum()
    busiest = years["movies"].idxmax()
    return [
        ReportFigure(
            plot_distribution(
                years["movies"], label="release year", unit="movies", first_kept=filters.min_year
            ),
            alt=f"Bars: movies of each release year, from {years.index[0]} to {years.index[-1]}.",
            caption=f"{_count(known, 'movie')} by release year; {late:,} "
            f"({_percent(late, known)}) are from {filters.min_year} or later. The year with most "
            f"movies is {busiest} ({years['movies'].max():,})."
            + (f" {_count(unknown, 'movie')} without a known year: not shown." if unknown else ""),
        ),
        ReportFigure(
            plot_label_counts(
                languages["movies"].head(N_COMMON),
                shares=languages["share"].head(N_COMMON),
                kept=languages["kept"].head(N_COMMON),
                unit="movies",
            ),
            alt="Bars: movies of each language, the most common on top.",
            caption=f"The most common of {_count(len(languages), 'language')} is {top}, with "
            f"{languages['movies'].iloc[0]:,} of {total:,} movies. "
            + (
                "All languages are kept."
                if filters.language == ALL_LANGUAGES
                else f"Kept: {kept:,} ({_percent(kept, total)}) in {filters.language}."
            ),
        ),
        _table(years, "Movies per release year: in the data and after all filters."),
        _table(languages, "Movies per language, and their share of all movies."),
    ]


def _genres(analysis: Analysis, filters: Filters) -> Parts:
    genres = analysis.genres
    filtered = _by(genres[genres["filtered"] > 0], "filtered")
    left = _by(genres[genres["kept"]], "left")
    named = genres[genres.index != NO_GENRE]
    without = genres["in_data"].get(NO_GENRE, 0)
    dropped = len(filtered.index.difference([NO_GENRE])) - len(left)

    def bars(table: pd.DataFrame, stage: str, caption: str, kept: Any = None) -> ReportFigure:
        figure = plot_label_counts(
            table[stage], shares=table[f"{stage}_share"], kept=kept, unit="movies"
        )
        return ReportFigure(figure, alt=f"Bars: movies of each genre. {caption}", caption=caption)

    return [
        bars(
            genres,
            "in_data",
            f"Before the filters: {_count(len(named), 'genre')}"
            + (f", and {_count(without, 'movie')} without a genre" if without else "")
            + f". {named.index[0]} is the most common ({named['in_data'].iloc[0]:,} movies). "
            f"Shares are of all {_count(genres['in_data'].sum(), 'occurrence')}"
            + (f", {NO_GENRE} included." if without else " of a genre."),
        ),
        bars(
            filtered,
            "filtered",
            "After the filters of language and year: "
            f"{_count(len(left), 'genre')} with at least {100 * filters.min_genre_share:g} % of "
            f"the {_count(filtered['filtered'].sum(), 'occurrence')} kept, {dropped} dropped.",
            kept=filtered["kept"],
        ),
        bars(
            left,
            "left",
            f"After all filters: {left.index[0]} is the most common ({left['left'].iloc[0]:,} "
            f"movies), {left.index[-1]} the rarest ({left['left'].iloc[-1]:,}).",
        ),
        _table(genres, "Movies per genre, and the share of all occurrences of a genre."),
    ]


def _tags(analysis: Analysis, filters: Filters) -> Parts:
    tags, rarity, typed = analysis.tags, analysis.rarity, analysis.typed_tags
    curves = {"as typed, all movies": typed["movies"], "after the filters": tags["movies"]}
    curves = {name: counts for name, counts in curves.items() if len(counts)}
    parts: Parts = []
    if curves:
        parts.append(
            ReportFigure(
                plot_rank_frequency(curves, label="tags", unit="movies with the tag"),
                alt="Curves: movies with a tag against the tag's rank, both logarithmic.",
                caption=f"Users typed {_count(len(typed), 'different tag')}; the filters leave "
                f"{len(tags):,}. A tag counts once per movie.",
            )
        )
    if tags.empty:
        return [*parts, _no_tag(filters)]
    common, rarest = tags.head(N_COMMON), tags["movies"].min()
    rare = tags.index[tags["movies"] == rarest]
    return [
        ReportFigure(
            plot_label_counts(common["movies"], shares=common["share"], unit="movies"),
            alt=f"Bars: movies of each of the {len(common)} most common tags.",
            caption=f"The {len(common)} most common of {_count(len(tags), 'tag')}, led by "
            f"{tags.index[0]!r} on {_percent(tags['share'].iloc[0])} of the movies that are left.",
        ),
        *parts,
        f"The rarest: {_count(len(rare), 'tag')} ({_percent(len(rare), len(tags))}) on "
        f"{_count(rarest, 'movie')} each, such as {', '.join(map(repr, rare[:N_EXAMPLES]))}.",
        _table(rarity.head(N_EXAMPLES), "Number of tags by their number of movies."),
    ]


def _tags_per_movie(analysis: Analysis) -> Parts:
    table = analysis.tags_per_movie
    total, without = table["movies"].sum(), table["movies"].iloc[0]
    return [
        ReportFigure(
            plot_distribution(table["movies"], label="tags of a movie", unit="movies", log=True),
            alt=f"Bars: movies by their number of tags, from 0 to {table.index[-1]}.",
            caption=f"{_count(without, 'movie')} of {total:,} ({_percent(without, total)}) "
            f"without any tag; {_mean(table):.1f} tags per movie on average, at most "
            f"{table.index[-1]:,}. The scale is logarithmic.",
        ),
        _table(table[table["movies"] > 0], "Movies by their number of tags."),
    ]


def _together(analysis: Analysis, data: MovieData) -> Parts:
    genres = analysis.genres_per_movie
    several = genres["movies"][genres.index > 1].sum()
    parts: Parts = [
        ReportFigure(
            plot_distribution(genres["movies"], label="kept genres of a movie", unit="movies"),
            alt=f"Bars: movies by their number of kept genres, at most {genres.index[-1]}.",
            caption=f"{_mean(genres):.2f} kept genres per movie on average; {several:,} of "
            f"{genres['movies'].sum():,} movies ({_percent(several, genres['movies'].sum())}) "
            "have more than one.",
        )
    ]
    lift = analysis.cooccurrence_lift
    if len(lift) < 2:
        return [*parts, "Only one genre is kept, so there are no pairs of genres."]
    pairs = {
        (one, other): lift.loc[one, other]
        for row, one in enumerate(lift.index)
        for other in lift.columns[row + 1 :]
    }
    share = analysis.cooccurrence_share
    often, also = max(pairs, key=pairs.get)
    caption = (
        "Share of the movies of a row's genre that also have the column's genre. Compared with "
        f"independent genres, {often} and {also} occur together {pairs[often, also]:.1f} times as "
        f"often: {_percent(share.loc[often, also])} of {often} movies are {also}. "
        f"{_describe_rarest(pairs, share)}"
    )
    return [
        *parts,
        ReportFigure(
            plot_label_cooccurrence(data.genres, unit="movies"),
            alt=f"Heat map of {len(lift)} by {len(lift)} genres; the table has its numbers.",
            caption=caption,
        ),
        _table(share, "Share of the movies with the row's genre that have the column's genre."),
        _table(
            lift,
            "Lift: observed pairs relative to those of independent genres.",
        ),
        _table(
            analysis.cooccurrence,
            "Movies with both genres; on the diagonal, movies with that genre.",
        ),
    ]


def _describe_rarest(pairs: dict[tuple[str, str], float], share: pd.DataFrame) -> str:
    """Return a sentence about the pair that occurs most rarely, unless several never do."""
    if n_never := sum(lift == 0 for lift in pairs.values()):
        return f"Pairs that never occur together: {n_never:,} of {len(pairs):,}."
    seldom, avoided = min(pairs, key=pairs.__getitem__)
    return (
        f"{seldom} and {avoided} do so {pairs[seldom, avoided]:.2f} times as often: "
        f"{_percent(share.loc[seldom, avoided])} of {seldom} movies are {avoided}."
    )


def _marks(analysis: Analysis) -> Parts:
    tags = analysis.marking_tags
    if tags.empty:
        return [f"No tag is on at least {FEWEST_MOVIES} movies."]
    caption = (
        f"At most {N_MARKING_TAGS} tags per genre, among those on at least {FEWEST_MOVIES} movies: "
        "the movies with the tag, those of them with the genre, and how many times as many that is "
        "as for a tag that is independent of the genre. The tags that deviate most from "
        "independence come first."
    )
    return [_table(tags.set_index("genre"), caption)]


def _leaks(analysis: Analysis, filters: Filters) -> Parts:
    tags = analysis.genre_tags
    if tags.empty:
        return ["No tag names or contains a genre."]
    left = tags[~tags["dropped"]]
    uses = tags["movies"].sum()
    right = (tags["precision"] * tags["movies"]).sum()
    parts: Parts = [
        "A tag that is the name of a genre, or contains one, reveals the answer: a model that sees "
        "it reads the genre instead of predicting it, and its scores say nothing about movies "
        "whose genre nobody has typed.",
        f"There are {_count(len(tags), 'such tag')}, used {_count(uses, 'time')}; in "
        f"{_percent(right, uses)} of these uses the movie has the genre that the tag names. The "
        f"filter {filters.drop_genre_tags!r} drops {len(tags) - len(left):,} and keeps "
        f"{len(left):,}"
        + (
            f". The most common one kept is {left['tag'].iloc[0]!r}, on "
            f"{_count(left['movies'].iloc[0], 'movie')}."
            if len(left)
            else "."
        ),
    ]
    shown = tags.set_index("tag").head(N_COMMON)
    caption = (
        f"The {len(shown)} most common. The column precision is the share of the tag's movies that "
        "have the genre, and the column prevalence is the share of all movies that have it. The "
        "larger the difference, the more the tag reveals."
    )
    return [*parts, _table(shown, caption)]


def _no_tag(filters: Filters) -> str:
    return f"No movie has a tag from at least {_count(filters.min_tag_users, 'user')}."


def _table(table: pd.DataFrame, caption: str) -> ReportTable:
    return ReportTable(table.rename(columns=lambda name: name.replace("_", " ")), caption)


def _mean(table: pd.DataFrame) -> float:
    return float((table.index.to_numpy() * table["share"]).sum())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _percent(part: float, whole: float = 1) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _by(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table.sort_values(column, ascending=False, kind="stable")
