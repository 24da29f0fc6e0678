"""Reporting: comparison tables and figures; reads results, never trains."""

from multimodal_ensemble.reporting._figures import (
    mark_predictions,
    plot_comparison,
    plot_histories,
    plot_predictions,
)
from multimodal_ensemble.reporting._tables import compare_models, to_markdown

__all__ = [
    "compare_models",
    "mark_predictions",
    "plot_comparison",
    "plot_histories",
    "plot_predictions",
    "to_markdown",
]
