"""Pictures of the gallery: the variable ``figure`` of a block of code is shown below it.

The functions of this library return figures that `matplotlib.pyplot` does not know, and these are
what a reader copies.
"""

import ast
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

# The order on the page: from data to scores, and from there to what they rest on.
ORDER = [
    "label_counts",
    "labels_per_row",
    "term_ranks",
    "cooccurrence",
    "augmentation",
    "training_curves",
    "search_trials",
    "learning_curve",
    "scores",
    "comparison",
    "fusion",
    "thresholds",
    "reliability",
    "confusion",
    "predictions",
    "explanation",
    "image_map",
    "modality_importance",
    "missing_modalities",
]


def position(name):
    """Return the place of a script; a script that is not listed fails the build."""
    return ORDER.index(Path(name).stem)


def save_figure(block, variables, config):
    """Save the figure that a block has made, and return the text that shows it."""
    figure = variables["example_globals"].pop("figure", None)
    if not isinstance(figure, Figure):
        return ""
    source = Path(variables["src_file"])
    path = Path(next(variables["image_path_iterator"])).with_suffix(".svg")
    # Without dates and random names, the same figure is the same file.
    with rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
    title = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))).splitlines()[0]
    image = path.relative_to(config["src_dir"]).as_posix()
    # The picture is wider than a telephone, and its container scrolls.
    return f"""
.. container:: picture

   .. image:: /{image}
      :alt: {title}
      :class: sphx-glr-single-img

"""


def _get_sg_image_scraper():
    """Return what Sphinx-Gallery calls; the configuration names this module."""
    return save_figure
