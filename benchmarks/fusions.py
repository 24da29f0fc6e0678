"""Compare fusions, losses and uses of label correlations: ``python -m benchmarks.fusions --help``.

Every method trains on the same rows of a table of images, tags and labels, for each seed. A fifth
of the rows are test rows, which nothing else uses. The scores of test rows are kept in a folder, so
an interrupted run resumes, and the printed table compares all methods in that folder.
"""

import argparse
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Set before TensorFlow is imported, because its start-up messages would hide the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain

from benchmarks._machine import describe_machine
from multimodal_ensemble import (
    BagOfWordsEncoder,
    Encoder,
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    mean_roc_auc,
    predict_scores,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.model_selection import stratified_holdout
from multimodal_ensemble.training import AsymmetricLoss

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
N_DRAWS = 1_000
# Penalties of logistic regressions on 200 principal components, chosen on training rows.
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
N_COMPONENTS = 200
N_CHAINS = 5


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is built and trained; an empty value keeps the library's default."""

    fit: dict[str, Any]
    optimizer: Callable[[], Any]
    batch_size: int
    heads: dict[str, DenseHead | None]


RECIPES = {
    # The defaults of `MultimodalClassifier`.
    "plain": Recipe({}, lambda: "adam", 32, {"image": None, "tags": None}),
    # That of the MovieLens example.
    "recommended": Recipe(
        {"evaluate_every": 10, "patience": 12},
        lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.01),
        128,
        {
            "image": DenseHead(input_dropout=0.8, scaling="log"),
            "tags": DenseHead(input_dropout=0.5),
        },
    ),
}
NETWORKS: dict[str, dict[str, Any]] = {
    "concat": {},
    "gated": {"fusion": "gated"},
    "attention": {"fusion": "attention"},
    "focal loss": {"loss": "binary_focal_crossentropy"},
    "asymmetric loss": {"loss": AsymmetricLoss()},
    "residual label block": {"is_residual": True},
}
# What each method is compared with.
BASES = {name: "concat" for name in NETWORKS} | {
    "chains": "logistic",
    "stacking": "logistic",
    "logistic": "logistic",
}


@dataclasses.dataclass(frozen=True)
class Rows:
    """A table with the columns ``image``, a path, and ``tags``, lists; labels; and two splits."""

    table: pd.DataFrame
    y: pd.DataFrame

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the training, validation and test rows of a seed."""
        y = self.y.to_numpy()
        known, test = stratified_holdout(y, TEST_SHARE, random_state=seed)
        train, validation = stratified_holdout(y[known], VALIDATION_SHARE, random_state=seed)
        return known[train], known[validation], test


def read_rows(path: Path) -> Rows:
    """Read a CSV file with the columns image, tags and labels; the last two separated by ``|``."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["image"] = [str(path.parent / image) for image in table["image"]]
    table["tags"] = table["tags"].map(lambda tags: [tag for tag in tags.split("|") if tag])
    return Rows(table, table["labels"].str.get_dummies("|"))


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All methods on the rows of one table; each backbone is a modality, and so are the tags."""

    rows: Rows
    weights: dict[str, str]  # weights by backbone
    store: FeatureStore

    def encoders(self, recipe: Recipe, train: np.ndarray) -> list[Encoder]:
        images = [
            ImageEncoder(
                f"image_{backbone}",
                column="image",
                backbone=backbone,
                weights=weights,
                head=recipe.heads["image"],
            )
            for backbone, weights in self.weights.items()
        ]
        tags = BagOfWordsEncoder("tags", head=recipe.heads["tags"])
        return [*images, tags.fit(self.rows.table["tags"].iloc[train])]

    def train_network(
        self,
        recipe: Recipe,
        seed: int,
        *,
        loss: Any = "binary_crossentropy",
        is_residual: bool = False,
        **options: Any,
    ) -> np.ndarray:
        """Return the scores of the test rows."""
        parts = self.rows.split(seed)
        encoders = self.encoders(recipe, parts[0])
        train, validation, test = (
            MultimodalDataset(
                self.rows.table.iloc[part],
                encoders,
                self.rows.y.iloc[part],
                batch_size=recipe.batch_size,
                shuffle=number == 0,
                seed=seed,
                store=self.store,
                verbose=0,
            )
            for number, part in enumerate(parts)
        )
        n_labels = self.rows.y.shape[1]
        model = fuse_encoders(encoders, n_labels, modality_dropout=0.3, seed=seed, **options)
        if is_residual:
            keras.utils.set_random_seed(seed)
            model = add_label_block(model)
        optimizer = recipe.optimizer()
        fit_model(model, train, validation, optimizer=optimizer, loss=loss, verbose=0, **recipe.fit)
        return predict_scores(model, test)

    def train_logistic(self, seed: int) -> dict[str, np.ndarray]:
        """Return the scores of logistic regressions: one per label, chained, and stacked."""
        train, validation, test = self.rows.split(seed)
        train = np.sort(np.concatenate([train, validation]))
        *images, tags = self.encoders(RECIPES["plain"], train)
        blocks = [tags.encode(self.rows.table["tags"])]
        for image in images:
            block = np.log1p(self.store.get_features(image, self.rows.table["image"], verbose=0))
            blocks.append(block / np.maximum(block[train].std(axis=0), 1e-6))
        x = np.hstack([_centre(block, train) for block in blocks])
        x = PCA(N_COMPONENTS, random_state=seed).fit(x[train]).transform(x)
        y = self.rows.y.to_numpy()
        folds = KFold(5, shuffle=True, random_state=seed)
        best, penalty, out_of_fold = -1.0, PENALTIES[0], np.empty(0)
        for candidate in PENALTIES:
            scores = _out_of_fold(_one_per_label(candidate), x[train], y[train], folds)
            if (auc := mean_roc_auc(y[train], scores)) > best:
                best, penalty, out_of_fold = auc, candidate, scores
        plain = _one_per_label(penalty).fit(x[train], y[train]).predict_proba(x[test])
        chains = [
            ClassifierChain(_logistic(penalty), order="random", random_state=number)
            .fit(x[train], y[train])
            .predict_proba(x[test])
            for number in range(N_CHAINS)
        ]
        return {
            "logistic": plain,
            "chains": np.mean(chains, axis=0),
            "stacking": _stack(out_of_fold, y[train], plain, folds),
        }


def add_label_block(model: keras.Model) -> keras.Model:
    """Return the model with a block that corrects the logits of each label by those of all."""
    scores = model.get_layer("scores")
    n_labels = scores.units
    logits = keras.layers.Dense(n_labels, name="logits")(scores.input)
    hidden = keras.layers.Dense(64, activation="relu", name="label_hidden")(logits)
    correction = keras.layers.Dense(n_labels, kernel_initializer="zeros", name="label_residual")
    total = keras.layers.Add(name="label_sum")([logits, correction(hidden)])
    inputs = {tensor.name: tensor for tensor in model.inputs}
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name="scores")(total))


def _stack(out_of_fold: np.ndarray, y: np.ndarray, scores: np.ndarray, folds: KFold) -> np.ndarray:
    """Return scores from the out-of-fold log-odds of all labels."""
    x, x_test = _log_odds(out_of_fold), _log_odds(scores)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / scale, (x_test - mean) / scale
    candidates = [
        (mean_roc_auc(y, _out_of_fold(_one_per_label(penalty), x, y, folds)), penalty)
        for penalty in PENALTIES
    ]
    return _one_per_label(max(candidates)[1]).fit(x, y).predict_proba(x_test)


def _centre(block: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Centre a block and scale it, so that principal components have about unit variance."""
    block = block - block[train].mean(axis=0)
    return block * np.sqrt(N_COMPONENTS / (block[train] ** 2).sum(axis=1).mean())


def _logistic(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=1_000)


def _one_per_label(penalty: float) -> OneVsRestClassifier:
    return OneVsRestClassifier(_logistic(penalty))


def _out_of_fold(estimator: Any, x: np.ndarray, y: np.ndarray, folds: KFold) -> np.ndarray:
    return cross_val_predict(estimator, x, y, cv=folds, method="predict_proba")


def _log_odds(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(scores / (1 - scores))


def draw_roc_auc(y: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean ROC-AUC of each bootstrap draw; `counts` has shape ``(n_draws, n_rows)``."""
    areas = []
    for truth, score in zip(y.T.astype(bool), scores.T, strict=True):
        positive, negative = score[truth][:, None], score[~truth][None]
        wins = (positive > negative) + 0.5 * (positive == negative)
        pairs = counts[:, truth].sum(axis=1) * counts[:, ~truth].sum(axis=1)
        with np.errstate(invalid="ignore"):
            areas.append(((counts[:, truth] @ wins) * counts[:, ~truth]).sum(axis=1) / pairs)
    return np.nanmean(areas, axis=0)


def compare(rows: Rows, runs: Path, prefix: str, method: str, seeds: list[int]) -> str | None:
    """Return one row of the table, or None if a seed has not been run."""
    recorded = []
    drawn = []
    for seed in seeds:
        files = [runs / f"{prefix}-{seed}-{name}.npy" for name in (method, BASES[method])]
        if not all(file.exists() for file in files):
            return None
        y = rows.y.to_numpy()[rows.split(seed)[2]]
        scores, base = (np.load(file) for file in files)
        recorded.append([f(y, x) for f in (mean_roc_auc, _mean_precision) for x in (scores, base)])
        shares = np.full(len(y), 1 / len(y))
        counts = np.random.default_rng(seed).multinomial(len(y), shares, N_DRAWS).astype(float)
        drawn.append(draw_roc_auc(y, scores, counts) - draw_roc_auc(y, base, counts))
    auc, base_auc, precision, base_precision = np.transpose(recorded)
    cells = [prefix, method, f"{auc.mean():.4f}", "", "", f"{precision.mean():.4f}", ""]
    if method != BASES[method]:
        low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5])
        gains = auc - base_auc
        cells[3] = f"{gains.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
        cells[4] = " ".join(f"{gain:+.3f}" for gain in gains)
        cells[6] = f"{(precision - base_precision).mean():+.4f}"
    return f"| {' | '.join(cells)} |"


def _mean_precision(y: np.ndarray, scores: np.ndarray) -> float:
    occurs = y.any(axis=0)
    return float(average_precision_score(y[:, occurs], scores[:, occurs], average="macro"))


def main() -> None:
    """Train what is not in the folder of runs yet, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusions", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV file: image, tags (a|b), labels (a|b)"
    )
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("--apart", action="store_true", help="one experiment per backbone")
    parser.add_argument("--store", type=Path, default=Path("runs/features"))
    parser.add_argument("--runs", type=Path, default=Path("runs/fusions"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=[*RECIPES])
    parser.add_argument("--only", nargs="+", choices=BASES, default=[*BASES], metavar="METHOD")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    rows = read_rows(options.data)
    print(f"{len(rows.table)} rows, {rows.y.shape[1]} labels; {describe_machine()}")
    prefixes = []
    weights = dict(pair.split("=", 1) for pair in options.weights)
    groups = [{name: file} for name, file in weights.items()] if options.apart else [weights]
    for group in groups:
        experiment = Experiment(rows, group, FeatureStore(options.store))
        prefix = f"{options.data.stem}-{'+'.join(group)}"
        prefixes += [f"{prefix}-{recipe}" for recipe in [*options.recipes, "features"]]
        for seed in options.seeds:
            _run_seed(experiment, prefix, seed, options)
    print("| data | method | ROC-AUC | difference [95 % interval] | per seed | AP | difference |")
    print("|---|---|---|---|---|---|---|")
    for prefix in prefixes:
        for method in BASES:
            if line := compare(rows, options.runs, prefix, method, options.seeds):
                print(line)


def _run_seed(experiment: Experiment, prefix: str, seed: int, options: argparse.Namespace) -> None:
    for recipe in options.recipes:
        for name in [name for name in NETWORKS if name in options.only]:
            file = options.runs / f"{prefix}-{recipe}-{seed}-{name}.npy"
            if not file.exists():
                start = time.perf_counter()
                scores = experiment.train_network(RECIPES[recipe], seed, **NETWORKS[name])
                np.save(file, scores)
                print(f"{file.stem}: {time.perf_counter() - start:.0f} s", flush=True)
                keras.backend.clear_session()
    file = options.runs / f"{prefix}-features-{seed}-logistic.npy"
    if "logistic" in options.only and not file.exists():
        for name, scores in experiment.train_logistic(seed).items():
            np.save(options.runs / f"{prefix}-features-{seed}-{name}.npy", scores)


if __name__ == "__main__":
    main()
