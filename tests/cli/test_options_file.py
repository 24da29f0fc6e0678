"""Options in a TOML file."""

import pytest

from multimodal_ensemble.cli._main import _parse
from tests.cli.running import run


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "options.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_options_of_a_file_and_the_command_line_wins(write):
    path = write(
        'labels = "genres"\nseed = 3\nport = 80\nquiet = true\n'
        '[train]\nout = "a.mme"\ntags = ["x", "y"]\ntest-size = 0.25\n[predict]\nout = "b.csv"\n'
    )
    values = _parse(["train", "data.csv", "--options", path, "--seed", "5"])
    assert values.labels == ["genres"]
    assert values.tags == ["x", "y"]
    assert values.test_size == 0.25
    assert (values.out, values.seed, values.quiet) == ("a.mme", 5, True)
    assert values.data == "data.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense = 1", "there is no option 'nonsense' for show"),
        ("[nonsense]\na = 1", "there is no command 'nonsense'"),
        ("[show]\nseed = 1", "there is no option 'seed' for show"),
        ("a = ", "is not valid TOML"),
        ("json = 1", "json must be true or false. Received 1"),
        ("[train]\nseed = [1]", None),
    ],
)
def test_bad_files_are_refused(text, message, write):
    result = run("show", "absent.mme", "--options", write(text))
    if message is None:
        assert result.status == 1
    else:
        assert result.status == 2
        assert message in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = [1]", "seed takes a text or a number. Received [1]"),
        ('seed = "x"', "seed: 'x' is no whole number of at least 0"),
        ('model = "tree"', "model must be one of ensemble, network. Received 'tree'"),
        ("test-size = 2", "'2' is no number between 0 and 1"),
    ],
)
def test_values_are_checked_as_on_the_command_line(text, message, write):
    result = run("train", "data.csv", "--options", write(text))
    assert result.status == 2
    assert message in result.err


def test_an_absent_file_is_refused(tmp_path):
    result = run("show", "a.mme", "--options", tmp_path / "absent.toml")
    assert result.status == 2
    assert "cannot be read: No such file or directory" in result.err


def test_columns_of_labels_are_no_labels_to_explain(write):
    values = _parse(["explain", "a.mme", "b.csv", "--options", write('labels = "genres"\n')])
    assert values.labels is None
    path = write('labels = "genres"\n[explain]\nlabels = ["Drama"]\n')
    assert _parse(["explain", "a.mme", "b.csv", "--options", path]).labels == ["Drama"]


def test_a_byte_order_mark_is_no_part_of_the_options(write):
    values = _parse(["show", "a.mme", "--options", write("\ufeffjson = true\n")])
    assert values.json


def test_an_empty_list_is_refused(write):
    result = run("train", "data.csv", "--out", "a.mme", "--options", write("labels = []\n"))
    assert result.status == 2
    assert "labels is an empty list" in result.err


def test_options_without_a_file_name_the_command():
    result = run("train", "--options")
    assert result.status == 2
    assert "Try multimodal-ensemble --help." in result.err
