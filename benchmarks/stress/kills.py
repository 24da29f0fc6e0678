"""Kill processes while they write: ``python -m benchmarks.stress.kills --kills 300``.

Processes that fill a feature store, save a classifier or train with a checkpoint are killed at
random points, a third of the kills each. After each kill, no finished file may be lost or damaged.
A run that goes on after several kills must end with the bits of an uninterrupted run. The exit
status is 1 if anything was lost or differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.stress._tasks import (
    draw_images,
    draw_table,
    fill_store,
    make_classifier,
    make_encoder,
    save_classifiers,
    train,
)
from multimodal_ensemble import FeatureStore, MultimodalClassifier
from multimodal_ensemble.exceptions import MultimodalEnsembleError
from multimodal_ensemble.training import read_checkpoint_metadata

# A chain of kills ends with an uninterrupted run after this many.
KILLS_PER_RUN = 6
SECONDS_OF_SAVING = 0.3


class DamageError(Exception):
    """Something was lost, damaged or differs."""


class Killer:
    """Starts processes, kills them at random points, and counts."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        # The server has imported all libraries, and has not run TensorFlow yet.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["benchmarks.stress._tasks"])
        self.counts: Counter[str] = Counter()

    def run(self, task: Callable[[Path, Connection], None], folder: Path) -> float:
        """Run a task to its end; return its seconds."""
        process, start = self._start(task, folder)
        process.join()
        if process.exitcode:
            msg = f"{task.__name__} failed after kills, with exit status {process.exitcode}"
            raise DamageError(msg)
        return time.perf_counter() - start

    def kill(self, task: Callable[[Path, Connection], None], folder: Path, seconds: float) -> int:
        """Run a task, and kill it at a random point of its duration; return 1 if it was killed."""
        process, _ = self._start(task, folder)
        process.join(timeout=self.rng.uniform(0, seconds))
        process.kill()
        process.join()
        if process.exitcode and process.exitcode > 0:
            msg = f"{task.__name__} failed after kills, with exit status {process.exitcode}"
            raise DamageError(msg)
        self.counts[f"{task.__name__} {'killed' if process.exitcode else 'finished before'}"] += 1
        return int(process.exitcode != 0)

    def _start(
        self, task: Callable[[Path, Connection], None], folder: Path
    ) -> tuple[multiprocessing.process.BaseProcess, float]:
        here, there = self.context.Pipe(duplex=False)
        process = self.context.Process(target=task, args=(folder, there))
        process.start()
        there.close()
        try:
            here.recv()
        except EOFError:
            process.join()
            msg = f"{task.__name__} did not start"
            raise DamageError(msg) from None
        return process, time.perf_counter()


def check(condition: bool, problem: str) -> None:
    if not condition:
        raise DamageError(problem)


def kill_stores(killer: Killer, n_kills: int, folder: Path) -> None:
    """Kill processes that fill a store."""
    seconds = killer.run(fill_store, folder / "first")
    encoder, images = make_encoder(), draw_images()
    expected = encoder.get_backbone().predict_on_batch(encoder.encode(encoder.prepare(images)))
    done = 0
    while done < n_kills:
        here = folder / f"store{killer.counts['stores completed']}"
        finished: dict[Path, bytes] = {}
        for _ in range(min(KILLS_PER_RUN, n_kills - done)):
            done += killer.kill(fill_store, here, seconds / 2)
            check(
                all(path.exists() and path.read_bytes() == content
                    for path, content in finished.items()),
                "a finished shard was lost or changed",
            )  # fmt: skip
            finished = {path: path.read_bytes() for path in here.glob("store/*/*.shard")}
            if (here / "store").exists():
                damaged = FeatureStore(here / "store").verify()
                left = {path for path in damaged if path.name.startswith(".")}
                killer.counts["leftovers of kills"] += len(left)
                check(not damaged.keys() - left, f"damaged shards: {damaged}")
        killer.run(fill_store, here)
        store = FeatureStore(here / "store", dtype="float32")
        features = store.get_features(encoder, images, verbose=0)
        check(np.array_equal(features, expected), "features differ")
        store.verify(remove=True)
        check(not list(here.rglob(".*")), "leftovers stay")
        killer.counts["stores completed"] += 1


def kill_saves(killer: Killer, n_kills: int, folder: Path) -> None:
    """Kill processes that save classifiers in turn under one name."""
    data, y = draw_table()
    for number in (0, 1):
        make_classifier(number).fit(data, y).save(folder / f"{number}.mme")
    contents = [(folder / f"{number}.mme").read_bytes() for number in (0, 1)]
    (folder / "saved.mme").write_bytes(contents[0])
    for _ in range(n_kills):
        killer.kill(save_classifiers, folder, SECONDS_OF_SAVING)
        check((folder / "saved.mme").read_bytes() in contents, "a saved classifier is damaged")
    left = list(folder.glob(".saved.mme.*"))
    killer.counts["leftovers of the last kill"] += len(left)
    check(len(left) <= 1, "leftovers of earlier kills stay")
    MultimodalClassifier.load(folder / "saved.mme").save(folder / "saved.mme")
    check(not list(folder.glob(".*")), "the leftover of the last kill stays")


def kill_trainings(killer: Killer, n_kills: int, folder: Path) -> None:
    """Kill processes that train with a checkpoint, and resume them."""
    (folder / "first").mkdir()
    seconds = killer.run(train, folder / "first")
    data, _ = draw_table()
    expected = MultimodalClassifier.load(folder / "first" / "trained.mme").predict_proba(data)
    done = 0
    while done < n_kills:
        here = folder / f"training{killer.counts['trainings completed']}"
        here.mkdir()
        has_checkpoint = False
        for _ in range(min(KILLS_PER_RUN, n_kills - done)):
            done += killer.kill(train, here, seconds)
            path = here / "fit.checkpoint"
            check(path.exists() or not has_checkpoint, "a finished checkpoint was lost")
            has_checkpoint = path.exists()
            if has_checkpoint:
                read_checkpoint_metadata(path)
        killer.counts["trainings with a checkpoint after kills"] += has_checkpoint
        killer.run(train, here)
        scores = MultimodalClassifier.load(here / "trained.mme").predict_proba(data)
        check(np.array_equal(scores, expected), "a resumed training differs")
        check(not list(here.glob(".*")), "leftovers stay")
        killer.counts["trainings completed"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="number of kills (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    killer = Killer(options.seed)
    each = -(-options.kills // 3)
    status = 0
    for scenario in (kill_stores, kill_saves, kill_trainings):
        with tempfile.TemporaryDirectory() as folder:
            try:
                scenario(killer, each, Path(folder))
            except (DamageError, MultimodalEnsembleError, OSError) as error:
                print(f"{scenario.__name__}: {type(error).__name__}: {error}")
                status = 1
    killed = sum(count for name, count in killer.counts.items() if name.endswith(" killed"))
    for name, count in sorted(killer.counts.items()):
        print(f"{count:6} {name}")
    print(f"{killed} processes killed: {'DAMAGE' if status else 'nothing lost or changed'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
