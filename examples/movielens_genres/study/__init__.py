"""The parts of the experiment: recipes, encoders, the split, controls and the report."""

from ._controls import fit_controls, trivial_benchmark
from ._device import use_gpu
from ._encoders import (
    fit_on_training_rows,
    list_ensembles,
    list_models,
    list_together,
    make_encoders,
    make_posters,
    make_texts,
)
from ._missing import compare_missing
from ._recipes import RECIPES, EncoderOptions, Recipe, poster_augmentation
from ._report import write_report
from ._split import Outcome, SeedResult, Split, check_genres_differ, split_into_folds, split_rows

__all__ = [
    "RECIPES",
    "EncoderOptions",
    "Outcome",
    "Recipe",
    "SeedResult",
    "Split",
    "check_genres_differ",
    "compare_missing",
    "fit_controls",
    "fit_on_training_rows",
    "list_ensembles",
    "list_models",
    "list_together",
    "make_encoders",
    "make_posters",
    "make_texts",
    "poster_augmentation",
    "split_into_folds",
    "split_rows",
    "trivial_benchmark",
    "use_gpu",
    "write_report",
]
