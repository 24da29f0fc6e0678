"""Images of a file that cannot be found, as when --root is forgotten."""

from types import SimpleNamespace

import pandas as pd
import pytest

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._images import ImageSearch, check_images
from tests.cli.running import run


@pytest.fixture
def moved(products, tmp_path):
    """Return a file of eight rows in a folder without images; row 8 has none in any folder."""
    path = tmp_path / "moved.csv"
    pd.read_csv(products, dtype=str)[:8].to_csv(path, index=False)
    return path


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_a_forgotten_root_is_an_error(command, trained, moved, folder, tmp_path):
    out = ("--out", tmp_path / "out.csv") if command == "predict" else ()
    result = run(command, trained.path, moved, *out)
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines()[-1] == (
        "error: No image of the file can be found. The first of 8 is 'images/0.png' in the column "
        f"'photo', sought in the folder {str(tmp_path)!r}. Name the folder that relative paths "
        "start from with --root; a file without that column is read as rows without images."
    )
    assert [*tmp_path.iterdir()] == [moved]
    result = run(command, trained.path, moved, *out, "--root", folder)
    assert result.status == 0, result.err


def test_an_absent_image_is_explained_if_others_of_the_file_are_found(trained, products):
    result = run("explain", trained.path, products, "--rows", "8", "--labels", "Garden")
    assert result.status == 0
    assert "images/lost/7.png" in result.err


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_rows_without_any_path_have_no_image(command, trained, moved, tmp_path):
    pd.read_csv(moved, dtype=str).assign(photo="").to_csv(moved, index=False)
    out = ("--out", tmp_path / "out.csv") if command == "predict" else ()
    result = run(command, trained.path, moved, *out)
    assert result.status == 0, result.err


def test_small_blocks_do_not_end_the_search(trained, moved, tmp_path):
    # The image of the last row is found.
    (tmp_path / "images" / "lost").mkdir(parents=True)
    (tmp_path / "images" / "lost" / "7.png").touch()
    options = ("--out", tmp_path / "out.csv", "--block")
    for n_rows in (2, 3):
        assert run("predict", trained.path, moved, *options, n_rows).status == 0
    (tmp_path / "images" / "lost" / "7.png").unlink()
    for n_rows in (2, 3):
        result = run("predict", trained.path, moved, *options, n_rows)
        assert "No image of the file can be found" in result.err


def test_the_search_ends_after_many_rows(trained, moved, tmp_path, monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.cli._predict._ROWS_PER_BLOCK", 4)
    scored = []
    monkeypatch.setattr("multimodal_ensemble.cli._predict.score_rows", scored.append)
    options = ("--out", tmp_path / "out.csv", "--block", "4")
    result = run("predict", trained.path, moved, *options)
    assert "The first of 4 is " in result.err
    assert not scored


def encode(**options):
    encoder = ImageEncoder("photo", backbone="MobileNet", weights=None, **options)
    return SimpleNamespace(encoders_=[encoder])


@pytest.mark.parametrize(
    "found", ["https://example.org/a.png", "data:image/png;base64,AA==", b"content", "here.png"]
)
def test_images_that_are_no_absent_paths_end_the_search(found, tmp_path):
    (tmp_path / "here.png").touch()
    check_images(encode(root=tmp_path), pd.DataFrame({"photo": ["absent.png", found]}))


def test_an_absent_absolute_path_is_an_error_also_where_images_are_needed(tmp_path):
    table = pd.DataFrame({"photo": [str(tmp_path / "absent.png"), "x" * 5000]})
    with pytest.raises(CommandError, match=r"first of 2 is .*absent\.png'.*with --root\.$"):
        check_images(encode(), table)


def test_each_of_several_images_of_a_row_is_looked_for(tmp_path):
    model = encode(root=tmp_path, items="mean", delimiter="|")
    table = pd.DataFrame({"photo": ["a.png|b.png", None, '["c.png"]', ["d.png"]]})
    search = ImageSearch(model)
    search.add(table)
    assert search.n_absent == 4
    with pytest.raises(CommandError, match=r"'a\.png'"):
        search.finish()
    (tmp_path / "b.png").touch()
    check_images(model, table)


def test_a_file_may_lack_the_column_of_images():
    check_images(encode(optional=True), pd.DataFrame({"x": [1]}))
