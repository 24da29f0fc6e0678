"""A table of tags, numbers, categories and labels, and estimators that were fitted to it."""

import numpy as np
import pandas as pd

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DenseEncoder,
    TagEmbeddingEncoder,
)

TAGS = ["space opera", "war", "love", "paris", "robot war", "rain"]
N_TRAIN = 90


def make_table(n_rows=120):
    generator = np.random.default_rng(0)
    n_tags = generator.integers(0, 4, n_rows)
    table = pd.DataFrame(
        {
            "tags": [list(generator.choice(TAGS, size=n, replace=False)) for n in n_tags],
            "year": generator.normal(2000, 10, n_rows),
            "minutes": generator.normal(100, 10, n_rows),
            "country": generator.choice(["FR", "US"], n_rows),
        },
        index=[f"film {number}" for number in range(n_rows)],
    )
    labels = pd.DataFrame(
        {
            "Action": ["war" in tags or "robot war" in tags for tags in table["tags"]],
            "Romance": ["love" in tags for tags in table["tags"]],
            "New": (table["year"] > 2000) ^ (generator.random(n_rows) < 0.1),
        },
        index=table.index,
    )
    return table, labels.astype(int)


def make_encoders(*, optional=False):
    return [
        BagOfWordsEncoder("tags", optional=optional),
        TagEmbeddingEncoder("meaning", column="tags", dim=4, optional=optional),
        DenseEncoder("numbers", column=["year", "minutes"], optional=optional),
        CategoryEncoder("country", optional=optional),
    ]
