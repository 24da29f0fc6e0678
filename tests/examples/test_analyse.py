"""The command analyse: its tables against loops, and the page that it writes."""

import collections
import csv
import html
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from examples.movielens_genres.analysis import analyse, write_analysis
from examples.movielens_genres.data import Filters, normalize_tag, prepare_movies, read_folder

MOVIES_FILE = "extended_movie_data_with_local_files.csv"
GENRES = ["Drama", "Comedy|Drama", "Comedy", "Drama|Thriller", "Thriller|Crime", "Western|Drama"]
LANGUAGES = ["en", "en", "en", "en", "", "<fr>"]
TAGS = ["space & <time>", "lonely", "Dark Comedy", "drama", "a $5 bet", "café"]
FILTERS = Filters(min_tag_users=1)


def write_data(folder, *, n_movies=130, genres=GENRES, years=range(1990, 2003), tags=TAGS):
    """Write movies and tags from which every filter drops something."""
    folder.mkdir()
    places = zip(
        range(n_movies), itertools.cycle(genres), itertools.cycle(years), itertools.cycle(LANGUAGES)
    )
    with (folder / MOVIES_FILE).open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        write(["movieId", "title", "genres", "release_year", "language", "poster_file"])
        for number, genre, year, language in places:
            known = "<b>2000</b>" if number == 7 else year
            write([number, f"Movie {number}", genre, known, language, ""])
    with (folder / "tags.csv").open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        write(["userId", "movieId", "tag"])
        for number, tag in enumerate(tags):
            for movie in range(number, n_movies, number + 2):
                write([1, movie, tag])
                write([2, movie, tag.upper()])
                write([3, movie, tag])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("movies") / "data")


@pytest.fixture(scope="module")
def out(folder):
    """Run the command in its own process, to check what it imports."""
    out = folder.parent / "out"
    code = (
        "import sys; from examples.movielens_genres.__main__ import main; "
        "status = main(sys.argv[1:]); "
        "loaded = {'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else status)"
    )
    arguments = ["analyse", "--data", folder, "--out", out, "--min-tag-users", "1"]
    # Old versions may use what newer packages deprecate.
    warnings = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    command = [sys.executable, *warnings, "-c", code, *arguments]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    return out


@pytest.fixture(scope="module")
def rows(folder):
    with (folder / MOVIES_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def left(rows):
    """The movies that the filters leave, computed by hand: Western and Crime are too rare."""
    late = [
        row
        for row in rows
        if row["language"] == "en" and row["movieId"] != "7" and int(row["release_year"]) >= 1995
    ]
    counts = collections.Counter(genre for row in late for genre in row["genres"].split("|"))
    kept = {genre for genre, count in counts.items() if count >= 0.05 * counts.total()}
    movies = {row["movieId"]: kept.intersection(row["genres"].split("|")) for row in late}
    return {movie: genres for movie, genres in movies.items() if genres}


@pytest.fixture(scope="module")
def tags_of(folder, left):
    tags = {movie: set() for movie in left}
    with (folder / "tags.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            tag = normalize_tag(row["tag"])
            if row["movieId"] in tags and tag != "drama":
                tags[row["movieId"]].add(tag)
    return tags


def read(out, name):
    return pd.read_csv(out / f"{name}.csv", index_col=0, keep_default_na=False)


@pytest.mark.slow
def test_years_are_counted_before_and_after_the_filters(out, rows, left):
    known = collections.Counter(int(row["release_year"]) for row in rows if row["movieId"] != "7")
    after = collections.Counter(int(row["release_year"]) for row in rows if row["movieId"] in left)
    table = read(out, "years")
    assert table["movies"].to_dict() == known
    assert table["left"].to_dict() == {year: after[year] for year in sorted(known)}
    assert "1 movie without a known year: not shown." in (out / "analysis.html").read_text("utf-8")


@pytest.mark.slow
def test_languages_are_counted_and_the_kept_one_is_marked(out, rows):
    counts = collections.Counter(row["language"] or "unknown" for row in rows)
    table = read(out, "languages")
    assert table["movies"].to_dict() == counts
    assert table["share"].to_list() == pytest.approx([n / len(rows) for n in table["movies"]])
    assert table["movies"].is_monotonic_decreasing
    assert table.index[table["kept"]].to_list() == ["en"]


@pytest.mark.slow
def test_genres_are_counted_before_between_and_after(out, rows, left):
    table = read(out, "genres")
    before = collections.Counter(genre for row in rows for genre in row["genres"].split("|"))
    after = collections.Counter(genre for genres in left.values() for genre in genres)
    assert table["in_data"].to_dict() == before
    assert table["left"].to_dict() == {genre: after[genre] for genre in table.index}
    assert set(table.index[table["kept"]]) == set(after)
    assert 0 < len(after) < len(before)
    for stage in ("in_data", "filtered", "left"):
        shares = table[stage] / table[stage].sum()
        assert table[f"{stage}_share"].to_list() == pytest.approx(shares.to_list())


@pytest.mark.slow
def test_tags_are_counted_from_the_common_to_the_rare(out, tags_of):
    counts = collections.Counter(tag for tags in tags_of.values() for tag in tags)
    table = read(out, "tags")
    assert table["movies"].to_dict() == counts
    assert table["movies"].is_monotonic_decreasing
    assert table["share"].to_list() == pytest.approx([n / len(tags_of) for n in table["movies"]])
    rarity = collections.Counter(counts.values())
    assert read(out, "rarity")["tags"].to_dict() == rarity
    typed = read(out, "typed_tags")["movies"]
    assert typed["Dark Comedy"] == typed["DARK COMEDY"] == len(range(2, 130, 4))


@pytest.mark.slow
def test_tags_and_genres_per_movie_are_counted_with_gaps_as_zeros(out, tags_of, left):
    for name, lists in {"tags_per_movie": tags_of, "genres_per_movie": left}.items():
        lengths = collections.Counter(len(values) for values in lists.values())
        table = read(out, name)
        assert table["movies"].to_dict() == {
            length: lengths[length] for length in range(max(lengths) + 1)
        }
        assert table["share"].sum() == pytest.approx(1)


@pytest.mark.slow
def test_pairs_of_genres_are_counted(out, left):
    count, share = read(out, "cooccurrence"), read(out, "cooccurrence_share")
    for one, other in itertools.product(count.index, count.columns):
        both = sum(one in genres and other in genres for genres in left.values())
        assert count.loc[one, other] == both
        assert share.loc[one, other] == pytest.approx(both / count.loc[one, one])


@pytest.mark.slow
def test_the_page_shows_each_figure_with_numbers_of_the_tables(out, rows, left):
    page = (out / "analysis.html").read_text(encoding="utf-8")
    assert page.count("<section ") == 9
    assert page.count("<img ") == 10
    assert page.count(" alt='") == 10
    share = f"{100 * len(left) / len(rows):.1f} %"
    assert f"Of {len(rows)} movies in the data, the filters leave {len(left)} ({share})." in page
    most = read(out, "genres")["in_data"]
    assert f"{most.index[0]} is the most common ({most.iloc[0]} movies)" in page
    assert {path.stem for path in out.glob("*.csv")} >= {"findings", "genre_tags", "movies_left"}


@pytest.mark.slow
def test_nothing_in_the_data_becomes_html(out):
    page = (out / "analysis.html").read_text(encoding="utf-8")
    # These are a language, and an example of a problem in the files.
    for text in ("<fr>", "<b>2000</b>"):
        assert html.escape(text) in page
        assert text not in page


@pytest.mark.slow
def test_tags_that_mark_a_genre_occur_with_it_more_often_than_expected(out, left, tags_of):
    table = pd.read_csv(out / "marking_tags.csv", keep_default_na=False)
    assert set(table["genre"]) <= set().union(*left.values())
    assert table.groupby("genre").size().max() <= 8
    assert len(table) > 3
    for row in table.itertuples():
        movies = [movie for movie, tags in tags_of.items() if row.tag in tags]
        both = [movie for movie in movies if row.genre in left[movie]]
        prevalence = sum(row.genre in genres for genres in left.values()) / len(left)
        assert (row.movies, row.with_genre) == (len(movies), len(both))
        assert row.times == pytest.approx(len(both) / (len(movies) * prevalence))
        assert row.times > 1


@pytest.mark.slow
def test_movies_without_a_genre_are_no_genre(tmp_path):
    folder = write_data(tmp_path / "data", genres=["Drama", "(no genres listed)", "Comedy"])
    movies = prepare_movies(read_folder(folder), FILTERS, modalities=())
    analysis = analyse(read_folder(folder), movies, FILTERS)
    page = write_analysis(tmp_path, analysis, movies, FILTERS, [])
    text = page.read_text(encoding="utf-8")
    assert "Before the filters: 2 genres, and 43 movies without a genre. Drama is" in text
    assert "2 genres with at least 5 % of the" in text
    assert "kept, 0 dropped." in text
    assert "Pairs that never occur together: 1 of 1." in text


@pytest.mark.slow
def test_tags_that_reveal_a_genre_are_shown(out):
    page = html.unescape((out / "analysis.html").read_text(encoding="utf-8"))
    assert "There are 2 such tags, used " in page
    assert "drops 1 and keeps 1. The most common one kept is 'dark comedy'" in page
    assert "<th scope='row'>dark comedy</th><td>Comedy</td><td>within</td>" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "filters", "says"),
    [
        ({"tags": []}, FILTERS, "No movie has a tag from at least 1 user."),
        (
            {"genres": ["Drama"], "years": [2000], "tags": ["drama"]},
            Filters(min_tag_users=1, language="all"),
            "Only one genre is kept, so there are no pairs of genres.",
        ),
    ],
    ids=["no tag", "one genre, one year, all languages"],
)
def test_a_page_can_be_written_with_little_data(tmp_path, data, filters, says):
    folder = write_data(tmp_path / "data", **data)
    movies = prepare_movies(read_folder(folder), filters, modalities=())
    analysis = analyse(read_folder(folder), movies, filters)
    page = write_analysis(tmp_path, analysis, movies, filters, ["A note."])
    text = page.read_text(encoding="utf-8")
    assert f"<p>{says}</p>" in text
    assert "<p>A note.</p>" in text
    assert not re.search(r"\bnan\b", re.sub(r"src='[^']*'", "", text), re.IGNORECASE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--data", "nowhere"], "The data folder 'nowhere' does not exist."),
        (["--min-year", "2100"], "Too few movies"),
        (["--min-tag-users", "0"], "--min-tag-users must be at least 1, not 0."),
    ],
)
def test_unusable_data_is_reported_in_one_sentence(folder, change, message, check_refused):
    check_refused(["analyse", "--data", folder, "--out", "out", *change], message)
