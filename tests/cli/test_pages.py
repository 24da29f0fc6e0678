"""The commands that all pages show: their programs accept them, and the tutorial's ones run."""

import argparse
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from multimodal_ensemble.cli import main
from multimodal_ensemble.cli._commands import COMMANDS
from tests.cli.running import run

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "from_command_line.md"
PAGES = sorted(
    path
    for folder in ("docs", "examples")
    for path in (ROOT / folder).rglob("*.md")
    # A build copies pages there.
    if not {"_build", "generated", "pictures"} & set(path.parts)
)
PAGES += sorted(ROOT.glob("*.md"))
# The programs of this repository, by the words that start them.
PROGRAM = re.compile(r"(multimodal-ensemble|python -m (?:examples|benchmarks)[\w.]*) (.*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands_of(path):
    """Return the program and the arguments of each command in the shell code of a page."""
    found = []
    for block in re.findall(r"^ *```sh\n(.*?)```", path.read_text("utf-8"), re.DOTALL | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            if match := PROGRAM.match(line.strip()):
                found.append((match[1], shlex.split(match[2], comments=True)))
    return found


COMMANDS_OF_PAGES = [
    pytest.param(program, arguments, id=f"{path.stem}: {shlex.join(arguments)[:60]}")
    for path in PAGES
    for program, arguments in commands_of(path)
]


class ParsedError(Exception):
    """The arguments are valid, and the program goes no further."""


@pytest.mark.parametrize(("program", "arguments"), COMMANDS_OF_PAGES)
def test_the_program_accepts_the_arguments(program, arguments, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self, *args, **options):
        parse(self, *args, **options)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    if arguments == ["--help"]:
        with pytest.raises(SystemExit) as ended:
            start(program)
        assert ended.value.code == 0
    else:
        with pytest.raises(ParsedError):
            start(program)


def start(program):
    """Call the main function of a program; it reads its arguments from ``sys.argv``."""
    if program == "multimodal-ensemble":
        return main()
    module = program.removeprefix("python -m ")
    if importlib.util.find_spec(module).submodule_search_locations is not None:
        module += ".__main__"
    return importlib.import_module(module).main()


def test_pages_have_commands_of_each_kind():
    programs = [param.values[0] for param in COMMANDS_OF_PAGES]
    assert programs.count("multimodal-ensemble") >= 20
    assert {"python -m benchmarks", "python -m examples.movielens_genres"} <= set(programs)


@pytest.mark.parametrize("path", [ROOT / "docs" / "reference" / "command_line.md", TUTORIAL])
def test_options_in_the_text_exist(path):
    options = {"--help", "--version", "--print-completion"}
    options |= {"--json", "--quiet", "--debug", "--options"}
    for command in COMMANDS:
        command.add_arguments(lambda *names, **_: options.update(names))
    mentioned = set(OPTION.findall(path.read_text("utf-8")))
    assert mentioned
    assert mentioned <= options


@pytest.fixture
def icons(tmp_path, monkeypatch):
    """Write a small file with the columns of the tutorial, and go to its folder."""
    (tmp_path / "icons").mkdir()
    lines = ["icon,terms,name,picture,categories"]
    for row in range(60):
        kinds = ["Animals"] * (row % 2) + ["Maps"] * (row // 2 % 2) + ["Arrows"] * (row % 3 == 0)
        terms = ", ".join(["paw"] * (row % 2) + ["street"] * (row // 2 % 2) + ["sign"])
        Image.new("RGB", (9, 9), (200 * (row % 2), 90, 3 * row)).save(tmp_path / f"icons/{row}.png")
        lines.append(f'icon-{row},"{terms}",Icon {row % 7},icons/{row}.png,{"|".join(kinds)}')
    (tmp_path / "icons.csv").write_text("\n".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run(icons, monkeypatch):
    served = []
    serving = SimpleNamespace(serve=lambda path, **options: served.append(path))
    monkeypatch.setitem(sys.modules, "multimodal_ensemble.serving", serving)
    commands = [arguments for _, arguments in commands_of(TUTORIAL)]
    names = ["inspect", "train", "predict", "explain", "compare", "export", "serve"]
    assert [arguments[0] for arguments in commands] == names
    for arguments in commands:
        if arguments[0] == "export" and importlib.util.find_spec("tf2onnx") is None:
            continue
        if "--backbone" in arguments:
            arguments += ["--weights", "random", "--image-size", "32"]
        # The file has fewer rows than the icons.
        smaller = {"700": "7", "5": "2"}
        result = run(*(smaller.get(each, each) for each in arguments))
        assert result.status == 0, result.err
    assert served == ["icons.mme"]
    assert (icons / "icons.html").is_file()
    assert (icons / "predictions.csv").read_text("utf-8").count("\n") == 61
