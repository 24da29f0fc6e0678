"""Tables, figures and HTML pages that report data and results.

Figures need Matplotlib. Without it, each function that plots raises an ImportError that explains
how to install it.
"""

from multimodal_ensemble.reporting._figures import (
    mark_predictions,
    plot_comparison,
    plot_histories,
    plot_predictions,
    plot_trials,
)
from multimodal_ensemble.reporting._html import ReportFigure, ReportTable, write_html_report
from multimodal_ensemble.reporting._interval_figure import plot_intervals
from multimodal_ensemble.reporting._label_confusion import label_confusion, plot_label_confusion
from multimodal_ensemble.reporting._label_cooccurrence import (
    label_cooccurrence,
    plot_label_cooccurrence,
)
from multimodal_ensemble.reporting._label_figures import (
    plot_distribution,
    plot_label_counts,
    plot_rank_frequency,
)
from multimodal_ensemble.reporting._reliability_figure import plot_reliability
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.reporting._study._make_gallery import make_gallery
from multimodal_ensemble.reporting._study._study_results import StudyResults
from multimodal_ensemble.reporting._study._write_report import write_report
from multimodal_ensemble.reporting._tables import compare_models, to_markdown
from multimodal_ensemble.reporting._threshold_figure import plot_thresholds

__all__ = [
    "GalleryRow",
    "ReportFigure",
    "ReportTable",
    "StudyResults",
    "compare_models",
    "label_confusion",
    "label_cooccurrence",
    "make_gallery",
    "mark_predictions",
    "plot_comparison",
    "plot_distribution",
    "plot_histories",
    "plot_intervals",
    "plot_label_confusion",
    "plot_label_cooccurrence",
    "plot_label_counts",
    "plot_predictions",
    "plot_rank_frequency",
    "plot_reliability",
    "plot_thresholds",
    "plot_trials",
    "to_markdown",
    "write_html_report",
    "write_report",
]
