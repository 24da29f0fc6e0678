"""Configuration of the documentation; built by `make docs`, with warnings as errors."""

import logging
import os
import subprocess
import sys
from pathlib import Path

# Sphinx imports the package, and TensorFlow's start-up lines would hide its warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# The gallery shows icons, which an example reads.
sys.path.insert(0, str(Path(__file__).parents[1]))

import names
import numpydoc.xref

import multimodal_ensemble

project = "multimodal_ensemble"
author = copyright = "the multimodal_ensemble authors"
version = release = multimodal_ensemble.__version__


def describe_commit():
    """Return the commit that the site is of, or "" where there is no repository, as in an sdist."""
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().replace("-dirty", " with local changes")


extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "names",
]
exclude_patterns = ["_build", "gallery"]
templates_path = ["_templates"]
nitpicky = True
default_role = "py:obj"

html_theme = "furo"
html_title = f"multimodal_ensemble {version}"
html_static_path = ["_static"]
# The bottom of each page says which version and commit it describes.
html_context = {"commit": describe_commit()}
html_css_files = ["custom.css"]
names_description = (
    "Multilabel prediction in Python from images, tags, text and tables together: pretrained "
    "Keras networks, a scikit-learn interface, tuned thresholds."
)
html_favicon = "_static/favicon.svg"

# Each script of `gallery` becomes a page of `pictures`. An unchanged script runs only once.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "pictures",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"shared\.py$",
    "within_subsection_order": "pictures.position",
    "image_scrapers": "pictures",
    "backreferences_dir": "pictures/used",
    "doc_module": "multimodal_ensemble",
    "reference_url": {"multimodal_ensemble": None},
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 600,
    "write_computation_times": False,
    "copyfile_regex": r"",
}

# Copying an example takes its input without prompts and output.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

autosummary_generate = True
autosummary_imported_members = True
# The docstrings describe the types; the signatures of array-likes would fill half a page.
autodoc_typehints = "none"
# Longer signatures have one parameter per line.
maximum_signature_line_length = 60
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Types of parameters are links too.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
# (numpydoc would link words such as "int" and "sequence", which nobody looks up.)
numpydoc_xref_aliases = {word: word for word in numpydoc.xref.DEFAULT_LINKS}
numpydoc_xref_aliases |= names.public_names() | {
    "DataFrame": "pandas.DataFrame",
    "Figure": "matplotlib.figure.Figure",
    "Series": "pandas.Series",
    "ndarray": "numpy.ndarray",
}
numpydoc_xref_aliases |= {
    name: f":obj:`{name}`"
    for name in [
        "PIL.Image.Image",
        "keras.Layer",
        "keras.Model",
        "keras.callbacks.Callback",
        "keras.losses.Loss",
        "keras.optimizers.Optimizer",
    ]
}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Inventories are downloaded, or else taken from Debian's packages python3-doc, python-numpy-doc
# and so on. Without either, names of these libraries are checked but not linked; see _ext/names.py.
_DEBIAN = "/usr/share/doc/{}/html/objects.inv"
intersphinx_mapping = {
    name: (url, (None, _DEBIAN.format(package)))
    for name, url, package in [
        ("matplotlib", "https://matplotlib.org/stable/", "python-matplotlib-doc"),
        ("numpy", "https://numpy.org/doc/stable/", "python-numpy-doc"),
        ("pandas", "https://pandas.pydata.org/docs/", "python-pandas-doc"),
        (
            "python",
            "https://docs.python.org/3/",
            f"python{sys.version_info.major}.{sys.version_info.minor}",
        ),
        ("scipy", "https://docs.scipy.org/doc/scipy/", "python-scipy-doc"),
        ("sklearn", "https://scikit-learn.org/stable/", "python-sklearn-doc"),
    ]
}
intersphinx_timeout = 5
logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(
    lambda record: "failed to reach" not in str(record.msg)
)

# Every check but three. A docstring needs no paragraph beyond a summary that says all (ES01).
# Names in the text are links to other objects, so that a list of them is not needed (SA01). Methods
# share the example of their class (EX01); a test checks that every public name has one.
numpydoc_validation_checks = {"all", "ES01", "EX01", "SA01"}
# Not checked is only what other libraries define. These lists do not grow with this package.
numpydoc_validation_exclude = {
    # Keras documents these methods of layers, losses and callbacks, and calls them.
    r"\.(get_config|from_config|build|call|compute_output_(shape|spec))$",
    r"\.on_(train|epoch)_\w+$",
    # A constant, to which Sphinx gives the docstring of its type, frozenset.
    r"\.IMAGE_SUFFIXES$",
}
