"""How good a model is on rows that it was not trained on, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from multimodal_ensemble.cli._console import to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from multimodal_ensemble.estimators import Evaluation
    from multimodal_ensemble.metrics import ScoreComparison

METRICS = ("mean_roc_auc", "mean_accuracy", "macro_f1")
TRIVIAL = "trivial"
MODEL = "model"


@dataclass(frozen=True)
class Figures:
    """The evaluation of a model, and its comparison with the trivial benchmark."""

    evaluation: Evaluation
    # None if each row lacks some label.
    comparison: ScoreComparison | None

    @classmethod
    def measure(
        cls, model: Any, y_true: NDArray[Any], y_score: NDArray[np.float32], *, seed: int
    ) -> Self:
        """Return the figures of scores."""
        import warnings

        from multimodal_ensemble.estimators import evaluate_scores
        from multimodal_ensemble.metrics import compare_scores

        labels = [str(label) for label in model.classes_.tolist()]
        shares = model.provenance_["label_shares"]
        evaluation = evaluate_scores(
            y_true, y_score, model.thresholds_, labels=labels, label_shares=shares
        )
        is_known = known_rows(y_true)
        if not is_known.any():
            return cls(evaluation, None)
        y_true, y_score = y_true[is_known].astype(bool), y_score[is_known]
        with warnings.catch_warnings():
            # The table of the evaluation shows which labels lack a class.
            warnings.simplefilter("ignore")
            comparison = compare_scores(
                y_true,
                {TRIVIAL: trivial_scores(shares, len(y_true)), MODEL: y_score},
                metric=list(METRICS),
                thresholds={TRIVIAL: 0.5, MODEL: model.thresholds_},
                random_state=seed,
            )
        return cls(evaluation, comparison)

    def __str__(self) -> str:
        """Return the figures as the evaluation prints them, then with intervals."""
        if self.comparison is None:
            return str(self.evaluation)
        return f"{self.evaluation}\n\n{self.comparison}"

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which `from_state` makes equal figures."""
        return {
            "evaluation": _state_of(self.evaluation, "report"),
            "comparison": self.comparison and _state_of(self.comparison, "table"),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the figures that `to_state` described."""
        import pandas as pd

        from multimodal_ensemble.estimators import Evaluation
        from multimodal_ensemble.metrics import ScoreComparison

        values = dict(state["evaluation"])
        report = pd.DataFrame(values.pop("report")).set_index("label")
        evaluation = Evaluation(**values, report=report)
        if state["comparison"] is None:
            return cls(evaluation, None)
        values = dict(state["comparison"])
        table = pd.DataFrame(values.pop("table"))
        return cls(evaluation, ScoreComparison(**values, table=table))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON holds them."""
        result = {
            field.name: getattr(self.evaluation, field.name)
            for field in fields(self.evaluation)
            if field.name != "report"
        }
        result["labels"] = self.evaluation.report.reset_index().to_dict("records")
        result["intervals"] = (
            []
            if self.comparison is None
            else self.comparison.table.drop(columns=["label"]).to_dict("records")
        )
        converted: dict[str, Any] = to_json(result)
        return converted


def known_rows(y_true: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows have no unknown label, which is NaN."""
    import numpy as np

    return ~np.isnan(y_true.astype(float)).any(axis=1)


def trivial_scores(shares: Any, n_rows: int) -> NDArray[np.float64]:
    """Return the scores of the benchmark that gives each row the shares of the labels."""
    import numpy as np

    return np.tile(np.asarray(shares, dtype=np.float64), (n_rows, 1))


def _state_of(value: Any, table: str) -> dict[str, Any]:
    state = {field.name: getattr(value, field.name) for field in fields(value)}
    columns = state[table].reset_index() if table == "report" else state[table]
    state[table] = {name: columns[name].tolist() for name in columns}
    return state
