"""The start of the command, before anything slow is needed."""

import json
import os
import pkgutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from multimodal_ensemble._version import __version__
from multimodal_ensemble.cli import main
from multimodal_ensemble.images import FetchOptions
from tests.cli.running import run

_SCRIPT = """
import sys
from multimodal_ensemble.cli import main
print("multimodal_ensemble.cli._main" in sys.modules, file=sys.stderr)
for arguments in (["--help"], ["--version"], ["show", "--help"], ["nonsense"], [],
                  ["train"], ["show", "absent.mme"], ["predict", "a.mme", "b.csv", "--out", "c"]):
    print(main(arguments), file=sys.stderr)
slow = {"tensorflow", "keras", "pandas", "numpy", "sklearn", "scipy", "joblib", "shtab"}
print(sorted(slow & {*sys.modules}), file=sys.stderr)
"""


def test_help_and_errors_of_usage_import_nothing_slow():
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    # Ctrl-C is handled before the commands are imported.
    assert lines[0] == "False"
    assert lines[-1] == "[]"
    assert [line for line in lines if line.isdigit()] == list("00022211")
    assert f"multimodal-ensemble {__version__}" in done.stdout
    assert "Exit status: 0 done; 1 the data or a file cannot be used" in done.stdout


def test_the_package_can_be_run():
    command = [sys.executable, "-m", "multimodal_ensemble", "show", "absent.mme"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: There is no file 'absent.mme'.\n"
    assert done.stdout == ""


def test_the_entry_point_is_the_command():
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    scripts = tomllib.loads(pyproject.read_text("utf-8"))["project"]["scripts"]
    assert pkgutil.resolve_name(scripts["multimodal-ensemble"]) is main


def test_ctrl_c_while_the_command_starts_prints_no_traceback(monkeypatch):
    class Interrupted:
        def find_spec(self, name, *_):
            if name == "multimodal_ensemble.cli._main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "multimodal_ensemble.cli._main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    result = run("show", "absent.mme")
    assert (result.status, result.out, result.err) == (130, "", "\nInterrupted.\n")


def test_options_cannot_be_abbreviated():
    result = run("show", "a.mme", "--jso")
    assert result.status == 2
    assert "Try multimodal-ensemble --help." in result.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell):
    pytest.importorskip("shtab")
    result = run("--print-completion", shell)
    assert result.status == 0
    assert "predict" in result.out


def test_completion_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    result = run("--print-completion", "bash")
    assert result.status == 2
    assert "pip install shtab" in result.err


def test_the_server_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "multimodal_ensemble.serving", None)
    (tmp_path / "model.mme").touch()
    result = run("serve", tmp_path / "model.mme")
    assert result.status == 1
    assert "pip install starlette uvicorn python-multipart" in result.err


def test_the_server_gets_the_file_the_address_and_the_port(tmp_path, monkeypatch):
    calls = []
    # Another program may listen on these ports.
    monkeypatch.setattr("multimodal_ensemble.cli._serve.check_address", lambda *_: None)
    serving = SimpleNamespace(serve=lambda path, **options: calls.append((path, options)))
    monkeypatch.setitem(sys.modules, "multimodal_ensemble.serving", serving)
    path = tmp_path / "a model.mme"
    path.touch()
    assert run("serve", path, "--port", "8001").status == 0
    further = ("--allowed-hosts", "a.org", "b.org", "--trusted-columns", "word")
    assert run("serve", path, "--fetch-images", *further).status == 0
    common = {"host": "127.0.0.1"}
    assert calls == [
        (
            str(path),
            common | {"port": 8001, "fetch": None, "allowed_hosts": [], "trusted_columns": ()},
        ),
        (
            str(path),
            common
            | {"port": 8000, "fetch": FetchOptions(), "allowed_hosts": ["a.org", "b.org"]}
            | {"trusted_columns": ("word",)},
        ),
    ]


def test_an_unexpected_error_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "model.mme").touch()

    def fail(path):
        raise KeyError(path.name)

    monkeypatch.setattr("multimodal_ensemble.cli._serve.check_exists", fail)
    result = run("serve", tmp_path / "model.mme")
    assert result.status == 1
    assert result.err == (
        "error: KeyError: 'model.mme'. This was not expected; the option --debug shows where it "
        "happened.\n"
    )


@pytest.fixture
def nothing_loads(monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.cli._serve.import_tensorflow", None)


@pytest.mark.usefixtures("nothing_loads")
def test_a_port_that_is_taken_is_found_before_anything_is_loaded(tmp_path):
    (tmp_path / "model.mme").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", tmp_path / "model.mme", "--port", port)
    assert result.status == 1
    assert result.err == (
        f"error: The server cannot listen on port {port} of '127.0.0.1': Address already in use. "
        "Name another port with --port, or another address with --host.\n"
    )


@pytest.mark.usefixtures("nothing_loads")
@pytest.mark.parametrize("host", ["no.such.host.invalid", "::zz", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine_is_refused(host, tmp_path):
    (tmp_path / "model.mme").touch()
    result = run("serve", tmp_path / "model.mme", "--host", host)
    assert result.status == 1
    assert f"cannot listen on port 8000 of {host!r}: " in result.err
    assert "while" not in result.err


def test_a_port_that_does_not_exist_is_refused():
    result = run("serve", "absent.mme", "--port", "70000")
    assert result.status == 2
    assert "'70000' is no port; the last one is 65535" in result.err


_STREAMS = """
import io, os, sys
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli import main
Console(as_json=True, is_quiet=False).show("", {"name": "Köln", "score": float("nan")})
sys.stdout.flush()
sys.stderr = None
assert main(["show", "absent.mme"]) == 1
"""


def test_json_is_valid_in_each_encoding_and_stderr_may_be_closed():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:backslashreplace"}
    command = [sys.executable, "-c", _STREAMS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == {"name": "Köln", "score": None}


_SHOW = """
import sys
from multimodal_ensemble.cli import main
assert main(["show", sys.argv[1]]) == 0
print(sorted({"tensorflow", "keras"} & {*sys.modules}))
"""


def test_show_imports_no_tensorflow(plain):
    command = [sys.executable, "-c", _SHOW, str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "keywords: BagOfWordsEncoder" in done.stdout
    assert done.stdout.endswith("[]\n")


_NOISE = """
import os
from multimodal_ensemble.cli._startup import _filtered_stderr
with _filtered_stderr():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are ...\\n")
    os.write(2, b"I0000 00:00:1795847919.083176    2132 cudart_stub.cc:31] No GPU.\\n")
    os.write(2, b"E0000 00:00:1795847919.083176    2132 cuda.cc:1] The driver is too old.\\n")
os.write(2, b"I0000 00:00:1795847919.083176    2132 later\\n")
"""


def test_start_lines_are_left_out_and_errors_are_not():
    command = [sys.executable, "-c", _NOISE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert first.endswith("The driver is too old.")
    assert second.endswith("later")


def test_a_reader_that_has_enough_is_no_error():
    command = [sys.executable, "-c", _PIPE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


_PIPE = """
import os
from multimodal_ensemble.cli._console import Console
read, write = os.pipe()
os.dup2(write, 1)
os.close(write)
os.close(read)
Console(as_json=False, is_quiet=False).show("text", {})
"""


_COMPLETION = """
import os, sys
from multimodal_ensemble.cli import main
read, write = os.pipe()
os.dup2(write, 1)
os.close(write)
os.close(read)
assert main(["--print-completion", "bash"]) == 0
"""


def test_a_reader_that_has_enough_of_a_completion_script_is_no_error():
    pytest.importorskip("shtab")
    command = [sys.executable, "-c", _COMPLETION]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
