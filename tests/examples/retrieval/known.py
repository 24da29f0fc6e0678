"""Known movies and answers."""

import csv
import io

from PIL import Image

from examples.movielens_genres.retrieval._answers import (
    Details,
)
from examples.movielens_genres.retrieval._movies import Movie

URL = "https://tmdb.example/3"

TOY = Details(tmdb_id=862, release_year="1995", language="en", poster_path="/toy.jpg")

TOY_STORY = Movie(1, 'Toy Story, "the" (1995)', "Animation|Comedy", "0114709", "862")

SECOND = Movie(9, "Toy Story again", "", "", "862")

STALE = Movie(2, "Moved", "Drama", "0000002", "999")

LINKED_BY_IMDB = Movie(3, "Old", "Drama", "0000003", "")

NO_LINKS = Movie(4, "Nowhere", "Drama", "", "")


def image(form="JPEG"):
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((20, 30)).save(file, form)
    return file.getvalue()


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
