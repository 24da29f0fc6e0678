"""Reading TMDB's answers."""

import pytest

from examples.movielens_genres.retrieval import (
    is_safe,
)
from examples.movielens_genres.retrieval._answers import (
    Configuration,
    Details,
    check_success,
    read_configuration,
    read_details_of,
    read_found,
)
from examples.movielens_genres.retrieval._errors import (
    KeyRefusedError,
    UnansweredError,
)

from .known import TOY


def answer(**values):
    given = {
        "id": 862,
        "release_date": "1995-10-30",
        "original_language": "en",
        "poster_path": "/toy.jpg",
    }
    return given | values


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({}, {}),
        ({"release_date": ""}, {"release_year": ""}),
        ({"release_date": None}, {"release_year": ""}),
        ({"original_language": None}, {"language": ""}),
        ({"poster_path": None}, {"poster_path": ""}),
        ({"title": 5}, {}),
    ],
)
def test_details_are_read(values, changed):
    assert read_details_of("862", answer(**values)) == Details(**(TOY.__dict__ | changed))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"id": 863}, "about another movie"),
        ({"id": True}, "'id'"),
        ({"id": "862"}, "'id'"),
        ({"id": 10**30}, "'id'"),
        ({"release_date": 1995}, "'release_date'"),
        ({"release_date": "soon"}, "'release_date'"),
        ({"release_date": "\u0661\u0669\u0669\u0665-10-30"}, "'release_date'"),
        ({"original_language": ["en"]}, "'original_language'"),
        ({"original_language": "\ud800"}, "'original_language'"),
        ({"poster_path": "/../key"}, "'poster_path'"),
        ({"poster_path": "//other.example/a.jpg"}, "'poster_path'"),
        ({"poster_path": "/a.jpg\n"}, "'poster_path'"),
        ({"poster_path": "/a.jpg?b"}, "'poster_path'"),
        ({"poster_path": f"/{'a' * 97}.jpg"}, "'poster_path'"),
    ],
)
def test_details_of_another_shape_are_rejected(values, message):
    with pytest.raises(UnansweredError, match=message):
        read_details_of("862", answer(**values))


@pytest.mark.parametrize("secure", [{}, {"secure_base_url": ""}, {"secure_base_url": None}])
def test_the_plain_address_of_images_is_used_if_it_is_safe(secure):
    sizes = {"poster_sizes": ["w185"], **secure}
    answer = {"images": {"base_url": "https://image.example/t/p/", **sizes}}
    assert read_configuration(answer).image_url == "https://image.example/t/p"
    with pytest.raises(UnansweredError):
        read_configuration({"images": {"base_url": "http://image.example/t/p/", **sizes}})


@pytest.mark.parametrize("name", ["id", "release_date", "original_language", "poster_path"])
def test_details_that_lack_a_key_are_rejected(name):
    given = answer()
    del given[name]
    with pytest.raises(UnansweredError, match=f"'{name}'"):
        read_details_of("862", given)


def test_found_movies_are_read():
    without_date = answer()
    del without_date["release_date"]
    assert read_found({"movie_results": []}) is None
    assert read_found({"movie_results": [answer(), answer(id=1)]}) == TOY
    assert read_found({"movie_results": [without_date]}).release_year == ""
    for wrong in ({}, {"movie_results": None}, {"movie_results": [5]}, {"movie_results": {}}):
        with pytest.raises(UnansweredError, match="'movie_results'"):
            read_found(wrong)


def test_the_configuration_is_read():
    images = {"secure_base_url": "https://images.example/t/p/", "poster_sizes": ["w92", "original"]}
    expected = Configuration("https://images.example/t/p", ("w92", "original"))
    assert read_configuration({"images": images}) == expected
    for wrong in (
        {"secure_base_url": "http://images.example/t/p/"},
        {"secure_base_url": "https://images.example/\u2028"},
        {"poster_sizes": "w92"},
        {"poster_sizes": ["w92", 5]},
        {"poster_sizes": ["../w92"]},
    ):
        with pytest.raises(UnansweredError, match="JSON without a proper"):
            read_configuration({"images": images | wrong})


def test_an_error_with_status_200_is_rejected():
    check_success(answer())
    with pytest.raises(UnansweredError, match="an error instead of the data"):
        check_success({"success": False, "status_code": 11})
    with pytest.raises(KeyRefusedError):
        check_success({"success": False, "status_code": 7})


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://api.themoviedb.org/3", True),
        ("http://localhost:80/3", True),
        ("http://127.0.0.7/3", True),
        ("http://[::1]:8/3", True),
        ("http://api.themoviedb.org/3", False),
        ("http://127.0.0.1.example/3", False),
        ("http://localhost.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_https_and_local_addresses_are_safe(url, safe):
    assert is_safe(url) == safe
