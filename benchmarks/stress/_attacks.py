"""Valid files of each kind, and hostile ones made from them."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# A payload runs this; the audit hook of the loading process and the marker file both show it.
COMMAND = "touch {marker}"


def object_config(class_name: str, module: str = "keras.layers", config: Any = None) -> Any:
    """Return a serialised Keras object."""
    return {
        "module": module,
        "class_name": class_name,
        "config": {} if config is None else config,
        "registered_name": None,
    }


def function_config(module: str, name: str) -> Any:
    """Return a serialised function."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def hostile_objects(marker: Path, secret: Path) -> dict[str, Any]:
    """Return configurations that run code, read a file or take much memory, by name."""
    command = {"command": COMMAND.format(marker=marker)}
    system = {"name": "x", "function": function_config("os", "system"), "arguments": command}
    private = "keras.src.layers.preprocessing.index_lookup"
    dense = {"units": 2, "name": "x"}
    return {
        "Lambda os.system": object_config("Lambda", config=system),
        "Lambda posix.system": object_config(
            "Lambda", config=system | {"function": function_config("posix", "system")}
        ),
        "Lambda bytecode": object_config(
            "Lambda",
            config={"function": {"class_name": "__lambda__", "config": {"value": ["4wEA", None]}}},
        ),
        "activation": object_config(
            "Dense", config=dense | {"activation": function_config("os", "system")}
        ),
        "download": object_config(
            "Dense", config=dense | {"activation": function_config("keras.utils", "get_file")}
        ),
        "unsafe mode": function_config("keras.config", "enable_unsafe_deserialization"),
        "load_model": function_config("keras.saving", "load_model"),
        "type specification": {
            "class_name": "__typespec__",
            "spec_name": "system",
            "module": "os",
            "config": [],
            "registered_name": None,
        },
        "TFSMLayer": object_config("TFSMLayer", config={"filepath": str(secret.parent)}),
        "TorchModuleWrapper": object_config("TorchModuleWrapper", config={"module": "x"}),
        **{
            name: object_config(name, config={"vocabulary": str(secret)})
            for name in ("StringLookup", "IntegerLookup", "TextVectorization")
        },
        "IndexLookup": object_config("IndexLookup", private, {"vocabulary": str(secret)}),
        "wrapped lookup": object_config(
            "TimeDistributed",
            config={"layer": object_config("StringLookup", config={"vocabulary": str(secret)})},
        ),
        "many units": object_config("Dense", config=dense | {"units": 10**9}),
        "many tokens": object_config(
            "Embedding", config={"input_dim": 10**8, "output_dim": 64, "name": "x"}
        ),
        "many thresholds": object_config("AUC", "keras.metrics", {"num_thresholds": 10**9}),
        "large model": object_config(
            "Sequential",
            "keras",
            {
                "name": "x",
                "layers": [
                    object_config("InputLayer", config={"batch_shape": [None, 40_000]}),
                    object_config("Dense", config={"units": 40_000}),
                ],
            },
        ),
        "large constant": object_config(
            "Sequential",
            "keras",
            {
                "name": "x",
                "layers": [
                    object_config("InputLayer", config={"batch_shape": [None, 40_000, 40_000]}),
                    object_config(
                        "Normalization", config={"axis": [1, 2], "mean": 0.0, "variance": 1.0}
                    ),
                ],
            },
        ),
    }


def flip_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a copy with a few bytes changed, removed or added."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        position = rng.randrange(len(changed) + 1)
        # Most checks concern the start and the end.
        if rng.random() < 0.5:
            position = rng.choice([position % 3000, max(0, len(changed) - position % 1500)])
        n_removed = rng.choice([0, 1, 1, 4])
        changed[position : position + n_removed] = rng.randbytes(rng.choice([0, 1, 1, 4]))
    if rng.random() < 0.2:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def with_document(content: bytes, member: str, change: Callable[[Any], Any]) -> bytes:
    """Return a copy of a zip file in which the JSON of one member is changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == member:
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(name, data)
    return file.getvalue()


def put_somewhere(document: Any, value: Any, rng: random.Random) -> Any:
    """Return a copy in which one value of the document is replaced."""
    document = copy.deepcopy(document)
    places = [*_places(document)]
    # Places inside of networks are the interesting ones.
    inner = [place for place in places if "layers" in place[1]]
    holder, path = rng.choice(inner if inner and rng.random() < 0.7 else places)
    holder[path[-1]] = value
    return document


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, (*path, key)
            yield from _places(item, (*path, key))


def hostile_h5(secret: Path, rng: random.Random) -> bytes:
    """Return an HDF5 file that refers to another file, or claims a large array."""
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        group = opened.create_group("layers/dense/vars")
        kind = rng.choice(["link", "storage", "virtual", "large", "soft", "loop"])
        if kind == "link":
            group["0"] = h5py.ExternalLink(str(secret), "/")
        elif kind == "storage":
            group.create_dataset("0", (16,), "u1", external=[(str(secret), 0, 16)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
            group.create_virtual_dataset("0", layout)
        elif kind == "large":
            group.create_dataset("0", (2**31,), "f4", chunks=(1024,))
        elif kind == "soft":
            group["0"] = h5py.SoftLink("/nothing")
        else:
            group["0"] = opened["/"]
    return file.getvalue()


def replace_weights(content: bytes, weights: bytes) -> bytes:
    """Return a ``.keras`` file with other weights."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, weights if name.endswith(".h5") else old.read(name))
    return file.getvalue()


def compressed(content: bytes) -> bytes:
    """Return a zip file whose members unpack to a gigabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name) + (b" " * 2**30 if name.endswith(".json") else b"")
            new.writestr(name, data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def wide_png(n_pixels: int) -> bytes:
    """Return a transparent PNG image of one colour."""
    width = height = int(n_pixels**0.5)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 4 * width)) for _ in range(height)) + packer.flush()

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def broadcasting_shard(n_rows: int = 300_000) -> dict[str, Any]:
    """Return the arrays of a shard whose shapes NumPy would broadcast to 300,000 squared."""
    return {
        "digests": np.zeros((1, 32), np.uint8),
        "features": np.ones((1, n_rows), np.float16),
        "exponents": np.zeros(n_rows, np.int16),
    }
