"""The answer of a saved model for one movie, and why it is that answer."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from multimodal_ensemble import MultimodalClassifier, MultimodalEnsemble, apply_thresholds
from multimodal_ensemble.explanation import Explanation
from multimodal_ensemble.reporting import ReportFigure, ReportTable, write_html_report

from ...report import Part, Report, Section
from .._errors import DataError, UsageError
from .._files import read_json
from ..data import COLUMNS_BY_OPTION, make_movie
from ..options import PredictOptions
from ._report import RESULTS_FILE
from ._saved_models import list_saved_models, load_model, read_background

# What the columns of the table are called in texts.
NAMES = {column: name for name, columns in COLUMNS_BY_OPTION.items() for column in columns}
N_PARTS = 5
NOTE = (
    "All numbers are log-odds. Base and contributions add up to the log-odds of the score. A "
    "contribution says what the model does, not what causes a genre."
)


def predict_movie(options: PredictOptions) -> Report:
    """Return the genres of a movie and their explanation; write the page if one is asked for.

    Raises
    ------
    DataError
        If the run has no models, or was stopped and no model is chosen.
    UsageError
        If there is no such model, or it needs more of the movie than is given.
    """
    files = list_saved_models(options.run)
    if not files:
        msg = f"{str(options.run)!r} has no saved models; name a folder that the command run wrote."
        raise DataError(msg)
    name = options.model or _choose_model(options.run, list(files))
    if name not in files:
        msg = f"--model {name!r} is none of the saved models: {', '.join(map(repr, files))}."
        raise UsageError(msg)
    model = load_model(files[name])
    title = options.movie.get("title") or "A movie"
    # Figures name the row.
    movie = make_movie(options.movie).set_axis([title])
    _check_given(model, name, movie)
    explanation = model.explain(movie, background=read_background(options.run))
    scores = _list_scores(model, explanation)
    predicted = scores.index[scores["predicted"] == "yes"].tolist()
    shown = predicted or scores.index[:1].tolist()
    answer = ", ".join(predicted) or "none; no score reaches its threshold"
    sections = [
        Section(
            "Genres",
            [
                f"Predicted genres: {answer}.",
                ReportTable(scores, "Scores and thresholds"),
                "A genre is predicted if its score is at least its threshold.",
            ],
        ),
        Section(
            "Why",
            [
                NOTE,
                ReportTable(_list_contributions(explanation, scores.index), "By modality"),
                ReportTable(_list_parts(explanation, shown), "What moves the score most"),
                *_describe_unknown_tags(explanation, movie),
            ],
        ),
        Section("How it was made", [f"Model: {name}.", f"Command: `{options.command}`."]),
    ]
    report = Report(title, sections)
    if options.page is not None:
        pictures = _draw(model, explanation, movie, shown)
        parts = {section.heading: section.parts for section in sections}
        write_html_report(options.page, report.title, {**parts, "Why": [*parts["Why"], *pictures]})
    return report


def _choose_model(run: Path, names: Sequence[str]) -> str:
    """Return the saved model that was best before the test."""
    path = run / RESULTS_FILE
    if not path.is_file():
        msg = (
            f"The run {str(run)!r} has no {RESULTS_FILE}, so that it is not known which model is "
            f"best; choose one with --model: {', '.join(map(repr, names))}."
        )
        raise DataError(msg)
    before = read_json(path, "roc_auc_before_the_test")
    # A file may have been added since.
    return max(names, key=lambda name: before.get(name, -math.inf))


def _check_given(
    model: MultimodalClassifier | MultimodalEnsemble, name: str, movie: pd.DataFrame
) -> None:
    needed = {
        NAMES[column]
        for encoder in model.encoders_
        for column in encoder.columns
        if not encoder.optional and column not in movie
    }
    if needed:
        options = [f"--{option}" for option in COLUMNS_BY_OPTION if option in needed]
        them = "it" if len(options) == 1 else "them"
        msg = (
            f"The model {name!r} needs {' and '.join(options)}; pass {them}, or choose another "
            "--model."
        )
        raise UsageError(msg)


def _list_scores(
    model: MultimodalClassifier | MultimodalEnsemble, explanation: Explanation
) -> pd.DataFrame:
    """Return score and threshold of each genre, predicted genres first."""
    y_score = explanation.scores["score"].to_numpy()
    predicted = apply_thresholds(y_score[np.newaxis], model.thresholds_)[0]
    table = pd.DataFrame(
        {
            "score": y_score.round(3),
            "threshold": [*map(_describe_threshold, model.thresholds_)],
            "predicted": np.where(predicted, "yes", ""),
        },
        index=pd.Index(explanation.labels, name="genre"),
    )
    return table.sort_values(["predicted", "score"], ascending=False)


def _describe_threshold(threshold: float) -> str:
    return f"{threshold:.3f}" if np.isfinite(threshold) else "never" if threshold > 0 else "always"


def _list_contributions(explanation: Explanation, genres: Sequence[str]) -> pd.DataFrame:
    """Return what each input adds to the log-odds of each genre."""
    scores = explanation.scores.set_index("label")
    table = (
        explanation.modalities.assign(modality=_name_inputs(explanation.modalities["columns"]))
        .pivot_table(
            index="label", columns="modality", values="contribution", aggfunc="sum", sort=False
        )
        .astype(float)
    )
    table.insert(0, "base", scores["base"])
    table["log-odds"] = scores["log_odds"]
    signed = table.map("{:+.2f}".format)
    return signed.loc[genres].rename_axis(index="genre", columns=None)


def _list_parts(explanation: Explanation, genres: Sequence[str]) -> pd.DataFrame:
    """Return the tags, words and other inputs that move the scores of genres most."""
    tables = (explanation.modalities, explanation.tokens, explanation.columns)
    n_parts = sum(map(len, tables))
    parts = {}
    for genre in genres:
        every = explanation.top(explanation.rows[0], genre, n_parts)
        every["input"] = _name_inputs(every["columns"])
        # Several networks may see the poster.
        every["part"] = every["part"].where(every["input"] != "poster", "poster")
        added = every.groupby(["part", "input"], sort=False, as_index=False)["contribution"].sum()
        top = added.sort_values("contribution", key=abs, ascending=False, kind="stable")
        parts[genre] = ", ".join(
            f"{part} {value:+.2f}"
            for part, value in zip(top["part"][:N_PARTS], top["contribution"], strict=False)
        )
    return pd.DataFrame({"contributions": parts}).rename_axis("genre")


def _name_inputs(columns: pd.Series) -> list[str]:
    return [", ".join(NAMES.get(each, each) for each in names.split(", ")) for names in columns]


def _describe_unknown_tags(explanation: Explanation, movie: pd.DataFrame) -> list[Part]:
    """Return a sentence on tags that the model does not know, if there are any."""
    tokens = explanation.tokens[explanation.tokens["columns"] == "tags"]["token"]
    if "tags" not in movie or tokens.empty:
        return []
    unknown = [tag for tag in movie["tags"].iloc[0] if tag not in set(tokens)]
    return [f"The model does not know these tags: {', '.join(unknown)}."] if unknown else []


def _draw(
    model: MultimodalClassifier | MultimodalEnsemble,
    explanation: Explanation,
    movie: pd.DataFrame,
    genres: Sequence[str],
) -> list[Part]:
    """Return the figures of the page: contributions, and what in the poster speaks for a genre."""
    figures: list[Part] = [
        ReportFigure(
            explanation.plot(movie.index[0], genre),
            alt=f"Bars: what moves the score of {genre}, as in the tables.",
            caption=f"What moves the score of {genre}",
        )
        for genre in genres
    ]
    if any("poster_file" in encoder.columns for encoder in model.encoders_):
        (image_map,) = model.explain_image(movie, genres[0])
        figures.append(
            ReportFigure(
                image_map.plot(),
                alt=f"The poster, and which of its regions speak for {genres[0]}.",
                caption=f"Where in the poster: {genres[0]}. A region counts by how far the "
                "log-odds fall if it is covered.",
            )
        )
    return figures
