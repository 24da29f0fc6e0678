"""The package as a whole: what it exports, what importing it costs, which room imports which."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import multimodal_ensemble

PACKAGE = Path(multimodal_ensemble.__file__).parent

# From the design: a room may import from the rooms before it.
ROOMS = [
    "_version",
    "exceptions",
    "_validation",
    "_random",
    "_digest",
    "_tables",
    "_warnings",
    "_keras",
    "_progress",
    "_layer_names",
    "saving",
    "metrics",
    "model_selection",
    "images",
    "encoders",
    "fusion",
    "features",
    "generators",
    "training",
    "estimators",
    "reporting",
    "testing",
]
# What a room may use besides the standard library and the rooms before it.
LIBRARIES = {
    "_version": set(),
    "exceptions": set(),
    "_validation": {"numpy"},
    "_random": set(),
    "_digest": {"numpy"},
    "_tables": {"numpy", "pandas"},
    "_warnings": set(),
    "_keras": {"keras"},
    "_progress": {"keras"},
    "_layer_names": set(),
    "saving": {"numpy", "keras"},
    "metrics": {"numpy", "pandas", "sklearn"},
    "model_selection": {"numpy", "sklearn", "joblib"},
    "images": {"numpy", "PIL"},
    "encoders": {"numpy", "pandas", "sklearn", "keras", "PIL"},
    "fusion": {"numpy", "keras"},
    "features": {"numpy", "keras", "joblib"},
    "generators": {"numpy", "pandas", "keras"},
    "training": {"numpy", "pandas", "sklearn", "keras"},
    "estimators": {"numpy", "pandas", "sklearn", "keras", "PIL", "tensorflow", "onnx"},
    "reporting": {"numpy", "pandas", "sklearn", "matplotlib"},
    "testing": {"numpy", "keras"},
}


def imports_of(path):
    """Return the dotted names that a module imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; rooms are named in full"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def test_every_module_is_in_a_room_of_the_design():
    assert {room_of(path) for path in MODULES} == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_rooms_before_it(path):
    room = room_of(path)
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    rooms = {
        name.split(".")[1] for name in imports_of(path) if name.startswith("multimodal_ensemble.")
    }
    assert rooms <= allowed, f"{room} imports {rooms - allowed}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_uses_only_the_libraries_that_the_design_gives_it(path):
    used = {name.split(".")[0] for name in imports_of(path)} - set(sys.stdlib_module_names)
    assert used - {"multimodal_ensemble"} <= LIBRARIES[room_of(path)]


@pytest.mark.parametrize("name", multimodal_ensemble.__all__)
def test_every_public_name_can_be_loaded(name):
    assert getattr(multimodal_ensemble, name) is not None


def test_public_names_are_sorted_and_listed_by_dir():
    names = [name for name in multimodal_ensemble.__all__ if not name.startswith("__")]
    assert names == sorted(names)
    assert set(multimodal_ensemble.__all__) <= set(dir(multimodal_ensemble))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        multimodal_ensemble.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "room", [module.name for module in pkgutil.iter_modules([str(PACKAGE)]) if module.ispkg]
)
def test_a_room_says_in_all_exactly_what_it_makes_public(room):
    module = importlib.import_module(f"multimodal_ensemble.{room}")
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("multimodal")
    }
    assert public <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert module.__doc__


@pytest.mark.parametrize("room", ROOMS[ROOMS.index("metrics") :])
def test_the_api_reference_lists_every_public_name(room):
    page = PACKAGE.parents[1] / "docs" / "api" / f"{room}.md"
    listed = set(page.read_text(encoding="utf-8").split())
    public = importlib.import_module(f"multimodal_ensemble.{room}").__all__
    # The alias of types is explained where it is used.
    assert set(public) - listed <= {"ImageSource"}


def test_static_types_know_every_lazy_name():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname or alias.name: node.module.split(".")[1]
        for node in block.body
        for alias in node.names
    }
    assert typed == multimodal_ensemble._ROOMS


# One process, in which each statement may import more than those before.
STATEMENTS = [
    "import multimodal_ensemble",
    "import multimodal_ensemble.metrics",
    "multimodal_ensemble.tune_thresholds; multimodal_ensemble.read_image",
]
SCRIPT = """
import sys
for statement in sys.argv[1:]:
    exec(statement)
    print(sorted({"tensorflow", "keras", "matplotlib"} & {*sys.modules}))
"""


@pytest.fixture(scope="module")
def imported():
    """Return what each statement has imported of the libraries that take seconds."""
    command = [sys.executable, "-c", SCRIPT, *STATEMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(STATEMENTS, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_metrics_and_images_do_without_tensorflow(statement, imported):
    assert imported[statement] == "[]"


PUBLIC = [
    f"{room}.{name}"
    for room in ROOMS
    for name in getattr(importlib.import_module(f"multimodal_ensemble.{room}"), "__all__", [])
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_class_and_function_has_an_example(name):
    room, _, name = name.partition(".")
    value = getattr(importlib.import_module(f"multimodal_ensemble.{room}"), name)
    is_exception = inspect.isclass(value) and issubclass(value, Exception)
    if (inspect.isclass(value) or inspect.isfunction(value)) and not is_exception:
        assert ">>> " in value.__doc__
