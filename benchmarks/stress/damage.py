"""Damage feature stores at random: ``python -m benchmarks.stress.damage --stores 300``.

Bits are flipped, files are cut, emptied, swapped, deleted, copied or replaced by links, and foreign
files are added. Afterwards the features must equal the uncached ones, at once or after the remedy
in the error message, and files that are not the store's must be untouched. The exit status is 1 if
features are wrong, an error is no FeatureStoreError, or a foreign file was changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.stress._tasks import draw_images, make_encoder
from multimodal_ensemble import FeatureStore, ImageEncoder
from multimodal_ensemble.exceptions import FeatureStoreError

ROWS_PER_CALL = 5
MARKER = "feature_store.json"
Damage = Callable[["Attempt"], None]


class Attempt:
    """A copy of a valid store, a folder outside, and the random numbers of one attempt."""

    def __init__(self, folder: Path, valid: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.store, self.outside = folder / "store", folder / "outside"
        shutil.copytree(valid, self.store)
        # All names are right, and it lies outside of the store.
        shutil.copytree(valid, self.outside)
        self.foreign: dict[Path, bytes] = {}

    def choose(self) -> Path:
        """Return a file of the store."""
        files = [path for path in self.store.rglob("*") if path.is_file() and not path.is_symlink()]
        files = sorted(set(files) - set(self.foreign))
        if not files:
            # Everything was deleted before.
            files = [self.store / MARKER]
            files[0].write_bytes(b"")
        # The marker and the descriptions are few.
        others = [path for path in files if path.suffix != ".shard"]
        pool = others if others and self.rng.random() < 0.3 else files
        return pool[self.rng.integers(len(pool))]

    def changed_foreign_files(self) -> list[Path]:
        return [
            path
            for path, content in self.foreign.items()
            if not path.is_file() or path.read_bytes() != content
        ]


def flip_bits(attempt: Attempt) -> None:
    path = attempt.choose()
    content = bytearray(path.read_bytes())
    for _ in range(attempt.rng.integers(1, 4) if content else 0):
        content[attempt.rng.integers(len(content))] ^= 1 << int(attempt.rng.integers(8))
    path.write_bytes(content)


def cut(attempt: Attempt) -> None:
    path = attempt.choose()
    content = path.read_bytes()
    path.write_bytes(content[: attempt.rng.integers(len(content) + 1)])


def zero(attempt: Attempt) -> None:
    path = attempt.choose()
    path.write_bytes(bytes(path.stat().st_size))


def append(attempt: Attempt) -> None:
    with attempt.choose().open("ab") as file:
        file.write(attempt.rng.bytes(int(attempt.rng.integers(1, 50))))


def swap(attempt: Attempt) -> None:
    one, two = attempt.choose(), attempt.choose()
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def copy_to_another_folder(attempt: Attempt) -> None:
    path = attempt.choose()
    folders = sorted(each for each in attempt.store.iterdir() if each.is_dir())
    shutil.copy(path, folders[attempt.rng.integers(len(folders))] / f"{'e' * 32}.shard")


def delete(attempt: Attempt) -> None:
    attempt.choose().unlink()


def delete_a_folder(attempt: Attempt) -> None:
    folder = attempt.choose().parent
    if folder != attempt.store and folder not in {path.parent for path in attempt.foreign}:
        shutil.rmtree(folder)


def replace_by_a_link(attempt: Attempt) -> None:
    path = attempt.choose()
    target = attempt.outside / path.relative_to(attempt.store)
    path.unlink()
    path.symlink_to(target if attempt.rng.random() < 0.7 else attempt.outside / "nothing")


def replace_a_folder_by_a_link(attempt: Attempt) -> None:
    folders = sorted(
        path for path in attempt.store.iterdir() if path.is_dir() and not path.is_symlink()
    )
    if folders and not any(path.parent in folders for path in attempt.foreign):
        folder = folders[attempt.rng.integers(len(folders))]
        shutil.rmtree(folder)
        folder.symlink_to(attempt.outside / folder.name)


def replace_by_a_folder(attempt: Attempt) -> None:
    path = attempt.choose()
    path.unlink()
    path.mkdir()


def add_foreign_files(attempt: Attempt) -> None:
    folders = [attempt.store, *(path for path in attempt.store.iterdir() if path.is_dir())]
    for name in (".gitignore", "notes.npz", "mine.shard", ".mine.tmp", f"{'0' * 31}.shard"):
        path = folders[attempt.rng.integers(len(folders))] / name
        if path.resolve().is_relative_to(attempt.store.resolve()) and not path.exists():
            path.write_bytes(b"mine")
            os.utime(path, (0, 0))
            attempt.foreign[path] = b"mine"


DAMAGES: list[Damage] = [
    flip_bits, flip_bits, flip_bits, cut, cut, zero, append, swap, swap, copy_to_another_folder,
    delete, delete_a_folder, replace_by_a_link, replace_a_folder_by_a_link, replace_by_a_folder,
    add_foreign_files, add_foreign_files,
]  # fmt: skip


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def examine(
    attempt: Attempt, encoders: list[ImageEncoder], expected: list[NDArray[np.float32]]
) -> str:
    """Return how the features were found; raise an AssertionError if they are wrong."""
    outcome = "right features at once"
    for _ in range(3):
        try:
            store = FeatureStore(attempt.store, dtype="float32")
            for encoder, wanted in zip(encoders, expected, strict=True):
                features = store.get_features(encoder, draw_images(), verbose=0)
                if not np.array_equal(features, wanted):
                    msg = "wrong features"
                    raise AssertionError(msg)
            store.entries()
            return outcome
        except FeatureStoreError as error:
            outcome = "right features after verify(remove=True)"
            message = str(error)
            if "verify(remove=True)" not in message:
                return f"refused: {message.rpartition(repr(str(attempt.store)))[2][:60]}"
            FeatureStore(attempt.store).verify(remove=True)
    # What verify does not remove is not a file of the store, such as one behind a link.
    return "refused after verify(remove=True)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=300, help="number of stores (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    encoders = [make_encoder(seed) for seed in (1, 2)]
    images = draw_images()
    expected = [
        encoder.get_backbone().predict_on_batch(encoder.encode(encoder.prepare(images)))
        for encoder in encoders
    ]
    counts: Counter[str] = Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        valid = Path(folder, "valid")
        store = FeatureStore(valid, dtype="float32")
        for encoder in encoders:
            for start in range(0, len(images), ROWS_PER_CALL):
                store.get_features(encoder, images[start : start + ROWS_PER_CALL], verbose=0)
        for number in range(options.stores):
            here = Path(folder, str(number))
            attempt = Attempt(here, valid, options.seed + number)
            damages = attempt.rng.choice(np.arange(len(DAMAGES)), attempt.rng.integers(1, 4))
            names = [DAMAGES[each].__name__ for each in damages]
            outside = snapshot(attempt.outside)
            try:
                for each in damages:
                    DAMAGES[each](attempt)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    outcome = examine(attempt, encoders, expected)
                    if not outcome.startswith("refused"):
                        store = FeatureStore(attempt.store)
                        store.prune(max_bytes=0, unused_for=timedelta(0))
                counts[outcome] += 1
                changed = attempt.changed_foreign_files()
                changed += [path for path, old in outside.items() if path.read_bytes() != old]
                if changed:
                    msg = f"foreign files were changed: {changed}"
                    raise AssertionError(msg)
            except Exception:
                failures += 1
                print(f"Store {number}, after {', '.join(names)}:")
                traceback.print_exc(file=sys.stdout)
            shutil.rmtree(here)
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    print(f"{options.stores} stores damaged, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
