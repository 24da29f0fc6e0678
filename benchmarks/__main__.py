"""Command line: ``python -m benchmarks [options]``."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# Set before TensorFlow is imported, because its start-up messages would hide the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks._figure import Figure
from benchmarks._machine import describe_machine
from benchmarks._new_process import stay_in_this_process

GROUPS = (
    "metrics",
    "large-metrics",
    "import",
    "loading",
    "models",
    "store",
    "dask",
    "memory",
    "rows",
    "fits",
    "retrieval",
    "preparation",
    "ensemble",
    "lazy",
    "serving",
    "processor",
)


def main() -> int:
    """Run the benchmarks, print a table and write it as JSON."""
    options = _parse()
    if options.one_process:
        stay_in_this_process()
    start = time.perf_counter()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for group, measure in _groups(options, Path(folder)).items():
            if group in options.only:
                print(f"Measuring: {group}", flush=True)
                for figure in measure():
                    figures.append(figure)
                    print(f"  {_line(figure)}", flush=True)
    print(f"\n{_table(figures)}\n\nTook {time.perf_counter() - start:.0f} s.")
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "machine": machine,
        "data": "posters from a folder" if options.data else "generated posters",
        "command": ["python", "-m", "benchmarks", *_without_paths(options)],
        "figures": [
            {**vars(figure), "ratio": figure.ratio, "is_reached": figure.is_reached}
            for figure in figures
        ],
    }
    out.write_text(json.dumps(written, indent=2) + "\n")
    print(f"Written: {out}")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--out", default="runs/benchmarks.json", help="JSON file to write")
    parser.add_argument("--data", type=Path, help="folder with real posters (*.jpg)")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=["VGG16=random", "MobileNet=random"],
        metavar="NAME=PATH",
        help="two backbones and their weights: a file, 'imagenet' or 'random'",
    )
    parser.add_argument(
        "--images", type=int, default=600, help="number of images for the five models"
    )
    parser.add_argument(
        "--reference-images",
        type=int,
        default=192,
        help="number of images for the reference study's method, which takes minutes",
    )
    parser.add_argument("--image-size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument(
        "--scale",
        type=float,
        default=1,
        help="factor for the sizes that have no option, for a trial run",
    )
    parser.add_argument("--memory-images", type=int, nargs=2, default=[2_000, 20_000])
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the five models")
    parser.add_argument("--repeats", type=int, default=3, help="minimum repetitions per pair")
    parser.add_argument(
        "--one-process",
        action="store_true",
        help="measure in this process, apart from imports, for a trial run",
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP")
    return parser.parse_args()


def _groups(options: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Iterable[Figure]]]:
    # Imported late, because TensorFlow takes seconds and invalid options should be reported first.
    from benchmarks import (
        _ensemble,
        _large_metrics,
        _lazy_ensemble,
        _loading,
        _many_rows,
        _metrics,
        _models,
        _preparation,
        _processes,
        _processor,
        _retrieval,
        _serving,
    )
    from benchmarks._data import N_TAGS, make_movies
    from multimodal_ensemble import BagOfWordsEncoder, FeatureStore

    weights = {
        name: None if value == "random" else value
        for name, _, value in (pair.partition("=") for pair in options.weights)
    }
    setting = _models.Setting(
        weights,
        options.image_size,
        options.images,
        options.reference_images,
        options.epochs,
        options.repeats,
        folder,
    )
    movies = make_movies(
        max(options.images, options.reference_images), folder / "posters", options.data
    )

    def store() -> Iterable[Figure]:
        posters = list(setting.posters().values())
        kept = FeatureStore(folder / "store")
        kept.compute_features(posters, movies.table, verbose=0)
        sizes = [poster.feature_shape[0] for poster in posters]
        yield _processes.measure_store_size(kept, len(movies.table), sizes)
        tags = BagOfWordsEncoder("tags", max_tokens=N_TAGS).fit(movies.table["tags"])
        yield _loading.measure_batches(kept, [posters[-1], tags], movies, options.repeats)

    def dask() -> Iterable[Figure]:
        fastest = list(setting.posters().values())[-1]
        yield _processes.measure_dask(movies, fastest, folder, options.repeats)

    return {
        "metrics": lambda: _metrics.measure_metrics(options.repeats, options.scale),
        "large-metrics": lambda: _large_metrics.measure_large_metrics(options.scale),
        "import": lambda: [_processes.measure_import(options.repeats)],
        "loading": lambda: _loading.measure_loading(movies, options.repeats, options.scale),
        "models": lambda: _models.measure_models(movies, setting),
        "store": store,
        "dask": dask,
        "fits": lambda: [_processes.measure_fits(max(2, round(50 * options.scale)))],
        "rows": lambda: _many_rows.measure_many_rows(options.scale),
        "memory": lambda: _processes.measure_memory(tuple(options.memory_images)),
        "retrieval": lambda: _retrieval.measure_retrieval(options.scale),
        "preparation": lambda: _preparation.measure_preparation(
            folder / "movielens", options.repeats, options.scale
        ),
        "ensemble": lambda: _ensemble.measure_ensemble(options.scale),
        "lazy": lambda: _lazy_ensemble.measure_lazy_ensemble(options.scale),
        "serving": lambda: _serving.measure_serving(options.scale),
        "processor": lambda: _processor.measure_processor(movies, setting, options.scale),
    }


def _line(figure: Figure) -> str:
    spread = f" ({min(figure.ratios):.2f} to {max(figure.ratios):.2f})"
    return (
        f"{figure.what}: {figure.ratio:.2f}{spread if len(figure.ratios) > 1 else ''}"
        f"{', target ' + _bound(figure) if figure.target is not None else ''}"
        f"{'' if figure.is_reached else ': NOT reached'}"
    )


def _bound(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'>=' if figure.at_least else '<='} {figure.target:g}"


def _table(figures: list[Figure]) -> str:
    rows = [("what", "against", "median", "min", "max", "target", "")]
    rows += [
        (
            figure.what,
            figure.against,
            f"{figure.ratio:.2f}",
            f"{min(figure.ratios):.2f}",
            f"{max(figure.ratios):.2f}",
            _bound(figure),
            "" if figure.target is None else "reached" if figure.is_reached else "not reached",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _without_paths(options: argparse.Namespace) -> list[str]:
    """Return the options for the report, without paths of the machine."""
    weights = [f"{name}={Path(value).name}" for name, _, value in
               (pair.partition("=") for pair in options.weights)]  # fmt: skip
    data = ["--data", "FOLDER"] if options.data else []
    return [*data, "--weights", *weights, "--images", str(options.images)]


if __name__ == "__main__":
    sys.exit(main())
