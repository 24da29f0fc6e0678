"""A saved model is loaded, also in a new process; files that could do harm are refused."""

import copy
import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

from multimodal_ensemble import ImageEncoder, fuse_encoders, load_model
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from tests.fresh_process import run_fresh
from tests.toys import make_poster

CODE = """
import sys
import numpy as np
import multimodal_ensemble
model = multimodal_ensemble.load_model(sys.argv[1])
print(np.asarray(model({"poster": np.full((1, 8, 8, 3), 100.0)})).tolist())
"""


@pytest.mark.slow
def test_a_model_can_be_loaded_in_a_new_process(tmp_path):
    model = fuse_encoders([make_poster()], n_labels=2)
    model.save(tmp_path / "model.keras")
    printed = run_fresh(CODE, tmp_path / "model.keras")
    expected = np.asarray(model({"poster": np.full((1, 8, 8, 3), 100.0)}))
    np.testing.assert_allclose(eval(printed), expected, rtol=1e-6)


PIXELS = {"poster": np.full((2, 8, 8, 3), 100.0)}


@pytest.fixture(scope="module")
def fused():
    return fuse_encoders([make_poster()], n_labels=2)


@pytest.fixture(scope="module")
def members(fused, tmp_path_factory):
    """Return the members of a saved model by name."""
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    fused.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("of_file", "current"),
    [("float32", "mixed_float16"), ("mixed_bfloat16", "float32"), ("float64", "mixed_float16")],
)
def test_a_model_keeps_its_dtype_policy(of_file, current, tmp_path, restore_dtype_policy):
    keras.config.set_dtype_policy(of_file)
    model = fuse_encoders([make_poster()], n_labels=2)
    model.save(tmp_path / "model.keras")
    expected = np.asarray(model(PIXELS))
    keras.config.set_dtype_policy(current)
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(PIXELS)), expected)
    assert keras.config.dtype_policy().name == current


@pytest.fixture
def restore_dtype_policy():
    current = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(current)


def test_compiled_models_and_vocabularies_in_assets_load(tmp_path):
    words = keras.layers.TextVectorization(output_mode="multi_hot")
    words.adapt(["a b", "c"])
    model = keras.Sequential([keras.Input((), dtype="string"), words, keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=[keras.metrics.AUC()])
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_vocabulary() == words.get_vocabulary()
    assert not loaded.compiled


def layer(class_name, module="keras.layers", /, **config):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


TENSOR = {"value": [1.0], "dtype": "float32"}
KERAS_TENSOR = {
    "class_name": "__keras_tensor__",
    "config": {"shape": [None, 4], "dtype": "float32", "keras_history": ["x", 0, 0]},
}


def with_call(*arguments):
    """Return a model that calls an operation on constants: Keras computes it while loading."""
    x = layer("InputLayer", batch_shape=[None, 4], name="x")
    tile = layer("Tile", "keras.src.ops.numpy", name="tile", repeats=[10, 10])
    call = {"args": arguments, "kwargs": {}}
    layers = [x | {"name": "x", "inbound_nodes": []}, tile | {"name": "tile"}]
    layers[1]["inbound_nodes"] = [call]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["x", 0, 0]]}
    return layer("Functional", "keras.src.models.functional", name="f", layers=layers, **ends)


PRIVATE_LOOKUP = "keras.src.layers.preprocessing.index_lookup"
ATTACKS = {
    "command": layer("Lambda", name="x", function=function("os", "system"), arguments={}),
    "activation": layer("Dense", units=2, activation=function("posix", "system")),
    "download": layer("Dense", units=2, activation=function("keras.utils", "get_file")),
    "private lookup": layer("IndexLookup", PRIVATE_LOOKUP, vocabulary=__file__),
    "lookup": layer("StringLookup", vocabulary=__file__),
    "wrapped": layer("TimeDistributed", layer=layer("TextVectorization", vocabulary=__file__)),
    "call of a constant": with_call({"class_name": "__tensor__", "config": TENSOR}),
    "call without arguments": with_call(),
    "call of a tensor in a slice": with_call(
        {"class_name": "__slice__", "config": {"start": KERAS_TENSOR, "stop": 1, "step": 1}}
    ),
    "metric": layer("Dense", units=2, activation=layer("AUC", "keras.metrics", num_thresholds=9)),
    "units": layer("Dense", units=10**6, name="x"),
    "units beyond any memory": layer("Dense", units=10**12, name="x"),
    "tokens": layer("Embedding", input_dim=10**7, output_dim=8, name="x"),
    "constant": layer(
        "Sequential",
        "keras",
        layers=[
            layer("InputLayer", batch_shape=[None, 10**5, 10**5]),
            layer("Normalization", axis=[1, 2], mean=0.0, variance=1.0),
        ],
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["layer", "compile_config"])
def test_a_configuration_that_could_do_harm_is_refused(attack, place, members, tmp_path):
    config = layer("Sequential", "keras", name="model")
    layers = [layer("InputLayer", batch_shape=[None, 4]), layer("Dense", units=3, name="dense")]
    config["config"]["layers"] = layers
    if place == "layer":
        layers.append(copy.deepcopy(ATTACKS[attack]))
    elif attack in ("command", "activation", "download"):
        config["compile_config"] = {"loss": copy.deepcopy(ATTACKS[attack])}
    else:
        pytest.skip("harmless, because models are not compiled")
    path = write(tmp_path / "x.keras", members | {"config.json": json.dumps(config)})
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        load_model(path)


def make_h5(change):
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        change(opened.create_group("layers/dense/vars"))
    return file.getvalue()


def add_virtual(group):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    group.create_virtual_dataset("0", layout)


H5 = {
    "a link to a file": lambda group: group.__setitem__("0", h5py.ExternalLink("other.h5", "/")),
    "a soft link": lambda group: group.__setitem__("0", h5py.SoftLink("/layers")),
    "a loop": lambda group: group.__setitem__("0", group.parent),
    "bytes of a file": lambda group: group.create_dataset(
        "0", (8,), "u1", external=[(__file__, 0, 8)]
    ),
    "a virtual array": add_virtual,
    "an array without bytes": lambda group: group.create_dataset(
        "0", (10**11,), "f4", chunks=(1000,)
    ),
    "a chunk larger than its array": lambda group: group.create_dataset(
        "0", data=np.zeros(4), maxshape=(None,), chunks=(10**5,)
    ),
    "a compressed array": lambda group: group.create_dataset(
        "0", data=np.zeros(10**5), compression="gzip"
    ),
    "objects": lambda group: group.create_dataset("0", data="x"),
}


@pytest.mark.parametrize("name", H5)
def test_weights_outside_of_the_file_are_refused(name, members, tmp_path):
    content = make_h5(H5[name])
    path = write(tmp_path / "x.keras", members | {"model.weights.h5": content})
    with pytest.raises(ArtefactError, match=r"its part '/layers/dense/vars/0"):
        load_model(path)
    weights = tmp_path / "x.weights.h5"
    weights.write_bytes(content)
    for file in (path, weights, weights.rename(tmp_path / "x.h5")):
        if file.exists():
            with pytest.raises(WeightsUnavailableError, match=r"does not fit .* its part"):
                make_poster(weights=file).get_backbone()


def test_members_of_a_model_are_checked(members, tmp_path):
    for change, match in [
        ({"../x": b""}, "its member '../x' is no part"),
        ({"assets/../../x": b""}, "is no part of a .keras file"),
        ({"model.weights.npz": b""}, "is no part of a .keras file"),
        ({"config.json": b"[" * 10**5}, "nested too deeply"),
        ({"config.json": b"x"}, "Expecting value"),
        ({"model.weights.h5": b"x"}, "signature not found"),
    ]:
        with pytest.raises(ArtefactError, match=match):
            load_model(write(tmp_path / "x.keras", members | change))
    with pytest.raises(ArtefactError, match="is compressed"):
        load_model(write(tmp_path / "x.keras", members, zipfile.ZIP_DEFLATED))
    del (lacking := dict(members))["config.json"]
    with pytest.raises(ArtefactError, match=r"it lacks \['config.json'\]"):
        load_model(write(tmp_path / "x.keras", lacking))


def test_only_keras_files_are_loaded(fused, tmp_path):
    for name in ("model.h5", "model", "gs://bucket/model", "hf://user/model"):
        with pytest.raises(ArtefactError, match=r"is no \.keras file"):
            load_model(name)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.keras")
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(IsADirectoryError):
        load_model(tmp_path / "folder.keras")
    (tmp_path / "x.weights.json").write_text("{}")
    with pytest.raises(WeightsUnavailableError, match=r"must be a .weights.h5, .h5"):
        make_poster(weights=tmp_path / "x.weights.json").get_backbone()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems only")
def test_named_pipes_and_devices_are_not_opened(tmp_path):
    for name in ("x.keras", "x.weights.h5"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.keras").symlink_to("/dev/zero")
    for name in ("x.keras", "zero.keras"):
        with pytest.raises(OSError, match="not a regular file"):
            load_model(tmp_path / name)
    for name in ("x.weights.h5", "zero.keras"):
        encoder = ImageEncoder("x", backbone=make_poster().backbone, weights=tmp_path / name)
        with pytest.raises(WeightsUnavailableError, match="not a regular file"):
            encoder.get_backbone()
