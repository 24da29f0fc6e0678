"""Configuration of the documentation; built by `make docs`, with warnings as errors."""

import os

# Sphinx imports the package: TensorFlow's start-up lines would bury its warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import multimodal_ensemble

project = "multimodal_ensemble"
author = copyright = "the multimodal_ensemble authors"
version = release = multimodal_ensemble.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"multimodal_ensemble {version}"

autosummary_generate = True
autosummary_imported_members = True
# The docstrings say what types mean; the signatures of array-likes fill half a page.
autodoc_typehints = "none"
# Members that come from Keras and scikit-learn are documented there.
autodoc_default_options = {"inherited-members": False}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Every check but these, which are matters of taste: where a docstring's first line stands (GL01),
# whether each has a paragraph beyond its summary (ES01) or points to others (SA01, SA04). That
# every public class and function has an example is a test; methods share their class's (EX01).
numpydoc_validation_checks = {"all", "GL01", "ES01", "EX01", "SA01", "SA04"}
# Conventions of Keras and scikit-learn, which are documented there and called by them.
numpydoc_validation_exclude = {
    r"\.(get|set)_(config|params|state)$",
    r"\.from_config$",
    r"\.(build|call|compute_output_shape)$",
    r"\.on_(train|epoch)_\w+$",
    r"\.__\w+__$",
}
