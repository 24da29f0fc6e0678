"""Figures of training histories, results and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from multimodal_ensemble._figures import new_figure, shorten
from multimodal_ensemble._text import metric_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Their lengths have no common factor, so that many curves have distinct pairs.
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def plot_histories(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot loss, validation ROC-AUC and validation accuracy during training.

    Parameters
    ----------
    histories : mapping of str to DataFrame
        `FitResult.history` of each model, by the name of the model.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels with one curve per model. Curves differ in dashes and markers as well as in
        colour. The marker is at the evaluation with the best validation ROC-AUC.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_histories
    >>> history = pd.DataFrame({"step": [10, 20], "loss": [0.6, 0.5],
    ...                         "mean_roc_auc": [0.6, 0.7],
    ...                         "mean_accuracy": [0.7, 0.8]})
    >>> len(plot_histories({"tags": history}).axes)
    3
    """
    panels = {
        "loss": "Training loss (moving average)",
        "mean_roc_auc": "Validation mean ROC-AUC",
        "mean_accuracy": "Validation mean accuracy",
    }
    figure = new_figure(12, 4.2)
    axes = figure.subplots(1, len(panels))
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        for number, (name, history) in enumerate(histories.items()):
            axis.plot(
                history["step"],
                history[column],
                label=name,
                linestyle=_DASHES[number % len(_DASHES)],
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=8,
                markevery=[int(history["mean_roc_auc"].to_numpy().argmax())],
            )
        axis.set_title(title)
        axis.set_xlabel("batches")
        axis.grid(alpha=0.3)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(3, len(names)),
        title="markers: best validation ROC-AUC",
    )
    return figure


def plot_comparison(
    table: pd.DataFrame,
    *,
    spread: pd.DataFrame | None = None,
    columns: Sequence[str] = ("mean_roc_auc", "mean_accuracy"),
) -> Figure:
    """Plot the scores of models as dots on an axis that shows their differences.

    Parameters
    ----------
    table : DataFrame
        One row per model, for example from `compare_models`.
    spread : DataFrame, optional
        Standard deviations in the same shape, drawn as error bars.
    columns : sequence of str, default=("mean_roc_auc", "mean_accuracy")
        The columns to plot.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per column. The axes do not begin at 0.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_comparison
    >>> table = pd.DataFrame(
    ...     {"mean_roc_auc": [0.7, 0.8]}, index=["tags", "posters and tags"])
    >>> len(plot_comparison(table, columns=["mean_roc_auc"]).axes)
    1
    """
    figure = new_figure(2 + 5 * len(columns), 1 + 0.4 * len(table))
    axes = np.atleast_1d(figure.subplots(1, len(columns), sharey=True))
    positions = np.arange(len(table))[::-1]
    for axis, column in zip(axes, columns, strict=True):
        error = None if spread is None else spread[column]
        axis.errorbar(
            table[column], positions, xerr=error, fmt="o", color="#4878a8", ecolor="#333333"
        )
        for position, value in zip(positions, table[column], strict=True):
            axis.annotate(
                f"{value:.3f}",
                (value, position),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
        axis.set_yticks(positions, table.index)
        axis.set_ylim(-0.6, len(table) - 0.3)
        axis.margins(x=0.12)
        axis.set_xlabel(metric_title(column))
        axis.grid(axis="x", alpha=0.3)
    return figure


def plot_trials(trials: pd.DataFrame) -> Figure:
    """Plot the scores of the trials of a search, and the best score so far.

    Parameters
    ----------
    trials : DataFrame
        `TuningResult.trials`. Failed trials have no score and are left out.

    Returns
    -------
    matplotlib.figure.Figure
        One panel. Pruned trials are hollow, because they have the scores of few folds.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_trials
    >>> trials = pd.DataFrame({"number": [0, 1, 2], "score": [0.7, 0.8, 0.6],
    ...                        "state": ["complete", "complete", "pruned"]})
    >>> len(plot_trials(trials).axes)
    1
    """
    figure = new_figure(7, 4)
    axis = figure.subplots()
    complete = trials[trials["state"] == "complete"]
    pruned = trials[trials["state"] == "pruned"]
    axis.step(
        complete["number"], complete["score"].cummax(), where="post", color="#333333", label="best"
    )
    axis.plot(complete["number"], complete["score"], "o", color="#4878a8", label="complete")
    axis.plot(pruned["number"], pruned["score"], "o", color="#4878a8", mfc="none", label="pruned")
    axis.set_xlabel("trial")
    axis.set_ylabel("score")
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def plot_predictions(
    images: Sequence[Any],
    titles: Sequence[str],
    true_labels: Sequence[Sequence[str]],
    predicted_labels: Sequence[Sequence[str]],
) -> Figure:
    """Show images with their true and predicted labels; errors are marked.

    Parameters
    ----------
    images : sequence of n ndarrays of shape (height, width, 3)
        RGB, uint8.
    titles : sequence of n str
        Title above each image.
    true_labels, predicted_labels : sequence of n sequences of str
        Names of the labels of each image.

    Returns
    -------
    matplotlib.figure.Figure
        Up to four images per row. The predictions are marked as by `mark_predictions`.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.reporting import plot_predictions
    >>> image = np.zeros((3, 2, 3), dtype="uint8")
    >>> figure = plot_predictions([image], ["Heat"], [["Crime"]],
    ...                           [["Crime", "Drama"]])
    >>> len(figure.axes)
    1
    """
    per_row = min(4, len(images))
    n_rows = -(-len(images) // per_row)
    figure = new_figure(2.8 * per_row, 5.2 * n_rows)
    axes = np.atleast_1d(figure.subplots(n_rows, per_row)).ravel()
    for axis in axes[len(images) :]:
        axis.remove()
    for axis, image, title, true, predicted in zip(
        axes, images, titles, true_labels, predicted_labels, strict=False
    ):
        axis.imshow(image)
        axis.set_title(shorten(title, 30), fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
        marked = mark_predictions(true, predicted)
        caption = f"true: {_join_labels(true)}\npredicted: {_join_labels(marked)}"
        axis.set_xlabel(caption, fontsize=9, wrap=True)
    return figure


def mark_predictions(true: Sequence[str], predicted: Sequence[str]) -> list[str]:
    """Mark false positives with ``+`` and false negatives with ``-``.

    Parameters
    ----------
    true, predicted : sequence of str
        Names of the labels of one row.

    Returns
    -------
    list of str
        The predicted labels, false ones with ``+``, followed by the labels that were not
        predicted, with ``-``.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import mark_predictions
    >>> mark_predictions(["Crime", "Thriller"], ["Crime", "Drama"])
    ['Crime', '+Drama', '-Thriller']
    """
    return [
        *(label if label in true else f"+{label}" for label in predicted),
        *(f"-{label}" for label in true if label not in predicted),
    ]


def _join_labels(labels: Sequence[str]) -> str:
    lines = [", ".join(labels[start : start + 2]) for start in range(0, len(labels), 2)]
    return ",\n".join(lines) or "none"
