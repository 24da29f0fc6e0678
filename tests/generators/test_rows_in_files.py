"""Rows that do not fit into memory: in files, in the order of the table, read block by block."""

import copy
import errno
import os
import tempfile
import tracemalloc
from unittest.mock import Mock

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_array

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
    _table_files,
)
from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._tables import from_arrow
from multimodal_ensemble.encoders import Augmentation
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.generators import _read_rows as module
from multimodal_ensemble.generators._row_files import ROWS_PER_BLOCK, DenseRowFile, SparseRowFile
from multimodal_ensemble.generators._row_order import BlockOrder
from multimodal_ensemble.generators._row_sources import EncodedRows
from multimodal_ensemble.generators._row_writer import RowWriter
from tests import toys

N_ROWS = 600
WORDS = ["space", "war", "love", "paris", "dog"]


@pytest.fixture
def small_memory(monkeypatch):
    """Keep no features in memory, and read few rows at once."""
    monkeypatch.setattr(module, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_table_files, "_ROWS_PER_PART", 256)
    monkeypatch.setattr(module, "_MIN_CACHED", 1)
    monkeypatch.setattr(module, "_CACHED_BYTES", 0)


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(1)
    posters = [
        np.full((8, 8, 3), level, dtype=np.uint8) for level in generator.integers(256, size=N_ROWS)
    ]
    tags = [
        None if row % 7 == 0 or row < 300 else generator.choice(WORDS, size=row % 4).tolist()
        for row in range(N_ROWS)
    ]
    numbers = generator.normal(size=N_ROWS)
    return pd.DataFrame({"poster": posters, "tags": tags, "number": numbers})


@pytest.fixture(scope="module")
def y():
    return np.stack([np.arange(N_ROWS) % 2 == 0, np.arange(N_ROWS) % 3 == 0], axis=1)


@pytest.fixture(scope="module")
def encoders(table):
    return [
        toys.make_poster(),
        BagOfWordsEncoder("tags", optional=True).fit(table["tags"].dropna()),
        DenseEncoder("number").fit(table["number"]),
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("store"))


def all_rows(dataset):
    return dataset.encode_rows(np.arange(dataset.n_samples))


def assert_same(inputs, others):
    assert inputs.keys() == others.keys()
    for name in inputs:
        np.testing.assert_array_equal(inputs[name], others[name], strict=True)


# -- files -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_file_returns_the_rows_that_were_written(data):
    sizes = data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=4))
    generator = np.random.default_rng(data.draw(st.integers(0, 9)))
    rows = csr_array(generator.poisson(0.2, (sum(sizes), 7)).astype(np.float32))
    sparse = SparseRowFile(7)
    dense = DenseRowFile((7,), np.float32, n_variants=2, is_half=False)
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        part = rows[start : start + size]
        sparse.append(part)
        dense.append(np.stack([part.toarray(), -part.toarray()]))
    start = data.draw(st.integers(0, len(dense_rows := rows.toarray())))
    stop = data.draw(st.integers(start, len(dense_rows)))
    np.testing.assert_array_equal(dense.read(start, stop), dense_rows[start:stop])
    if sparse.n_rows:
        np.testing.assert_array_equal(sparse.read(start, stop).toarray(), dense_rows[start:stop])


def test_half_precision_is_that_of_the_store(store, table, small_memory):
    poster = toys.make_poster()
    features = store.get_features(poster, table["poster"], verbose=0)
    dataset = MultimodalDataset(table, [poster], store=store, verbose=0)
    stored = dataset.features["poster"]
    assert stored.is_half
    assert stored.shape == features.shape
    np.testing.assert_array_equal(stored[100:400], features[100:400], strict=True)


def test_processes_that_share_a_file_read_independently():
    # A forked process shares the position of an open file.
    file = DenseRowFile((2,), np.float32, n_variants=1, is_half=False)
    file.append(np.arange(20, dtype=np.float32).reshape(1, 10, 2))
    before = os.lseek(file._file.fileno(), 0, os.SEEK_CUR)
    assert file.read(3, 5).tolist() == [[6, 7], [8, 9]]
    assert os.lseek(file._file.fileno(), 0, os.SEEK_CUR) == before


def test_a_full_disk_is_explained():
    file = DenseRowFile((1,), np.float32, n_variants=1, is_half=False)
    file._file = Mock(write=Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match=r"No space left.* TMPDIR to a folder") as error:
        file.append(np.zeros((1, 5, 1), np.float32))
    assert error.value.errno == errno.ENOSPC


def test_values_of_one_place_of_a_sparse_row_are_added():
    rows = csr_array((np.ones(3, np.float32), np.array([1, 1, 0]), np.array([0, 2, 3])), (2, 3))
    file = SparseRowFile(3)
    file.append(rows)
    taken = file.take([(file.read_block(0), np.array([0, 1]))], None)
    assert taken.tolist() == file.read(0, 2).toarray().tolist() == [[0, 2, 0], [1, 0, 0]]


# -- order -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 5), st.data())
def test_a_block_order_has_each_row_once(n_rows, rows_per_block, blocks_per_group, data):
    order = BlockOrder(
        n_rows, rows_per_block=rows_per_block, blocks_per_group=blocks_per_group, seed=[3, 1]
    )
    everything = order.rows(0, n_rows + 5)
    assert sorted(everything.tolist()) == list(range(n_rows))
    start = data.draw(st.integers(0, n_rows))
    stop = data.draw(st.integers(start, n_rows))
    np.testing.assert_array_equal(order.rows(start, stop), everything[start:stop])


def test_a_block_order_needs_few_blocks_at_once():
    order = BlockOrder(2000, rows_per_block=10, blocks_per_group=8, seed=[0])
    for start in range(0, 2000, 80):
        assert len(np.unique(order.rows(start, start + 80) // 10)) <= 8


# -- data sets -------------------------------------------------------------------------------


def test_rows_in_files_are_those_in_memory(table, y, encoders, store, small_memory, monkeypatch):
    in_files = MultimodalDataset(table, encoders, y, store=store, shuffle=True, seed=2, verbose=0)
    monkeypatch.undo()
    in_memory = MultimodalDataset(table, encoders, y, store=store, shuffle=True, verbose=0)
    assert isinstance(in_memory.features["poster"], np.ndarray)
    assert not isinstance(in_files.features["poster"], np.ndarray)
    assert in_files.has_vectors_only == in_memory.has_vectors_only
    assert_same(all_rows(in_files), all_rows(in_memory))
    in_files.begin_pass(3)
    order = in_files.order_of(3)
    assert sorted(order.tolist()) == list(range(N_ROWS))
    assert order.tolist() != in_files.order_of(4).tolist()
    seen = []
    for batch in range(len(in_files)):
        inputs, labels = in_files[batch]
        rows = order[batch * 32 : (batch + 1) * 32]
        assert_same(inputs, in_memory.encode_rows(rows))
        np.testing.assert_array_equal(labels, y[rows])
        seen += rows.tolist()
    assert len(seen) == N_ROWS
    matrix = in_files.feature_matrix("tags")
    assert matrix.is_sparse
    np.testing.assert_array_equal(
        matrix[250:500].toarray(), in_memory.feature_matrix("tags")[250:500].toarray()
    )


def test_a_modality_may_be_missing_in_all_rows(table, y, encoders, store, small_memory):
    absent = table.assign(tags=None)
    dataset = MultimodalDataset(absent, encoders, y, store=store, verbose=0)
    rows = all_rows(dataset)
    assert not rows["tags"].any()
    assert not dataset.present("tags").any()


def test_rows_without_a_bag_take_no_memory():
    tags = BagOfWordsEncoder("tags", optional=True).fit([[f"t{n}" for n in range(20_000)]])
    absent = EncodedRows(tags, [], np.zeros(256, dtype=bool), np.arange(256), augment=False)
    writer = RowWriter(tags, None)
    tracemalloc.start()
    writer.append(absent, has_any=False)
    file = writer.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.n_rows == 256
    # A dense matrix would take 20 MB.
    assert peak < 1_000_000


def test_no_rows_are_encoded_as_no_rows(table, encoders, store, small_memory):
    dataset = MultimodalDataset(table, encoders, store=store, verbose=0)
    nothing = dataset.encode_rows(np.zeros(0, dtype=int))
    assert {name: len(rows) for name, rows in nothing.items()} == dict.fromkeys(nothing, 0)


def test_views_are_those_in_memory(table, y, store, small_memory, monkeypatch):
    poster = toys.make_poster(augmentation=Augmentation(keras.layers.RandomFlip(), views=2))
    options = {"store": store, "shuffle": True, "verbose": 0}
    in_files = MultimodalDataset(table[:300], [poster], y[:300], **options)
    monkeypatch.undo()
    in_memory = MultimodalDataset(table[:300], [poster], y[:300], **options)
    rows, views = np.array([280, 3, 3, 257]), np.array([1, 0, 1, 0])
    np.testing.assert_array_equal(
        in_files._rows["poster"].take(rows, views), in_memory._rows["poster"].take(rows, views)
    )


def test_dropped_rows_have_their_positions(table, y, store, small_memory, tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no image")
    posters = table["poster"].tolist()
    posters[3] = posters[257] = str(damaged)
    poster = toys.make_poster(on_error="drop")
    weight = np.arange(N_ROWS) + 1.0
    with pytest.warns(UserWarning, match="unreadable|cannot be read"):
        dataset = MultimodalDataset(
            {"poster": posters}, [poster], y, store=store, sample_weight=weight, verbose=0
        )
    assert dataset.dropped["row"].tolist() == [3, 257]
    assert dataset.n_samples == N_ROWS - 2
    kept = np.delete(np.arange(N_ROWS), [3, 257])
    np.testing.assert_array_equal(dataset.y, y[kept])
    np.testing.assert_array_equal(dataset.sample_weight, weight[kept])
    assert len(dataset.raw) == N_ROWS - 2


def test_an_error_names_the_row_of_the_table(table, y, store, small_memory):
    wrong = table["poster"].tolist()
    wrong[301] = "absent.png"
    with pytest.raises(ImageReadError, match="absent") as error:
        MultimodalDataset({"poster": wrong}, [toys.make_poster()], y, store=store, verbose=0)
    assert error.value.row == 301


# -- tables in files -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parquet(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    for start, stop in ((0, 250), (250, 260), (260, N_ROWS)):
        part = table[["tags", "number"]].iloc[start:stop]
        part.to_parquet(folder / f"part-{start:03d}.parquet", row_group_size=70)
    return folder


def test_a_table_in_files_has_the_rows_of_the_files(table, parquet):
    opened = TableFile.open(parquet)
    assert opened.columns == ["tags", "number"]
    assert len(opened) == N_ROWS
    blocks = list(opened.blocks(128))
    assert [len(block) for block in blocks] == [128] * 4 + [88]
    joined = pd.concat(blocks)
    assert joined.index.tolist() == list(range(N_ROWS))
    np.testing.assert_array_equal(joined["number"], table["number"])
    assert joined["tags"].tolist() == table["tags"].tolist()


@given(st.lists(st.integers(0, N_ROWS - 1), unique=True), st.integers(1, 200))
@settings(deadline=None, max_examples=30)
def test_some_rows_of_files(table, parquet, rows, n_rows):
    rows = np.array(sorted(rows), dtype=int)
    some = TableFile.open(parquet).take(rows)
    assert len(some) == len(rows)
    blocks = list(some.blocks(n_rows))
    read = np.concatenate([np.zeros(0), *(block["number"] for block in blocks)])
    np.testing.assert_array_equal(read, table["number"].iloc[rows])
    assert all(len(block) == n_rows for block in blocks[:-1])
    half = np.arange(0, len(rows), 2)
    np.testing.assert_array_equal(
        some.take(half).frame().get("number", []), table["number"].iloc[rows[half]]
    )


def test_a_data_set_of_a_parquet_folder(table, y, encoders, parquet, small_memory):
    in_files = MultimodalDataset(parquet, encoders[1:], y, verbose=0)
    in_memory = MultimodalDataset(table, encoders[1:], y, verbose=0)
    assert_same(all_rows(in_files), all_rows(in_memory))
    raw = in_files.peek(9).raw
    assert raw.index.tolist() == list(range(288, 320))
    assert raw["tags"].tolist() == table["tags"].iloc[288:320].tolist()


def test_the_size_of_a_file_is_that_of_its_values_in_memory(tmp_path):
    """Parquet writes equal texts once, and memory holds each of them."""
    tags = [[WORDS[row % 5], WORDS[row % 3], "a longer word"] for row in range(5_000)]
    table = pd.DataFrame({"number": np.arange(5_000.0), "tags": tags, "title": ["word"] * 5_000})
    table.to_parquet(tmp_path / "rows.parquet")
    file = TableFile.open(tmp_path / "rows.parquet")
    tracemalloc.start()
    frame = file.frame()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(frame) == 5_000
    assert 0.5 * held < file.n_bytes < 2 * held
    some = file.take(np.arange(1_000))
    assert some.n_bytes == file.n_bytes // 5


def test_an_optional_column_may_be_absent_from_files(parquet, encoders, small_memory):
    poster = toys.make_poster(optional=True)
    dataset = MultimodalDataset(parquet, [encoders[2], poster], verbose=0)
    rows = all_rows(dataset)
    assert rows["poster"].shape == (N_ROWS, 8, 8, 3)
    assert not dataset.present("poster").any()


def test_files_may_differ_in_types_and_have_values_in_folder_names(tmp_path):
    for year, values in ((2020, [1, 2]), (2021, [None, 2.5])):
        (tmp_path / f"year={year}").mkdir()
        part = pd.DataFrame({"value": values, "tags": [[], [] if year == 2020 else ["a"]]})
        part.to_parquet(tmp_path / f"year={year}" / "part.parquet")
    pd.DataFrame({"value": [7]}).to_parquet(tmp_path / "year=2021" / "tail.parquet")
    rows = TableFile.open(tmp_path).frame()
    assert rows["year"].tolist() == [2020, 2020, 2021, 2021, 2021]
    np.testing.assert_array_equal(rows["value"], [1, 2, np.nan, 2.5, 7])
    assert rows["tags"].tolist() == [[], [], [], ["a"], None]
    [narrow] = TableFile.open(tmp_path).select(["year"]).blocks(10)
    assert narrow["year"].tolist() == rows["year"].tolist()


def test_a_part_of_a_file_is_not_read_as_a_whole(tmp_path):
    path = tmp_path / "rows.parquet"
    contents = [np.random.default_rng(row).bytes(2_000) for row in range(10_000)]
    pd.DataFrame({"content": contents}).to_parquet(path)
    table = TableFile.open(path)
    before, peak = pa.total_allocated_bytes(), 0
    for number, block in enumerate(table.blocks(500)):
        assert block["content"].iloc[0] == contents[500 * number]
        peak = max(peak, pa.total_allocated_bytes() - before)
    # All rows are one part of the file, of 20 MB.
    assert peak < 10_000_000


def test_rows_of_large_values_are_read_in_smaller_parts(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    vectors = list(np.zeros((2_000, 100), np.float32))
    pd.DataFrame({"vector": vectors}).to_parquet(path, use_dictionary=False, compression=None)
    encoder = DenseEncoder("vector", scaling=None).fit(vectors[:10])
    monkeypatch.setattr(module, "_KEPT_BYTES", 2**20)
    dataset = MultimodalDataset(path, [encoder], verbose=0)
    assert not isinstance(dataset.feature_matrix("vector"), np.ndarray)
    monkeypatch.setattr(_table_files, "_BYTES_PER_PART", 2**18)
    n_rows = [len(block) for block in _table_files.blocks_of(TableFile.open(path))]
    assert sum(n_rows) == 2_000
    assert max(n_rows) < 500


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows_of_files(tmp_path, small_memory):
    peaks = []
    for n_rows in (4_000, 16_000):
        path = tmp_path / f"{n_rows}.parquet"
        vectors = np.random.default_rng(0).normal(size=(n_rows, 100)).astype(np.float32)
        pd.DataFrame({"vector": list(vectors)}).to_parquet(path, row_group_size=2_000)
        encoder = DenseEncoder("vector", scaling=None).fit(list(vectors[:10]))
        del vectors
        tracemalloc.start()
        dataset = MultimodalDataset(path, [encoder], shuffle=True, verbose=0)
        for batch in range(len(dataset)):
            dataset[batch]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # All vectors would be 4.8 MB more.
    assert peaks[1] - peaks[0] < 1_000_000


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("absent.parquet", FileNotFoundError, "There is no file or folder"),
        ("wrong.parquet", ValueError, "cannot be read as Parquet"),
        ("empty", ValueError, "has no Parquet files"),
    ],
)
def test_paths_without_a_table(tmp_path, name, error, message):
    (tmp_path / "wrong.parquet").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=message):
        TableFile.open(tmp_path / name)


def test_files_that_are_no_table_of_one_type(tmp_path):
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").mkdir()
    pd.DataFrame({"x": ["one"]}).to_parquet(tmp_path / "b.parquet" / "c.parquet")
    with pytest.raises(ValueError, match="must have the same type"):
        TableFile.open(tmp_path)
    column = pa.array([1])
    pq.write_table(pa.table([column, column], names=["x", "x"]), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="with distinct columns"):
        TableFile.open(tmp_path / "a.parquet")


def test_a_changed_file_is_not_mixed_with_the_one_that_was_opened(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pd.DataFrame({"x": range(100)})
    table.to_parquet(path)
    opened = TableFile.open(path)
    table.iloc[::-1].to_parquet(path, index=False)
    with pytest.raises(OSError, match=r"rows\.parquet' was changed or removed"):
        opened.frame()
    path.unlink()
    with pytest.raises(OSError, match=r"rows\.parquet' was changed or removed"):
        opened.frame()


def test_an_error_names_the_damaged_file(tmp_path):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"x": [f"{row}" * 50 for row in range(100)]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[200:900] = b"\xff" * 700
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"rows\.parquet' is damaged"):
        TableFile.open(path).frame()


def test_whole_numbers_stay_exact_where_some_are_missing():
    numbers = [2**60 + 1, None]
    large = pa.array([2**63 + 5, None], pa.uint64())
    frame = from_arrow(pa.table({"id": numbers, "large": large, "share": [0.5, None]}))
    assert frame["id"].tolist() == [2**60 + 1, pd.NA]
    assert frame["large"].tolist() == [2**63 + 5, pd.NA]
    assert frame["share"].dtype == np.float64


def test_a_failure_to_write_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"environment variable TMPDIR.*absent"):
        SparseRowFile(3)


def test_rows_in_a_temporary_file_are_not_copied():
    with pytest.raises(TypeError, match="Create the data set there"):
        copy.deepcopy(SparseRowFile(3))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes_read_the_same_file():
    file = DenseRowFile((500,), np.float32, n_variants=1, is_half=False)
    file.append(np.repeat(np.arange(2000, dtype=np.float32), 500).reshape(1, 2000, 500))
    child = os.fork()
    rows = np.random.default_rng(child).integers(2000, size=500).tolist()
    is_right = all(file.read(row, row + 1)[0, 0] == row for row in rows)
    if not child:
        os._exit(0 if is_right else 1)
    assert is_right
    assert os.waitpid(child, 0)[1] == 0


def test_blocks_have_the_size_that_tests_assume():
    assert ROWS_PER_BLOCK == 256
