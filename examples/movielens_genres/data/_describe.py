"""The effect of the filters, as tables for the screen."""

from ._prepare import MovieData

N_GENRE_TAGS = 8


def describe_data(data: MovieData) -> str:
    """Return the problems in the files and what each filter leaves, as text."""
    tables = []
    if not (findings := data.findings.table()).empty:
        tables.append("Found in the files:\n" + findings.to_string(index=False))
    tables += [data.steps.to_string(), data.tag_steps.to_string(), data.genre_counts.to_string()]
    if not data.genre_tags.empty:
        n_dropped = int(data.genre_tags["dropped"].sum())
        tables.append(
            f"{len(data.genre_tags)} tags contain the name of a genre; {n_dropped} of them are "
            "dropped (--drop-genre-tags exact, within or none). The most frequent ones, with their "
            "number of movies, and the share of these movies and of all movies that have the "
            "genre:\n"
            + data.genre_tags.head(N_GENRE_TAGS).to_string(
                index=False, float_format="{:.2f}".format
            )
        )
    return "\n\n".join(tables)
