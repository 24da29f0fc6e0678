"""The parts of the experiment: recipes, encoders, the split, controls and the report."""

from ._controls import fit_controls, trivial_benchmark
from ._device import use_gpu
from ._encoders import (
    build_networks,
    fit_on_training_rows,
    list_ensembles,
    list_models,
    list_together,
    make_encoders,
    make_posters,
    make_texts,
    write_random_weights,
)
from ._missing import compare_missing
from ._predict import predict_movie
from ._recipes import RECIPES, EncoderOptions, Recipe, choose_recipe, poster_augmentation
from ._report import write_report
from ._runs import compare_runs, join_runs
from ._saved_models import (
    MODELS_FOLDER,
    list_saved_models,
    load_model,
    save_background,
    save_model,
)
from ._split import Outcome, SeedResult, Split, check_genres_differ, split_into_folds, split_rows

__all__ = [
    "MODELS_FOLDER",
    "RECIPES",
    "EncoderOptions",
    "Outcome",
    "Recipe",
    "SeedResult",
    "Split",
    "build_networks",
    "check_genres_differ",
    "choose_recipe",
    "compare_missing",
    "compare_runs",
    "fit_controls",
    "fit_on_training_rows",
    "join_runs",
    "list_ensembles",
    "list_models",
    "list_saved_models",
    "list_together",
    "load_model",
    "make_encoders",
    "make_posters",
    "make_texts",
    "poster_augmentation",
    "predict_movie",
    "save_background",
    "save_model",
    "split_into_folds",
    "split_rows",
    "trivial_benchmark",
    "use_gpu",
    "write_random_weights",
    "write_report",
]
