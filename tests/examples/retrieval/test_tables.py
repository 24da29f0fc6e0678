"""Posters, questions, and the tables that are written."""

import pandas as pd
import pytest

from examples.movielens_genres.data import MOVIES_FILE, TAGS_FILE
from examples.movielens_genres.retrieval._answers import (
    Details,
)
from examples.movielens_genres.retrieval._errors import (
    UnansweredError,
)
from examples.movielens_genres.retrieval._journal import (
    Poster,
)
from examples.movielens_genres.retrieval._movies import Movie, Question, list_movies, look_up
from examples.movielens_genres.retrieval._posters import PosterFolder, check_image
from examples.movielens_genres.retrieval._table import MISSING_FILE, write_tables, write_tags

from .known import LINKED_BY_IMDB, NO_LINKS, SECOND, STALE, TOY, TOY_STORY, image, read_csv


def test_posters_are_written_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    (folder / ".7.jpg.tmp").write_bytes(b"half")
    posters = PosterFolder(folder)
    content = image()
    assert posters.write("1.jpg", content) == Poster("1.jpg", len(content))
    assert posters.sizes() == {"1.jpg": len(content)}
    assert posters.find("1.jpg") == Poster("1.jpg", len(content))
    assert posters.find("2.jpg") is None
    (folder / "2.jpg").write_bytes(content[:-200])
    assert posters.find("2.jpg") is None
    with pytest.raises(OSError, match="File name too long"):
        posters.write("x" * 300, content)
    assert sorted(posters.sizes()) == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/toy.jpg", "toy-w92.jpg"),
        ("/toy-w92.jpg", "toy-w92-w92.jpg"),
        ("/a.b.png", "a.b-w92.png"),
        ("/toy", "toy-w92"),
    ],
)
def test_a_poster_is_named_after_its_path_and_size(path, file):
    assert PosterFolder.name(path, "w92") == file


def test_images_of_any_format_are_accepted():
    assert check_image(image("PNG")) == image("PNG")
    for content in (b"", b"<html></html>", image()[:-100], image("PNG")[:-60]):
        with pytest.raises(UnansweredError, match="something other than an image"):
            check_image(content)


def test_the_next_question_depends_on_the_answers(journal):
    assert look_up(STALE, journal).question == Question("movie", "999")
    journal.keep_answer("movie/999", None)
    assert look_up(STALE, journal).question == Question("find", "tt0000002")
    journal.keep_answer("find/tt0000002", TOY)
    assert look_up(STALE, journal).question == Question("poster", "/toy.jpg")
    # Another movie with the same poster does not need to ask for it.
    journal.keep_poster("/toy.jpg", Poster("toy-w92.jpg", 55))
    journal.keep_answer("movie/862", TOY)
    assert look_up(TOY_STORY, journal).question is None
    assert look_up(TOY_STORY, journal).poster_file == "posters/toy-w92.jpg"
    assert look_up(LINKED_BY_IMDB, journal).question == Question("find", "tt0000003")
    assert look_up(NO_LINKS, journal).question is None


def test_tables_become_movies():
    movies = pd.DataFrame({"movieId": [1], "title": ["A"], "genres": ["B"]})
    links = pd.DataFrame({"movieId": [1], "imdbId": ["0000007"], "tmdbId": [""]})
    assert list_movies(movies, links) == [Movie(1, "A", "B", "0000007", "")]


def test_the_tables_list_answers_and_gaps(journal, tmp_path):
    no_poster, no_year = Movie(5, "B", "", "", "5"), Movie(6, "C", "", "", "6")
    lost, failed = Movie(7, "D", "", "", "7"), Movie(8, "E", "", "", "8")
    journal.keep_answer("movie/862", TOY)
    journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
    journal.keep_answer("find/tt0000003", None)
    journal.keep_answer("movie/5", Details(5, "2001", "en", ""))
    journal.keep_answer("movie/6", Details(6, "", "", "/toy.jpg"))
    journal.keep_answer("movie/7", Details(7, "2002", "fr", "/lost.jpg"))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    movies = [TOY_STORY, STALE, LINKED_BY_IMDB, NO_LINKS, no_poster, no_year, lost, failed, SECOND]
    failures = {Question("movie", "8"): "HTTP status 500"}
    summary = write_tables(tmp_path, movies, journal, failures)
    header, *rows = read_csv(tmp_path / MOVIES_FILE)
    assert ",".join(header) == "movieId,title,genres,tmdbId,release_year,language,poster_file"
    title = 'Toy Story, "the" (1995)'
    assert rows == [
        ["1", title, "Animation|Comedy", "862", "1995", "en", "posters/1.jpg"],
        ["2", "Moved", "Drama", "999", "", "", ""],
        ["3", "Old", "Drama", "", "", "", ""],
        ["4", "Nowhere", "Drama", "", "", "", ""],
        ["5", "B", "", "5", "2001", "en", ""],
        ["6", "C", "", "6", "", "", "posters/1.jpg"],
        ["7", "D", "", "7", "2002", "fr", ""],
        ["8", "E", "", "8", "", "", ""],
        ["9", "Toy Story again", "", "862", "1995", "en", "posters/1.jpg"],
    ]
    assert read_csv(tmp_path / MISSING_FILE) == [
        ["movieId", "title", "reason"],
        ["2", "Moved", "not asked yet"],
        ["3", "Old", "not on TMDB"],
        ["4", "Nowhere", "no link to TMDB or IMDb"],
        ["5", "B", "no poster on TMDB"],
        ["6", "C", "no release date on TMDB; no language on TMDB"],
        ["7", "D", "poster not found (404)"],
        ["8", "E", "not answered: HTTP status 500"],
    ]
    assert (summary.movies, summary.with_poster, summary.unanswered) == (9, 3, 2)
    lines = summary.lines()
    assert lines[0].split() == ["movies", "9"]
    assert "not answered: HTTP status 500        1  8 E" in lines
    assert not list(tmp_path.glob(".*"))


def test_a_summary_shows_examples(journal, tmp_path):
    movies = [Movie(number, f"M\x1b{number}", "", "", "") for number in range(1500)]
    lines = write_tables(tmp_path, movies, journal, {}).lines()
    assert lines[-1] == "no link to TMDB or IMDb    1,500  0 M?0; 1 M?1; 2 M?2; …"


def test_a_failed_table_keeps_the_old_one(journal, tmp_path):
    (tmp_path / MOVIES_FILE).write_text("old")

    def movies():
        yield TOY_STORY
        raise OSError(28, "No space left")

    with pytest.raises(OSError, match="No space left"):
        write_tables(tmp_path, movies(), journal, {})
    assert (tmp_path / MOVIES_FILE).read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_tags_are_written_in_the_layout_of_movielens(tmp_path):
    tags = pd.DataFrame({"userId": [1, 2], "movieId": [3, 4], "tag": ['a, "b"', "NA"], "more": 0})
    write_tags(tmp_path, tags)
    assert (tmp_path / TAGS_FILE).read_bytes() == b'userId,movieId,tag\n1,3,"a, ""b"""\n2,4,NA\n'
