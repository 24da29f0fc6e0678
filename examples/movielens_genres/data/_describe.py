"""Tables for the screen of what became of the data."""

from ._prepare import MovieData

N_GENRE_TAGS = 8


def describe_data(data: MovieData) -> str:
    """Return what was wrong, and what each filter left, as text."""
    tables = []
    if not (findings := data.findings.table()).empty:
        tables.append("Found in the files:\n" + findings.to_string(index=False))
    tables += [data.steps.to_string(), data.tag_steps.to_string(), data.genre_counts.to_string()]
    if not data.genre_tags.empty:
        n_dropped = int(data.genre_tags["dropped"].sum())
        tables.append(
            f"{len(data.genre_tags)} tags have a genre's name in them, {n_dropped} of which are "
            "dropped (--drop-genre-tags exact, within or none). The most frequent, how many "
            "movies have them, and how many of these movies, and of all, have the genre:\n"
            + data.genre_tags.head(N_GENRE_TAGS).to_string(
                index=False, float_format="{:.2f}".format
            )
        )
    return "\n\n".join(tables)
