"""The commands of the page run as written, except for the weights, which would be downloaded."""

import re
import shlex
from pathlib import Path

import pytest

from multimodal_ensemble.cli._commands import COMMANDS
from multimodal_ensemble.cli._main import _parse
from tests.cli.running import run
from tests.products import write_products

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "command_line.md").read_text("utf-8")


def commands_of(text):
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("multimodal-ensemble ")]


@pytest.mark.slow
def test_the_commands_run(tmp_path, monkeypatch):
    write_products(tmp_path, 120)
    monkeypatch.chdir(tmp_path)
    commands = commands_of(PAGE)
    assert len(commands) == 8
    for arguments in commands:
        is_trained = "--backbone" in arguments
        small = ["--weights", "random", "--image-size", "32"] if is_trained else []
        result = run(*arguments, *small)
        assert result.status == 0, result.err
    assert (tmp_path / "report.html").is_file()


def test_the_table_lists_all_commands():
    assert re.findall(r"^\| `(\w+) [A-Z]", PAGE, re.MULTILINE) == [each.name for each in COMMANDS]


def test_the_options_file_is_valid(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "options.toml").write_text(text, "utf-8")
    values = _parse(["train", "products.csv", "--options", str(tmp_path / "options.toml")])
    assert (values.test_size, values.seed) == (0.25, 1)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_each_command(command):
    result = run(command.name, "--help")
    assert result.status == 0
    assert "--json" in result.out
