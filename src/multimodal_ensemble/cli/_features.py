"""The command ``features``."""

from __future__ import annotations

import argparse

from multimodal_ensemble.cli._arguments import add_columns, add_data, add_labels
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import choose_encoders
from multimodal_ensemble.cli._errors import CommandError, UsageError
from multimodal_ensemble.cli._row_reader import read_table
from multimodal_ensemble.cli._scores import naming_rows


def _add_arguments(add: Add) -> None:
    add_data(add, "file of rows")
    add_labels(add, is_required=False)
    add_columns(add)
    add("--backend", metavar="NAME", help="backend of joblib: loky, dask, ray, ...")
    add("--jobs", type=int, metavar="N", help="workers of the backend; -1 for all cores")


def _execute(values: argparse.Namespace, console: Console) -> None:
    if values.store is None:
        msg = "Name the folder for the features with --store."
        raise UsageError(msg)
    table = read_table(values.data, values, console)
    encoders = choose_encoders(table, values, console)
    from multimodal_ensemble.encoders import fit_encoders
    from multimodal_ensemble.features import FeatureStore

    encoders = [encoder for encoder in encoders if encoder.get_backbone() is not None]
    if not encoders:
        msg = "No column is read by a network; name one with --image, or --text-backbone."
        raise CommandError(msg)
    import joblib

    with naming_rows(table):
        fit_encoders(encoders, table)
    store = FeatureStore(values.store)
    console.kept = f"features that are finished are kept in {values.store}"
    backend = "loky" if values.backend is None and values.jobs is not None else values.backend
    options = {} if backend is None else {"backend": backend, "n_jobs": values.jobs or 1}
    with joblib.parallel_config(**options):
        n_rows = store.compute_features(encoders, table, verbose=console.verbose)
    names = [encoder.name for encoder in encoders]
    console.show(
        f"{n_rows:,} images or texts were computed for {', '.join(names)}; {values.store} has "
        f"{store.n_bytes / 2**20:.1f} MiB. Pass it to train as --store {values.store}.",
        {"store": values.store, "encoders": names, "n_computed": n_rows, "n_bytes": store.n_bytes},
    )


FEATURES = Command(
    "features",
    "Compute the features of networks once, for later commands.\n"
    "Commands with the same --store, network and weights read them. Workers of joblib share the "
    "work, also on several machines.",
    _add_arguments,
    _execute,
)
