"""Compare this library with others on one job: ``python -m benchmarks.peers --help``.

Every contestant predicts the genres of the same test movies from posters and tags, learned from the
same training movies, with the same weights of VGG16. Each is a script of plain calls in an
environment of its own, and each run is a process of its own. The order changes with the seed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# Set before TensorFlow is imported, because its start-up messages would hide the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks._machine import describe_machine
from benchmarks.peers._contestants import CONTESTANTS, Contestant
from benchmarks.peers._processes import ContestantError, Run, install, is_finished, run
from benchmarks.peers._results import Outcome, summarize, to_markdown
from benchmarks.peers._task import Split, read_movies, write_split

# The rows that the others are compared with.
BASES = ("MultimodalEnsemble, cold store", "MultimodalClassifier, cold store")


def main() -> int:
    """Run all contestants, print a table and write it as JSON."""
    options = _parse()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    movies = read_movies(options.data, options.min_year)
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        settings = {
            "weights": str(options.weights.resolve()),
            "image_size": options.image_size,
            "epochs": options.epochs,
        }
        splits = [
            write_split(
                movies,
                work / f"seed-{seed}",
                n_rows=options.images,
                seed=seed,
                settings=settings,
            )
            for seed in options.seeds
        ]
        rows_of_seed = {
            "training_rows": splits[0].n_train,
            "test_rows": len(splits[0].test),
            "all_rows": len(movies.table),
            "labels": splits[0].n_labels,
        }
        print(", ".join(f"{name} {value}" for name, value in rows_of_seed.items()))
        outcomes = run_all(
            {name: CONTESTANTS[name] for name in options.only},
            splits,
            options.environments,
            install_limit=options.install_limit,
            run_limit=options.run_limit,
        )
    rows = summarize(movies, splits, outcomes, BASES)
    print(f"\n{to_markdown(rows, BASES)}")
    chosen = {
        name: getattr(options, name) for name in ("seeds", "image_size", "epochs", "min_year")
    }
    written = {"machine": machine, **rows_of_seed, **chosen, "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(written, indent=2) + "\n")
    print(f"Written: {options.out}")
    return 0


def run_all(
    contestants: Mapping[str, Contestant],
    splits: Sequence[Split],
    environments: Path | None,
    *,
    install_limit: float,
    run_limit: float,
) -> list[Outcome]:
    """Run every contestant on every split, in another order for each seed.

    A contestant that fails once does not run again. Without a folder of environments, the Python
    that runs this runs all.
    """
    runs: dict[str, dict[int, Run]] = {}
    failures: dict[str, str] = {}
    pythons: dict[str, Path] = {}
    for name, contestant in contestants.items():
        try:
            pythons[name] = (
                Path(sys.executable)
                if environments is None
                else install(contestant, environments, install_limit)
            )
        except ContestantError as error:
            failures[name] = f"cannot be installed: {error}"
            print(f"{contestant.title}: {failures[name]}", flush=True)
    names = list(contestants)
    for number, split in enumerate(splits):
        start = number * len(names) // len(splits)
        for name in [*names[start:], *names[:start]]:
            contestant = contestants[name]
            folder = split.inputs / name
            for kind, title in enumerate(contestant.titles()):
                if name in failures:
                    continue
                out = folder / f"run-{kind}"
                if kind == 0 and not is_finished(out):
                    # A cold store is empty, also after an interrupted run.
                    shutil.rmtree(folder / "work", ignore_errors=True)
                try:
                    done = run(
                        contestant,
                        pythons[name],
                        split.inputs,
                        folder / "work",
                        out,
                        run_limit,
                    )
                    expected = (len(split.test), split.n_labels)
                    if done.scores.shape != expected:
                        msg = f"scores of shape {done.scores.shape}, not {expected}"
                        raise ContestantError(msg)
                    if not np.isfinite(done.scores).all():
                        msg = "scores that are not finite"
                        raise ContestantError(msg)
                except ContestantError as error:
                    failures[name] = str(error)
                    print(f"seed {split.seed}, {title}: {error}", flush=True)
                    continue
                runs.setdefault(title, {})[split.seed] = done
                print(
                    f"seed {split.seed}, {title}: {done.cpu_seconds:.1f} s CPU, "
                    f"{done.wall_seconds:.1f} s, {done.peak_mib:,.0f} MiB",
                    flush=True,
                )
    return [
        Outcome(title, contestant, runs.get(title, {}), failures.get(name))
        for name, contestant in contestants.items()
        for title in contestant.titles()
    ]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="data folder of the MovieLens example"
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="weights of VGG16 without its top, from Keras"
    )
    parser.add_argument(
        "--environments", type=Path, required=True, help="folder for virtual environments"
    )
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS),
                        metavar="NAME", help=", ".join(CONTESTANTS))  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--images", type=int, default=600, help="number of movies per seed; 0 takes all"
    )
    parser.add_argument("--image-size", type=int, default=112, help="side in pixels")
    parser.add_argument("--epochs", type=int, default=10, help="epochs where they must be chosen")
    parser.add_argument("--min-year", type=int, default=1995, help="first release year")
    parser.add_argument("--install-limit", type=float, default=600, help="seconds")
    parser.add_argument("--run-limit", type=float, default=900, help="seconds")
    parser.add_argument(
        "--work",
        type=Path,
        help="folder for inputs, scores and logs (default: temporary); an interrupted run resumes, "
        "and a contestant whose folder was removed repeats its runs",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/peers.json"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
