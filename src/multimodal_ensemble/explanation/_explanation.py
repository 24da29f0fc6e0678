"""What the scores of rows rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from multimodal_ensemble._tables import abbreviate, counted
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.explanation._explanation_figure import plot_explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REST = "(rest)"

# Rows that `print` shows.
_MAX_PRINTED = 10


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """How much each modality, token, word and column moves the scores of rows.

    `MultimodalEnsemble.explain` and `MultimodalClassifier.explain` return it. All contributions
    are log-odds: positive ones speak for a label, negative ones against it. For each row and label,
    ``base`` and the contributions of all modalities add up to ``log_odds``; the contributions of
    the tokens, words or columns of a modality, with ``"(rest)"``, add up to that of the modality.

    Parameters
    ----------
    scores : DataFrame
        One row per row and label, with the columns ``row``, ``label``, ``score`` (0..1),
        ``log_odds``, ``base``, the log-odds without any modality, and ``prior``, the log-odds of
        the label's share of the training rows. A row is called by its name in the index of a
        DataFrame, or by its number if there are no names or equal ones. With ``calibration``,
        ``log_odds`` are those before the calibration, which changes no order. Of several classes,
        those of an ensemble are the ones before probabilities add up to 1.
    modalities : DataFrame
        One row per row, label and modality: ``row``, ``label``, ``modality``, ``columns`` (of the
        data, as text), ``contribution`` and ``is_missing``.
    tokens : DataFrame
        One row per row, label and token or word: ``row``, ``label``, ``modality``, ``columns``,
        ``token`` and ``contribution``.
    columns : DataFrame
        The same for columns of numbers and categories, with ``column`` in place of ``token``.
    method : str
        ``"exact"``, ``"shapley"`` or ``"sampled shapley"``; see the notes.

    Notes
    -----
    **Ensembles** are sums of linear models, so that contributions of modalities, tokens and columns
    are exact. Features of a modality are centred by the mean of the training rows. A column has
    what its values add beside that mean. A token has what its part of the row adds beside the same
    part of the mean, so that a token which occurs for all labels alike has about 0. ``"(rest)"``
    holds intercepts. Columns of a member with radial features have the fall in log-odds if they are
    set to their mean, and ``"(rest)"`` holds what they do together.

    **Networks** have Shapley values of their modalities [1]_: the mean of what a modality adds,
    over all orders in which modalities may come. An absent modality is what the network learned
    for it: the vector for missing values, or zeros if it was trained with dropout of whole
    modalities. Otherwise, log-odds are averaged over background rows [2]_. Tokens and columns of
    networks have the fall in log-odds if their values are set to 0, which is the mean of numbers;
    ``"(rest)"`` holds what they do together.

    **Words of a `TextEncoder`** are the fall in log-odds if the text is encoded without them, for
    networks and ensembles.

    A contribution says what the model does. It does not say that the label is caused by it.

    References
    ----------
    .. [1] S. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions",
       Advances in Neural Information Processing Systems 30, 2017.
    .. [2] I. Covert, S. Lundberg and S.-I. Lee, "Explaining by removing: a unified framework for
       model explanation", Journal of Machine Learning Research 22, 2021.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> explanation = ensemble.explain({"tags": [["war", "paris"]]}, labels=["Action"])
    >>> tokens = explanation.tokens.set_index("token")["contribution"]
    >>> bool(tokens["war"] > 0), bool(tokens["paris"] < 0)
    (True, True)
    """

    scores: pd.DataFrame
    modalities: pd.DataFrame
    tokens: pd.DataFrame
    columns: pd.DataFrame
    method: str

    @property
    def rows(self) -> list[Any]:
        """The names of the explained rows."""
        return self.scores["row"].drop_duplicates().tolist()

    @property
    def labels(self) -> list[Any]:
        """The labels."""
        return self.scores["label"].drop_duplicates().tolist()

    def top(self, row: Any, label: Any, n: int = 5) -> pd.DataFrame:
        """Return the parts that move a score most: tokens, words and columns, else modalities.

        Parameters
        ----------
        row : object
            One of `rows`.
        label : object
            One of `labels`.
        n : int, default=5
            The largest number of parts.

        Returns
        -------
        DataFrame
            ``part``, ``columns`` and ``contribution``, by size of the contribution. Parts of the
            same name and columns, such as a tag that two encoders read, are added.

        Raises
        ------
        ValueError
            If there is no such row or label, or `n` is less than 1.
        """
        check_at_least(n, 1, name="n")
        return _largest(self._parts(row, label), n)

    def plot(self, row: Any, label: Any, *, n: int = 10) -> Figure:
        """Draw what moves a score: modalities, and the parts of each.

        Parameters
        ----------
        row : object
            One of `rows`.
        label : object
            One of `labels`.
        n : int, default=10
            The largest number of parts that are drawn.

        Returns
        -------
        matplotlib.figure.Figure
            Bars to the right speak for the label, bars to the left against it; each has its number.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        ValueError
            If there is no such row or label, or `n` is less than 1.
        """
        check_at_least(n, 1, name="n")
        score = self._select(self.scores, row, label).iloc[0]
        modalities = self._select(self.modalities, row, label)
        parts = self._parts(row, label)
        parts = parts[~parts["part"].isin(modalities["modality"])]
        return plot_explanation(score, modalities, _largest(parts, n))

    def __str__(self) -> str:
        """Return the explanation as text, of the label with the highest score of each row."""
        best = self.scores.loc[self.scores.groupby("row", sort=False)["score"].idxmax()]
        lines = [repr(self)]
        for score in best.head(_MAX_PRINTED).itertuples():
            top = self.top(score.row, score.label)
            parts = [
                f"{part.part} {part.contribution:+.2f}" for part in top.itertuples(index=False)
            ]
            lines.append(f"{score.row}: {score.label} {score.score:.3f}: {', '.join(parts)}")
        if (n_more := len(best) - _MAX_PRINTED) > 0:
            lines.append(f"... and {counted(n_more, 'more row')}; `top` returns the parts of each.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return a short description."""
        return (
            f"{type(self).__name__}({counted(len(self.rows), 'row')}, "
            f"{counted(len(self.labels), 'label')}, {self.method})"
        )

    def _select(self, table: pd.DataFrame, row: Any, label: Any) -> pd.DataFrame:
        for name, value, known in (("row", row, self.rows), ("label", label, self.labels)):
            # An array would be compared element by element.
            if isinstance(value, np.ndarray | list) or value not in known:
                msg = f"There is no {name} {value!r}. The {name}s are {abbreviate(known)}."
                raise ValueError(msg)
        selected: pd.DataFrame = table[(table["row"] == row) & (table["label"] == label)]
        return selected

    def _parts(self, row: Any, label: Any) -> pd.DataFrame:
        """Return the parts of one score, added by name and columns."""
        parts = [
            self._select(table, row, label).rename(columns={name: "part"})
            for table, name in ((self.tokens, "token"), (self.columns, "column"))
        ]
        known = {modality for part in parts for modality in part["modality"]}
        # The rest comes last; a token may have the same name.
        parts = [
            part[(part["part"] != REST) | part.duplicated("modality", keep="last")]
            for part in parts
            if len(part)
        ]
        whole = self._select(self.modalities, row, label)
        whole = whole[~whole["modality"].isin(known) & ~whole["is_missing"]]
        parts.append(whole.assign(part=whole["modality"]))
        # Older versions of pandas warn of empty tables.
        parts = [part for part in parts if len(part)] or parts[-1:]
        table = pd.concat([part[["part", "columns", "contribution"]] for part in parts])
        added: pd.DataFrame = table.groupby(["part", "columns"], sort=False, as_index=False).sum()
        return added


def _largest(parts: pd.DataFrame, n: int) -> pd.DataFrame:
    by_size = parts["contribution"].abs().sort_values(ascending=False, kind="stable").index
    return parts.loc[by_size].head(n).reset_index(drop=True)
