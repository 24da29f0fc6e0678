"""How good a model is on rows that it was not trained on, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from multimodal_ensemble.cli._console import to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from multimodal_ensemble.estimators import ClassEvaluation, Evaluation
    from multimodal_ensemble.metrics import ScoreComparison

METRICS = ("mean_roc_auc", "mean_accuracy", "macro_f1")
TRIVIAL = "trivial"
MODEL = "model"


@dataclass(frozen=True)
class Figures:
    """The evaluation of a model, and its comparison with the trivial benchmark."""

    evaluation: Evaluation | ClassEvaluation
    # None if each row lacks some label.
    comparison: ScoreComparison | None

    @classmethod
    def measure(
        cls,
        model: Any,
        y_true: NDArray[Any],
        y_score: NDArray[np.float32],
        true_classes: Sequence[Any] | None,
        *,
        groups: NDArray[np.intp] | None = None,
        seed: int,
    ) -> Self:
        """Return the figures of scores; rows with one class each also have their `true_classes`.

        Resamples keep rows of one of the `groups` together.
        """
        import warnings

        from multimodal_ensemble.estimators import evaluate_class_scores, evaluate_scores

        labels, shares = model.classes_.tolist(), model.provenance_["label_shares"]
        evaluation: Any
        if true_classes is None:
            names = [str(label) for label in labels]
            evaluation = evaluate_scores(
                y_true, y_score, model.thresholds_, labels=names, label_shares=shares
            )
        else:
            predicted = model.labels_from_scores(y_score)
            evaluation = evaluate_class_scores(
                true_classes, y_score, predicted, classes=labels, label_shares=shares
            )
        is_known = known_rows(y_true)
        if not is_known.any():
            return cls(evaluation, None)
        y_true, y_score = y_true[is_known].astype(bool), y_score[is_known]
        resampling: dict[str, Any] = {
            "groups": None if groups is None else groups[is_known],
            "random_state": seed,
        }
        with warnings.catch_warnings():
            # The table of the evaluation shows which labels lack a class.
            warnings.simplefilter("ignore")
            if true_classes is None:
                comparison = _compare_labels(model, y_true, y_score, resampling)
            else:
                comparison = _compare_classes(model, y_true, y_score, resampling)
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

        from multimodal_ensemble.estimators import ClassEvaluation, Evaluation
        from multimodal_ensemble.metrics import ScoreComparison

        values = dict(state["evaluation"])
        report = pd.DataFrame(values.pop("report")).set_index("label")
        kind = ClassEvaluation if "log_loss" in values else Evaluation
        evaluation = kind(**values, report=report)
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

    known: NDArray[np.bool_] = ~np.isnan(y_true.astype(float)).any(axis=1)
    return known


def trivial_scores(model: Any, n_rows: int) -> NDArray[np.float64]:
    """Return the scores of the benchmark that gives each row the shares of the labels."""
    import numpy as np

    shares: NDArray[np.float64] = np.asarray(model.provenance_["label_shares"], dtype=np.float64)
    if len(shares) < len(model.classes_):
        # Of two classes, the share of the second one is known.
        shares = np.append(1 - shares, shares)
    return np.tile(shares, (n_rows, 1))


def most_frequent(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a matrix that predicts the class with the greatest share for each row."""
    import numpy as np

    matrix: NDArray[np.bool_] = shares.argmax(axis=1)[:, np.newaxis] == np.arange(shares.shape[1])
    return matrix


def predicted_matrix(model: Any, y_score: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which class is predicted for each row, one column per class."""
    import numpy as np

    predicted = np.array(model.labels_from_scores(y_score), dtype=object)
    matrix: NDArray[np.bool_] = predicted[:, np.newaxis] == np.array(model.classes_, dtype=object)
    return matrix


def _compare_labels(
    model: Any,
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    resampling: Mapping[str, Any],
) -> ScoreComparison:
    from multimodal_ensemble.metrics import compare_scores

    return compare_scores(
        y_true,
        {TRIVIAL: trivial_scores(model, len(y_true)), MODEL: y_score},
        metric=list(METRICS),
        thresholds={TRIVIAL: 0.5, MODEL: model.thresholds_},
        **resampling,
    )


def _compare_classes(
    model: Any,
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    resampling: Mapping[str, Any],
) -> ScoreComparison:
    """Return the ROC-AUC of each class against the others, and the accuracy."""
    import numpy as np
    import pandas as pd

    from multimodal_ensemble.metrics import compare_scores

    trivial = trivial_scores(model, len(y_true))
    by_score = compare_scores(
        y_true, {TRIVIAL: trivial, MODEL: y_score}, metric="mean_roc_auc", **resampling
    )
    # Rows of an unknown class are errors: they have a column that nothing predicts.
    none = np.zeros((len(y_true), 1), dtype=bool)
    by_class = compare_scores(
        np.hstack([y_true, ~y_true.any(axis=1, keepdims=True)]),
        {
            TRIVIAL: np.hstack([most_frequent(trivial), none]).astype(float),
            MODEL: np.hstack([predicted_matrix(model, y_score), none]).astype(float),
        },
        # With one class and one prediction per row, this is the accuracy.
        metric="micro_f1",
        thresholds=0.5,
        **resampling,
    )
    tables = [by_class.table.assign(metric="accuracy"), by_score.table]
    return replace(by_score, table=pd.concat(tables, ignore_index=True))


def _state_of(value: Any, table: str) -> dict[str, Any]:
    state = {field.name: getattr(value, field.name) for field in fields(value)}
    columns = state[table].reset_index() if table == "report" else state[table]
    state[table] = {name: columns[name].tolist() for name in columns}
    return state
