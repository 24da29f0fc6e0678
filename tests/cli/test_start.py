"""The start of the command, before anything slow is needed."""

import pkgutil
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
    assert "pip install 'multimodal-ensemble[completion]'" in result.err


def test_the_server_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "multimodal_ensemble.serving", None)
    (tmp_path / "model.mme").touch()
    result = run("serve", tmp_path / "model.mme")
    assert result.status == 1
    assert "pip install 'multimodal-ensemble[serve]'" in result.err


def test_the_server_gets_the_file_the_address_and_the_port(tmp_path, monkeypatch):
    calls = []
    serving = SimpleNamespace(serve=lambda path, **options: calls.append((path, options)))
    monkeypatch.setitem(sys.modules, "multimodal_ensemble.serving", serving)
    path = tmp_path / "a model.mme"
    path.touch()
    assert run("serve", path, "--port", "8001").status == 0
    assert run("serve", path, "--fetch-images", "--allowed-hosts", "a.org", "b.org").status == 0
    common = {"host": "127.0.0.1"}
    assert calls == [
        (str(path), common | {"port": 8001, "fetch": None, "allowed_hosts": []}),
        (
            str(path),
            common | {"port": 8000, "fetch": FetchOptions(), "allowed_hosts": ["a.org", "b.org"]},
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
