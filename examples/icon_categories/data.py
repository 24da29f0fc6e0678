"""From an installed package of icons to a table of pictures, terms, names and categories."""

import dataclasses
import json
import re
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from ..command_line import ExampleError
from .drawing import draw_icon

PACKAGE = "fontawesomefree"
REQUIREMENTS = "examples/icon_categories/requirements.txt"
METADATA_FOLDER = f"{PACKAGE}/static/{PACKAGE}/metadata"
# A category that fewer icons have is not predicted.
MIN_ICONS = 20


@dataclasses.dataclass(frozen=True)
class Icons:
    """The icons that have a category, and their categories."""

    # One row per icon: "picture" is a PNG file (bytes), "terms" a list of strings, "name" a text.
    # The index holds the identifiers.
    table: pd.DataFrame
    categories: pd.DataFrame  # 0 or 1, one column per category; the same index
    n_dropped: int  # the number of search terms that were dropped because they name a category
    version: str  # of the package


@dataclasses.dataclass(frozen=True)
class _Category:
    key: str
    label: str
    icons: list[str]  # identifiers; some are not in the free package


def load_icons(path: Path | None, *, image_size: int, min_icons: int = MIN_ICONS) -> Icons:
    """Read the package and draw the icons.

    Parameters
    ----------
    path : path or None
        The wheel of the package, or a folder that it is unpacked or installed in. None: the
        installed package.
    image_size : int
        Side of the pictures in pixels.
    min_icons : int, default=20
        The smallest number of icons for a category to be kept.

    Raises
    ------
    ExampleError
        If the package cannot be found or read, or a library that this needs is not installed.
    """
    root = _find_root(path)
    icons, categories = _read_metadata(root)
    members = pd.DataFrame(
        {category.label: icons.index.isin(category.icons) for category in categories},
        index=icons.index,
    )
    members = members.loc[:, members.sum() >= min_icons]
    members = members[members.any(axis=1)].astype(int)
    if members.empty:
        msg = f"No category of the package has {min_icons} icons, so there is nothing to predict."
        raise ExampleError(msg)
    table = icons.loc[members.index]
    named = {tuple(_words(name)) for each in categories for name in (each.key, each.label)}
    given = table["terms"]
    kept = given.map(lambda terms: [each for each in terms if tuple(_words(each)) not in named])
    table = table.assign(
        terms=kept, picture=[draw_icon(svg, image_size) for svg in table["svg"]]
    ).drop(columns="svg")
    n_dropped = int((given.map(len) - kept.map(len)).sum())
    return Icons(table, members, n_dropped, _find_version(root))


def _find_root(path: Path | None) -> Any:
    """Return the folder of the package's folder; also inside a wheel."""
    if path is None:
        try:
            return Path(metadata.distribution(PACKAGE).locate_file(""))
        except metadata.PackageNotFoundError as error:
            msg = (
                f"The icons are those of the package {PACKAGE}, which is not installed; run "
                f"pip install -r {REQUIREMENTS}, or name its wheel with --data."
            )
            raise ExampleError(msg) from error
    if path.is_file() and zipfile.is_zipfile(path):
        return zipfile.Path(path)
    if path.is_dir():
        return path
    what = "is neither a wheel nor a folder" if path.exists() else "does not exist"
    msg = (
        f"--data {str(path)!r} {what}; it takes the wheel of the package {PACKAGE}, which "
        f"pip download --no-deps {PACKAGE}==6.6.0 writes, or a folder that it is unpacked in."
    )
    raise ExampleError(msg)


def _read_metadata(root: Any) -> tuple[pd.DataFrame, list[_Category]]:
    """Return all icons, with the columns "terms", "name" and "svg", and all categories."""
    try:
        import yaml
    except ImportError as error:
        msg = f"The categories are a YAML file; run pip install -r {REQUIREMENTS}."
        raise ExampleError(msg) from error
    folder = root.joinpath(*METADATA_FOLDER.split("/"))
    try:
        icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        categories = yaml.safe_load((folder / "categories.yml").read_text(encoding="utf-8"))
    except (OSError, KeyError) as error:
        msg = f"{str(root)!r} does not hold the package {PACKAGE}: {METADATA_FOLDER} is incomplete."
        raise ExampleError(msg) from error
    except (ValueError, yaml.YAMLError) as error:
        msg = f"The metadata of {PACKAGE} in {str(root)!r} cannot be read: {error}."
        raise ExampleError(msg) from error
    try:
        rows = pd.DataFrame(
            [_describe(icon) for icon in icons.values()], index=pd.Index(icons, name="icon")
        )
        return rows, [
            _Category(key, category["label"], category["icons"])
            for key, category in categories.items()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        msg = (
            f"The metadata of {PACKAGE} in {str(root)!r} differs from that of version 6.6.0 "
            f"({error!r}); install {PACKAGE}==6.6.0."
        )
        raise ExampleError(msg) from error


def _find_version(root: Any) -> str:
    found = (re.fullmatch(rf"{PACKAGE}-(.+)\.dist-info", path.name) for path in root.iterdir())
    return next((match[1] for match in found if match), "unknown")


def _describe(icon: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an icon."""
    drawings = icon["svg"]
    style = "solid" if "solid" in drawings else next(iter(drawings))
    return {
        "terms": [str(term).lower() for term in icon["search"]["terms"]],
        "name": icon["label"],
        "svg": drawings[style]["raw"],
    }


def _words(text: str) -> list[str]:
    """Return the words of a name.

    Examples
    --------
    >>> _words("Users + People") == _words("users-people")
    True
    """
    return re.findall(r"\w+", text.lower())
