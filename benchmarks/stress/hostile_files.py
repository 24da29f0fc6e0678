"""Load hostile files, and count what became of each: ``--files 200`` takes a few minutes.

Half of the files are valid ones with changed bytes, and half are assembled attacks: code and file
names in configurations, links in HDF5 files, and sizes that take much memory. Another process
loads them one after the other. An audit hook reports commands, connections and opened files there.
The exit status is 1 if any file was executed, read another file, took more than 2 GiB, crashed the
process, or raised an error that is not one of the package.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.stress import _attacks as attacks

LIMIT_BYTES = 2 * 2**30
SECONDS = 120
FAILURES = ("executed", "read", "over memory", "wrong error", "crashed", "hung")
# Events of Python's audit hooks that loading a file must not raise.
EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect")


def make_valid_files(folder: Path) -> dict[str, bytes]:
    """Train and save small models, and return the files by suffix."""
    import keras
    import numpy as np
    from PIL import Image

    from multimodal_ensemble import (
        DenseEncoder,
        FeatureStore,
        ImageEncoder,
        MultimodalClassifier,
        MultimodalEnsemble,
    )
    from multimodal_ensemble.encoders import Augmentation

    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu")]
    network = keras.Sequential(layers, name="network")
    augmentation = Augmentation([keras.layers.RandomFlip("horizontal")], views=2)
    poster = ImageEncoder("poster", backbone=network, augmentation=augmentation)
    rng = np.random.default_rng(0)
    X = {"poster": [*rng.integers(0, 256, (24, 9, 9, 3), dtype="uint8")]}
    y = np.stack([np.arange(24) % 2, np.arange(24) % 3 == 0], axis=1).astype(int)
    store = FeatureStore(folder / "store")
    classifier = MultimodalClassifier([poster], epochs=1, random_state=1, verbose=0, store=store)
    classifier.fit(X, y, checkpoint=folder / "valid.checkpoint")
    classifier.save(folder / "valid.mme")
    classifier.model_.save(folder / "valid.keras")
    year = DenseEncoder("year")
    member = ("network", MultimodalClassifier([year], epochs=1, random_state=1, verbose=0))
    ensemble = MultimodalEnsemble(
        [ImageEncoder("poster", backbone=network), year],
        members=[member],
        random_state=1,
        verbose=0,
    )
    ensemble.fit(X | {"year": rng.normal(size=24)}, y).save(folder / "valid.ensemble")
    network.save_weights(folder / "valid.weights.h5")
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype="uint8")).save(folder / "valid.png")
    shutil.copy(next((folder / "store").glob("*/*.shard")), folder / "valid.shard")
    return {path.name.removeprefix("valid"): path.read_bytes() for path in folder.glob("valid.*")}


def make_hostile_files(
    folder: Path, valid: dict[str, bytes], n_files: int, seed: int, marker: Path, secret: Path
) -> None:
    """Write `n_files` hostile files, named by their number, what they are, and their suffix."""
    rng = random.Random(seed)
    objects = attacks.hostile_objects(marker, secret)
    documents = dict.fromkeys([".mme", ".ensemble", ".checkpoint"], "manifest.json")
    documents[".keras"] = "config.json"
    large: list[tuple[str, str, Callable[[], bytes]]] = [
        ("unpacks to a gigabyte", ".keras", lambda: attacks.compressed(valid[".keras"])),
        ("unpacks to a gigabyte", ".mme", lambda: attacks.compressed(valid[".mme"])),
        ("wide image", ".png", lambda: attacks.wide_png(170_000_000)),
        ("broadcasting shard", ".shard", lambda: _shard(folder)),
        ("manifest of lists", ".mme", lambda: _many_lists(valid[".mme"])),
        ("many members", ".ensemble", lambda: _many_members(valid[".ensemble"])),
        ("strings of unequal length", ".checkpoint", lambda: _strings(valid[".checkpoint"])),
    ]
    for number in range(n_files):
        if number < len(large):
            what, suffix, make = large[number]
            content = make()
        elif number % 2:
            what, suffix = "changed bytes", rng.choice([*valid])
            content = attacks.flip_bytes(valid[suffix], rng)
        elif rng.random() < 0.25:
            what, suffix = "HDF5", rng.choice([".weights.h5", ".keras"])
            content = attacks.hostile_h5(secret, rng)
            if suffix == ".keras":
                content = attacks.replace_weights(valid[".keras"], content)
        else:
            what, suffix = rng.choice([*objects]), rng.choice([".mme", ".ensemble", ".keras"])
            value = objects[what]
            content = attacks.with_document(
                valid[suffix],
                documents[suffix],
                lambda document, value=value: attacks.put_somewhere(document, value, rng),
            )
        (folder / f"{number:05} {what.replace('/', '-')}{suffix}").write_bytes(content)


def _shard(folder: Path) -> bytes:
    from multimodal_ensemble.saving import write_archive

    path = folder / "shard"
    document = {"format": "multimodal_ensemble features", "format_version": 1}
    write_archive(path, document, attacks.broadcasting_shard())
    content = path.read_bytes()
    path.unlink()
    return content


def _many_lists(content: bytes) -> bytes:
    def change(document: Any) -> Any:
        return document | {"history": {"dict": {"step": [[0]] * 10_000_000}}}

    return attacks.with_document(content, "manifest.json", change)


def _many_members(content: bytes) -> bytes:
    def change(document: Any) -> Any:
        members = [{"name": f"m{number}", "encoders": ["year"]} for number in range(100_000)]
        return document | {"members": members}

    return attacks.with_document(content, "manifest.json", change)


def _strings(content: bytes) -> bytes:
    def change(document: Any) -> Any:
        document["evaluation"]["dict"]["best_weights"] = [["a" * 60_000, *["b"] * 60_000]]
        return document

    return attacks.with_document(content, "manifest.json", change)


# -- the process that loads --------------------------------------------------------------------


def load(path: Path, work: Path) -> Any:
    """Load a file as its suffix says."""
    import keras

    from multimodal_ensemble import (
        FeatureStore,
        ImageEncoder,
        MultimodalClassifier,
        MultimodalEnsemble,
        load_model,
    )
    from multimodal_ensemble.images import read_image
    from multimodal_ensemble.training._checkpoint import read_checkpoint

    if path.suffix == ".mme":
        return MultimodalClassifier.load(path)
    if path.suffix == ".ensemble":
        return MultimodalEnsemble.load(path)
    if path.suffix == ".keras":
        return load_model(path)
    if path.suffix == ".png":
        return read_image(path, 8)
    if path.suffix == ".checkpoint":
        return read_checkpoint(path)
    if path.suffix == ".h5":
        network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
        return ImageEncoder("poster", backbone=network, weights=path).get_backbone()
    store = FeatureStore(work / "checked")
    shard = work / "checked" / ("0" * 64) / f"{'0' * 32}.shard"
    shard.parent.mkdir(exist_ok=True)
    shutil.copy(path, shard)
    if damaged := store.verify(remove=True):
        raise ValueError(next(iter(damaged.values())))
    return None


def load_files(folder: Path, work: Path, secret: Path, first: int) -> None:
    """Load the files from a number on, and print one line of JSON for each."""
    import keras  # noqa: F401 - its import opens files and must precede the hook

    import multimodal_ensemble
    from multimodal_ensemble.exceptions import MultimodalEnsembleError

    for name in multimodal_ensemble.__all__:
        getattr(multimodal_ensemble, name)
    events: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and str(arguments[0]) == str(secret)
        if event in EVENTS or opened:
            events.append("read" if opened else "executed")

    sys.addaudithook(hook)
    os.utime(secret, ns=(0, secret.stat().st_mtime_ns))
    secret.read_text()
    if secret.stat().st_atime_ns == 0:
        print("Reads by compiled code are not counted: no access times here.", file=sys.stderr)
    for path in sorted(folder.iterdir())[first:]:
        events.clear()
        os.utime(secret, ns=(0, secret.stat().st_mtime_ns))
        before = _reset_peak()
        print(json.dumps({"start": path.name}), flush=True)
        try:
            load(path, work)
            outcome, error = "loaded", ""
        except (MultimodalEnsembleError, ValueError, OSError, MemoryError) as raised:
            outcome, error = "refused", f"{type(raised).__name__}: {raised}"
        except Exception as raised:
            outcome, error = "wrong error", f"{type(raised).__name__}: {raised}"
        used = _peak() - before
        if used > LIMIT_BYTES:
            outcome = "over memory"
        if secret.stat().st_atime_ns != 0:
            events.append("read")
        outcome = events[0] if events else outcome
        line = {"outcome": outcome, "error": error[:300], "MB": used // 2**20}
        print(json.dumps(line), flush=True)


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Return the largest memory of this process since the last reset, in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(line)


# -- the process that counts -------------------------------------------------------------------


def run(folder: Path, work: Path, secret: Path, n_files: int) -> list[dict[str, Any]]:
    """Load all files, in a new process after each crash, and return what became of each."""
    results: list[dict[str, Any]] = []
    while len(results) < n_files:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.stress.hostile_files"]
        command += ["--load", *map(str, (folder, work, secret, len(results)))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started = ""
        while True:
            timer = threading.Timer(SECONDS, process.send_signal, [signal.SIGKILL])
            timer.start()
            line = process.stdout.readline()
            is_late = not timer.is_alive()
            timer.cancel()
            if not line:
                break
            found = json.loads(line)
            if "start" in found:
                started = found["start"]
            else:
                results.append(found | {"name": started})
                started = ""
        process.wait()
        if started:
            results.append({"outcome": "hung" if is_late else "crashed", "name": started})
        elif len(results) < n_files:
            msg = "The loading process ended without a file; run it with --load to see why."
            raise RuntimeError(msg)
    return results


def main() -> int:
    """Run and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        folder, work, secret, first = arguments.load
        load_files(Path(folder), Path(work), Path(secret), int(first))
        return 0
    import keras

    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        work = Path(name)
        folder, secret, marker = work / "files", work / "secret.txt", work / "marker"
        folder.mkdir()
        secret.write_text("secret\n")
        valid = make_valid_files(work)
        make_hostile_files(folder, valid, arguments.files, arguments.seed, marker, secret)
        results = run(folder, work, secret, arguments.files)
        counts = Counter(result["outcome"] for result in results)
        if marker.exists():
            counts["executed"] += 1
    for result in results:
        if result["outcome"] in FAILURES:
            print(result)
    largest = max(result.get("MB", 0) for result in results)
    print(f"Keras {keras.__version__}, seed {arguments.seed}: {len(results)} files")
    for outcome in ("refused", "loaded", *FAILURES):
        print(f"{outcome}: {counts[outcome]}")
    print(f"most memory: {largest} MB")
    return int(any(counts[outcome] for outcome in FAILURES))


if __name__ == "__main__":
    raise SystemExit(main())
