"""Which movies train, which validate, which test."""

from sklearn.model_selection import train_test_split


def split_rows(n_rows: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Return row numbers of training, validation and test movies, as the study split them.

    One tenth at random is for validation, then one tenth of the rest for the test.
    """
    rest, validation = train_test_split(range(n_rows), test_size=0.1, random_state=seed)
    train, test = train_test_split(rest, test_size=0.1, random_state=seed)
    return train, validation, test
