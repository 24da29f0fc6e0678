"""The structure of the package: its exports, the cost of importing it, and imports between rooms.

A room is a module or subpackage directly inside the package.
"""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import multimodal_ensemble
from multimodal_ensemble import estimators

PACKAGE = Path(multimodal_ensemble.__file__).parent

# The order of the design: a room may import only from earlier rooms.
ROOMS = [
    "_version",
    "exceptions",
    "_validation",
    "_resamples",
    "_random",
    "_digest",
    "_joblib",
    "_regular_files",
    "_temporary_files",
    "_freed_memory",
    "_column_types",
    "_foreign_tables",
    "_tables",
    "_encoder_calls",
    "_parquet_parts",
    "_table_files",
    "_open_table",
    "_half_precision",
    "_text",
    "_number_strings",
    "_label_names",
    "_warnings",
    "_label_strings",
    "_label_format",
    "_known_labels",
    "_label_lists",
    "_labels",
    "_target",
    "_keras",
    "_graphs",
    "_progress",
    "_layer_names",
    "_figures",
    "_markdown",
    "_html_base",
    "_row_views",
    "_row_sample",
    "saving",
    "metrics",
    "linear",
    "model_selection",
    "images",
    "encoders",
    "fusion",
    "features",
    "generators",
    "training",
    "explanation",
    "estimators",
    "reporting",
    "serving",
    "cli",
    "__main__",
    "testing",
]
# Libraries that a room may use, in addition to the standard library and earlier rooms.
LIBRARIES = {
    "_version": set(),
    "exceptions": set(),
    "_validation": {"numpy"},
    "_resamples": {"numpy"},
    "_random": set(),
    "_digest": {"numpy"},
    "_joblib": {"joblib", "sklearn"},
    "_regular_files": set(),
    "_temporary_files": set(),
    "_freed_memory": set(),
    "_column_types": {"numpy", "pandas"},
    "_foreign_tables": set(),
    "_tables": {"numpy", "pandas"},
    "_encoder_calls": {"numpy"},
    "_parquet_parts": {"pyarrow"},
    "_table_files": {"numpy", "pandas", "pyarrow"},
    "_open_table": {"numpy", "pandas", "pyarrow"},
    "_half_precision": {"numpy"},
    "_text": set(),
    "_number_strings": set(),
    "_label_names": {"numpy", "pandas"},
    "_warnings": set(),
    "_label_strings": set(),
    "_label_format": set(),
    "_known_labels": {"numpy", "pandas"},
    "_label_lists": {"numpy"},
    "_labels": {"numpy", "pandas"},
    "_target": {"numpy", "pandas"},
    "_keras": {"keras"},
    "_graphs": {"numpy", "keras", "tensorflow"},
    "_progress": {"keras"},
    "_layer_names": set(),
    "_figures": {"matplotlib"},
    "_markdown": set(),
    "_html_base": set(),
    "_row_views": {"numpy", "scipy"},
    "_row_sample": {"numpy"},
    "saving": {"numpy", "keras", "h5py"},
    "metrics": {"numpy", "pandas", "scipy", "sklearn"},
    "linear": {"numpy", "scipy", "sklearn"},
    "model_selection": {"numpy", "pandas", "sklearn", "joblib", "optuna", "matplotlib"},
    "images": {"numpy", "PIL", "fsspec"},
    "encoders": {"numpy", "scipy", "pandas", "sklearn", "keras", "PIL"},
    "fusion": {"numpy", "keras"},
    "features": {"numpy", "keras", "joblib"},
    "generators": {"numpy", "pandas", "scipy", "keras"},
    "training": {"numpy", "pandas", "sklearn", "keras"},
    "explanation": {"numpy", "scipy", "pandas", "keras", "tensorflow", "matplotlib"},
    "estimators": {
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "keras",
        "PIL",
        "tensorflow",
        "pyarrow",
        "onnx",
        "tf2onnx",
    },
    "reporting": {"numpy", "pandas", "sklearn", "matplotlib"},
    "cli": {"numpy", "pandas", "sklearn", "joblib", "pyarrow", "shtab"},
    "__main__": set(),
    "serving": {
        "numpy",
        "pandas",
        "sklearn",
        "PIL",
        "starlette",
        "uvicorn",
        "python_multipart",
    },
    "testing": {"keras", "numpy", "pandas"},
}


def imports_of(path):
    """Return the dotted names that a module imports anywhere in its file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import; use the full name"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def test_every_file_belongs_to_a_known_room():
    assert {room_of(path) for path in MODULES} == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_earlier_rooms(path):
    room = room_of(path)
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    rooms = {
        name.split(".")[1] for name in imports_of(path) if name.startswith("multimodal_ensemble.")
    }
    assert rooms <= allowed, f"{room} imports {rooms - allowed}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_uses_only_its_permitted_libraries(path):
    used = {name.split(".")[0] for name in imports_of(path)} - set(sys.stdlib_module_names)
    assert used - {"multimodal_ensemble"} <= LIBRARIES[room_of(path)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_no_private_module_of_another_room(path):
    prefix = f"multimodal_ensemble.{room_of(path)}."
    private = {
        name
        for name in imports_of(path)
        if re.match(r"multimodal_ensemble\.[a-z]\w*\._", name) and not name.startswith(prefix)
    }
    assert private == set()


def test_no_import_is_circular():
    names = {dotted_name(path): path for path in MODULES}
    graph = {
        name: {
            imported if imported in names else imported.rpartition(".")[0]
            for imported in imports_of(path)
            if imported.startswith("multimodal_ensemble.")
        }
        for name, path in names.items()
    }
    # The top package imports on first use, so importing from it does not import other modules.
    assert set().union(*graph.values()) <= {*names, "multimodal_ensemble"}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_has_at_most_400_lines_and_250_without_docstrings(path):
    text = path.read_text(encoding="utf-8")
    n_lines = text.count("\n")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    n_documentation = sum(
        node.body[0].end_lineno - node.body[0].lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    )
    assert n_lines <= 400
    assert n_lines - n_documentation <= 250


@pytest.mark.parametrize("name", multimodal_ensemble.__all__)
def test_every_public_name_can_be_loaded(name):
    assert getattr(multimodal_ensemble, name) is not None


# Packages whose names are loaded on first use.
LAZY = [multimodal_ensemble, estimators]


@pytest.mark.parametrize("package", LAZY, ids=lambda package: package.__name__)
def test_lazy_names_are_sorted_and_listed_by_dir(package):
    names = [name for name in package.__all__ if not name.startswith("__")]
    assert names == sorted(names)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match=rf"{package.__name__}' has no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "room", [module.name for module in pkgutil.iter_modules([str(PACKAGE)]) if module.ispkg]
)
def test_all_lists_every_public_name_of_a_room(room):
    module = importlib.import_module(f"multimodal_ensemble.{room}")
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("multimodal")
    }
    assert public <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert module.__doc__


# The rooms before "metrics" are internal.
PUBLIC_ROOMS = ["exceptions", *ROOMS[ROOMS.index("metrics") :]]
PUBLIC_ROOMS.remove("__main__")


@pytest.mark.parametrize("room", PUBLIC_ROOMS[1:])
def test_the_api_reference_lists_every_public_name(room):
    page = PACKAGE.parents[1] / "docs" / "api" / f"{room}.md"
    listed = set(page.read_text(encoding="utf-8").split())
    public = importlib.import_module(f"multimodal_ensemble.{room}").__all__
    # Type aliases are explained in the docstrings of the functions that use them.
    assert set(public) - listed <= {
        "CriterionFunction",
        "CriterionName",
        "ImageSource",
        "MonitorFunction",
        "ScoringFunction",
    }


def test_top_level_names_are_documented_in_their_module():
    for name, module in multimodal_ensemble._MODULES.items():
        page = PACKAGE.parents[1] / "docs" / "api" / f"{module}.md"
        assert re.search(rf"^ *{name}$", page.read_text(encoding="utf-8"), re.MULTILINE), name
        assert name in importlib.import_module(f"multimodal_ensemble.{module}").__all__
    # A user's first page lists about twenty names; all others are imported from their module.
    assert len(multimodal_ensemble._MODULES) <= 30


@pytest.mark.parametrize("package", LAZY, ids=lambda package: package.__name__)
def test_type_checkers_see_every_lazy_name(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname or alias.name: node.module.rpartition(".")[2]
        for node in block.body
        for alias in node.names
    }
    assert typed == package._MODULES


# Statements that one process executes in this order.
STATEMENTS = [
    "import multimodal_ensemble",
    "import multimodal_ensemble.metrics",
    "import multimodal_ensemble.images; multimodal_ensemble.tune_thresholds",
    "from multimodal_ensemble.estimators import Evaluation, read_summary",
]
SCRIPT = """
import sys
for statement in sys.argv[1:]:
    exec(statement)
    print(sorted({"tensorflow", "keras", "matplotlib"} & {*sys.modules}))
"""


@pytest.fixture(scope="module")
def imported():
    """Return which slow libraries are loaded after each statement."""
    command = [sys.executable, "-c", SCRIPT, *STATEMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(STATEMENTS, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_needs_no_network_does_not_load_tensorflow(statement, imported):
    assert imported[statement] == "[]"


@pytest.mark.parametrize(("before", "after"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_onednn_is_used_unless_the_environment_says_otherwise(before, after):
    environment = {name: value for name, value in os.environ.items() if "ONEDNN" not in name}
    script = """
import os, platform
platform.machine = lambda: "x86_64"
import multimodal_ensemble
print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment | before
    )
    assert done.stdout.strip() == after


PUBLIC = [
    f"{room}.{name}"
    for room in PUBLIC_ROOMS
    for name in importlib.import_module(f"multimodal_ensemble.{room}").__all__
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_class_and_function_has_an_example(name):
    room, _, name = name.partition(".")
    value = getattr(importlib.import_module(f"multimodal_ensemble.{room}"), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert ">>> " in value.__doc__
