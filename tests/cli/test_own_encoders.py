"""Models with an encoder of one's own: --import, and errors that the encoder raises."""

import socket
import sys
from importlib import import_module
from types import SimpleNamespace

import keras
import pandas as pd
import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.cli._main import _parse
from multimodal_ensemble.exceptions import ArtefactError
from tests.cli.running import run

MODULE = """
import keras, numpy as np
from multimodal_ensemble import Encoder
from multimodal_ensemble.exceptions import ModalityError

@keras.saving.register_keras_serializable(package="tests_cli")
class LengthEncoder(Encoder):
    input_shape = (1,)

    def encode(self, values):
        for row, value in enumerate(values):
            if value == "key":
                raise KeyError(value)
            if value == "file":
                open("absent.wav")
            if value == "value":
                raise ValueError("no length.")
            if value == "modality":
                raise ModalityError("no length.")
            if value == "row":
                raise ModalityError("no length in row 0", row=row)
        return np.array([[len(value)] for value in values], dtype="float32").reshape(-1, 1)
"""


def forget():
    """Let the class be as unknown as in a new process."""
    sys.modules.pop("own_encoders", None)
    keras.saving.get_custom_objects().pop("tests_cli>LengthEncoder", None)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return the paths of a module, of a model with its encoder, and of rows."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_encoders.py").write_text(MODULE, "utf-8")
    rows = pd.DataFrame({"word": ["a", "bbbb", "c", "dddd"] * 5, "y": ["s", "l", "s", "l"] * 5})
    rows.to_csv(folder / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        encoder = import_module("own_encoders").LengthEncoder("word")
        model = MultimodalEnsemble([encoder], verbose=0, random_state=0)
        model.fit(rows[["word"]], rows["y"]).save(folder / "model.mme")
    forget()
    return SimpleNamespace(folder=folder, model=folder / "model.mme", rows=folder / "rows.csv")


@pytest.fixture(autouse=True)
def _in_folder(own, monkeypatch):
    monkeypatch.chdir(own.folder)
    # The command adds the current folder.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    forget()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def arguments_of(command, own, folder):
    return {
        "predict": ("predict", own.model, own.rows, "--out", folder / "out.csv"),
        "evaluate": ("evaluate", own.model, own.rows, "--labels", "y"),
        "explain": ("explain", own.model, own.rows),
        "export": ("export", own.model, "--out", folder / "saved"),
        "serve": ("serve", own.model),
    }[command]


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_the_class_of_an_encoder_is_found_in_a_module_that_the_command_names(
    command, own, tmp_path
):
    arguments = arguments_of(command, own, tmp_path)
    result = run(*arguments)
    assert result.status == 1
    assert "Name the module that defines it with --import." in result.err
    result = run(arguments[0], "--import", "own_encoders", *arguments[1:])
    assert result.status == 0, result.err


@pytest.mark.parametrize("command", ["export", "serve"])
def test_commands_that_load_a_model_import_modules_first(command, own, tmp_path, monkeypatch):
    loaded = []

    def load(path, **_):
        loaded.append("own_encoders" in sys.modules)
        raise RuntimeError

    monkeypatch.setattr("multimodal_ensemble.estimators.load_estimator", load)
    monkeypatch.setattr("multimodal_ensemble.serving.serve", load)
    monkeypatch.setattr("multimodal_ensemble.cli._serve.check_address", lambda *_: None)
    arguments = arguments_of(command, own, tmp_path)
    assert "RuntimeError" in run(*arguments, "--import", "own_encoders").err
    assert loaded == [True]


def test_the_server_asks_whether_the_encoder_may_read_requests(own):
    result = run("serve", own.model, "--import", "own_encoders", "--port", free_port())
    assert result.status == 1
    assert "If it does not, name what it reads with --trusted-columns 'word'.\n" in result.err


def test_a_layer_of_another_package_is_asked_for_too(own, monkeypatch):
    def load(path):
        msg = "If you trust a package, import that package first. Nothing was imported."
        raise ArtefactError(msg)

    monkeypatch.setattr("multimodal_ensemble.estimators.load_estimator", load)
    result = run("explain", own.model, own.rows)
    assert result.err.endswith(
        "trust a package, name its module with --import. Nothing was imported.\n"
    )


def test_show_needs_no_module(own):
    result = run("show", own.model)
    assert result.status == 0
    assert "word: LengthEncoder" in result.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--import broken: there is no module 'broken' in the folder '{}', and none is"),
        ("import absent_package", "ModuleNotFoundError: No module named 'absent_package'. Correct"),
        ("1 / 0", "could not be imported; it raised ZeroDivisionError: division by zero. Correct"),
        ("raise SystemExit(3)", "it raised SystemExit: 3. Correct it; --debug shows where"),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_error(text, message, own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "broken.py").write_text(text, "utf-8")
    result = run(*arguments_of("explain", own, tmp_path), "--import", "broken")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error: --import broken: ")
    assert message.format(tmp_path) in result.err


@pytest.mark.parametrize("name", ["own_encoders.py", "a/b", "", "a..b"])
def test_the_name_of_a_file_is_no_module(name):
    result = run("explain", "a.mme", "b.csv", "--import", name)
    assert result.status == 2
    assert f"{name!r} is no name of a module; my_encoders is that of a file my_encod" in result.err


def test_modules_of_the_options_file_and_of_the_command_line_are_imported(tmp_path):
    (tmp_path / "options.toml").write_text('import = ["a", "b.c"]\n', "utf-8")
    options = ["--options", str(tmp_path / "options.toml")]
    values = _parse(["explain", "a.mme", "b.csv", *options, "--import", "d", "--import", "e"])
    assert getattr(values, "import") == ["a", "b.c", "d", "e"]
    (tmp_path / "options.toml").write_text('[serve]\nimport = "a"\n', "utf-8")
    assert getattr(_parse(["serve", "a.mme", *options]), "import") == ["a"]
    (tmp_path / "options.toml").write_text('import = "a.py"\n', "utf-8")
    result = run("serve", "a.mme", *options)
    assert result.status == 2
    assert "import: 'a.py' is no name of a module" in result.err


def test_completion_knows_the_option():
    pytest.importorskip("shtab")
    assert "--import" in run("--print-completion", "bash").out


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("value", "no length."),
        ("modality", "no length."),
        ("file", "No such file or directory ('absent.wav')."),
        ("key", "KeyError: 'key'. This was not expected; the option --debug shows where it"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_an_error_of_an_encoder_names_the_modality_the_method_and_the_rows(
    command, value, message, own, tmp_path
):
    path = tmp_path / "rows.csv"
    path.write_text(f"word,y\na,s\na,s\n{value},l\n", "utf-8")
    (tmp_path / "out.csv").write_text("before", "utf-8")
    arguments = [
        path if each is own.rows else each for each in arguments_of(command, own, tmp_path)
    ]
    size = ("--block", "2") if command == "predict" else ()
    result = run(*arguments, *size, "--import", "own_encoders")
    assert (result.status, result.out) == (1, "")
    rows = "row 3" if command == "predict" else "rows 1 to 3"
    last = result.err.splitlines()[-1]
    assert last.startswith(f"error: {message}")
    assert last.endswith(
        f" Raised by LengthEncoder.encode of modality 'word'. It was raised for {rows} of the file."
    )
    assert {each.name for each in tmp_path.iterdir()} == {"rows.csv", "out.csv"}
    assert (tmp_path / "out.csv").read_text("utf-8") == "before"


def test_an_error_about_a_row_leaves_out_the_row_alone(own, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("word,y\na,s\nrow,s\na,l\n", "utf-8")
    options = ("--out", tmp_path / "out.csv", "--import", "own_encoders", "--json")
    result = run("predict", own.model, path, *options)
    assert [each["row"] for each in result.value["bad_rows"]] == [2]
