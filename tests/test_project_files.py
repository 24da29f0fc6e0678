"""What files around the library say of each other: commands, versions, Pythons."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import multimodal_ensemble
from tests.install_wheel import USES

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "checks.yml"


def targets_in(text):
    """Return what `make` is called with in code or in a shell script."""
    calls = re.findall(r"(?:`|^ *|run: )make ((?:[a-z][\w-]* ?)+)", text, re.MULTILINE)
    return {name for call in calls for name in call.split()}


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", ".github/workflows/checks.yml", ".github/pull_request_template.md"]
)
def test_every_make_target_exists(name):
    targets = targets_in((ROOT / name).read_text(encoding="utf-8"))
    assert targets >= {"test", "lint", "types"}
    assert targets <= TARGETS


def test_phony_lists_every_target():
    (line,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    assert set(line.split()) == TARGETS


def test_the_workflow_runs_what_ci_runs():
    lines = re.findall(r"^(?:step|beside) (.*)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    commands = {name for line in lines for name in line.replace('"', "").split()}
    workflow = targets_in(WORKFLOW.read_text(encoding="utf-8"))
    assert {name for name in commands if not name.startswith(".")} == workflow


def test_the_workflow_has_every_supported_python():
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    pythons = jobs["tests"]["strategy"]["matrix"]["python"]
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    supported = re.findall(pattern, "\n".join(PROJECT["classifiers"]))
    # The workflow may try newer ones.
    assert pythons[: len(supported)] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


def test_forms_for_issues_can_be_read():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem != "config":
            assert {"name", "description", "body"} <= set(form)
            assert all(part["type"] in {"markdown", "textarea"} for part in form["body"])


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_links_and_paths_lead_to_files(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"\]\((?!http)([^)#]+)", text)
    paths += re.findall(
        r"(?<=[` ])((?:\.github|benchmarks|docs|examples|src|tests)/[\w./-]*)", text
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_versions_agree():
    version = multimodal_ensemble.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert releases[:1] in ([], [version])


def test_the_check_of_wheels_uses_every_extra():
    assert {"", *PROJECT["optional-dependencies"]} == set(USES)
