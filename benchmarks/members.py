"""Compare members, groups and weights of an ensemble: ``python -m benchmarks.members --help``.

Every method is trained on the same rows of a table of images, tags and labels. The scores of test
rows are kept in a folder, so an interrupted run resumes, and the printed tables compare all methods
in that folder.
"""

import argparse
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Set before TensorFlow is imported, because its start-up messages would hide the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier

from benchmarks._machine import describe_machine
from benchmarks.fusions import TEST_SHARE, Rows, read_rows
from multimodal_ensemble import (
    BagOfWordsEncoder,
    Encoder,
    FeatureStore,
    ImageEncoder,
    MultilabelStratifiedKFold,
    MultimodalClassifier,
    MultimodalDataset,
    TagEmbeddingEncoder,
)
from multimodal_ensemble.estimators._feature_blocks import row_directions
from multimodal_ensemble.estimators._member_weights import MemberWeights, learn_weights
from multimodal_ensemble.estimators._scored import Scored as ScoredRows
from multimodal_ensemble.fusion import MemberLayout
from multimodal_ensemble.linear import Block, PlattScaling, fit_ridge, prior_log_odds
from multimodal_ensemble.model_selection import stratified_holdout

N_DRAWS = 1_000
BAG, VECTORS = "bag", "vectors"
# Inverse penalties of the logistic regressions, on joined blocks of mean squared norm 1.
INVERSE_PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
TAG_COUNTS = ((0, 0), (1, 2), (3, 6), (7, 15), (16, 10**9))
BASE = "default"


def make_splits(y: np.ndarray, how: str, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield training and test rows: folds, fifths held out, or so many training rows."""
    if how == "folds":
        yield from MultilabelStratifiedKFold(number, random_state=0).split(y, y)
        return
    for seed in range(1, number + 1):
        if how == "holdouts":
            yield stratified_holdout(y, TEST_SHARE, random_state=seed)
        else:
            order = np.random.default_rng(seed).permutation(len(y))
            yield np.sort(order[: int(how)]), np.sort(order[int(how) :])


class Split:
    """Features of all rows, learned from the training rows of one split, and members."""

    def __init__(
        self, rows: Rows, images: Sequence[Encoder], store: FeatureStore, train: np.ndarray
    ) -> None:
        self.table, self.y, self.train = rows.table, rows.y.to_numpy() > 0, train
        self.images = [image.name for image in images]
        tags = rows.table["tags"].iloc[train]
        encoders = [
            *images,
            BagOfWordsEncoder(BAG, column="tags").fit(tags),
            TagEmbeddingEncoder(VECTORS, column="tags").fit(tags),
        ]
        dataset = MultimodalDataset(rows.table, encoders, store=store, verbose=0)
        self.blocks: dict[str, Block] = {}
        for encoder in encoders:
            matrix = dataset.feature_matrix(encoder.name)
            is_image = encoder.name in self.images
            present = np.asarray(abs(matrix).sum(axis=1)).ravel() > 0
            if is_image:
                matrix = np.log1p(np.maximum(matrix, 0))
                features = _fit_block(matrix, present, train, standardize=True)
                matrix = row_directions(features)
            self.blocks[encoder.name] = _fit_block(matrix, present, train, standardize=False)
        self.presence = {
            name: block.present[:, None].astype(float) for name, block in self.blocks.items()
        }
        tokens = np.diff(self.blocks[BAG].matrix.indptr)
        self.n_tokens = tokens[:, np.newaxis].astype(float)
        self._known: dict[tuple[object, ...], np.ndarray] = {}

    def say(self, layout: MemberLayout, *, one_penalty: bool = False) -> np.ndarray:
        """Return log-odds less those of the shares: of training rows without the row."""
        key = (layout.encoders, one_penalty)
        if key not in self._known:
            self._known[key] = self._fit(layout.encoders, one_penalty)
        return self._known[key]

    def _fit(self, names: Sequence[str], one_penalty: bool) -> np.ndarray:
        here = np.hstack([self.presence[name] for name in names]).any(axis=1)
        used = self.train[here[self.train]]
        y = self.y[used]
        blocks = [self.blocks[name].take(used) for name in names]
        fit = fit_ridge(blocks, y)
        if one_penalty:
            fit = fit_ridge(blocks, y, penalties=[float(np.median(fit.penalties))])
        scores = np.zeros(self.y.shape)
        for name, coefficients in zip(names, fit.coefficients, strict=True):
            scores += self.blocks[name].rows(slice(None)) @ coefficients
        scores[used] = fit.scores
        return PlattScaling.fit(fit.scores, y).log_odds(scores) - prior_log_odds(y)

    def fuse(
        self,
        groups: Sequence[Sequence[str]],
        *,
        joint: bool = True,
        weights: str = "learned",
        one_penalty: bool = False,
    ) -> np.ndarray:
        """Return calibrated log-odds of all rows.

        `weights` are "learned", "equal", or "constant": learned, but the same for all rows.
        """
        layouts = [
            MemberLayout(
                ".".join(group),
                tuple(group),
                evidence="image" if group[0] in self.images else "tags",
            )
            for group in groups
        ]
        if joint:
            layouts.append(MemberLayout("joint", tuple(self.blocks)))
        said = [self.say(layout, one_penalty=one_penalty) for layout in layouts]
        presences = [layout.presence(self.presence) for layout in layouts]
        n_tokens = self.n_tokens * (weights == "learned")
        learned = MemberWeights.constant(np.ones(len(layouts)))
        if weights != "equal":
            odds, here = ([each[self.train] for each in many] for many in (said, presences))
            part = ScoredRows(self.train, self.y[self.train], None)
            learned = learn_weights(layouts, odds, here, n_tokens[self.train], part, 0)
        evidence = learned.weigh(layouts, said, presences, n_tokens)
        y = self.y[self.train]
        return PlattScaling.fit(evidence[self.train], y).log_odds(evidence)

    def logistic(self) -> np.ndarray:
        """Return log-odds of one logistic regression per label on all blocks, joined."""
        x = np.hstack([block.rows(slice(None)) for block in self.blocks.values()])
        # The same inner products in fewer numbers.
        base = np.linalg.qr(x[self.train].T)[0] if x.shape[1] > len(self.train) else None
        x = x if base is None else x @ base
        search = GridSearchCV(
            LogisticRegression(max_iter=1_000), {"C": INVERSE_PENALTIES}, scoring="roc_auc", cv=3
        )
        model = OneVsRestClassifier(search).fit(x[self.train], self.y[self.train].astype(int))
        return np.stack([each.decision_function(x) for each in model.estimators_], axis=1)

    def methods(self) -> dict[str, np.ndarray]:
        """Return log-odds of all rows by method."""
        images, each = self.images, [[name] for name in self.images]
        tags = [[BAG], [VECTORS]]
        everything = [[*self.blocks]]
        methods = {
            BASE: self.fuse([*each, *tags]),
            "without a joint member": self.fuse([*each, *tags], joint=False),
            "bag and vectors in one member": self.fuse([*each, [BAG, VECTORS]]),
            "equal weights": self.fuse([*each, *tags], weights="equal"),
            "the same weights for all rows": self.fuse([*each, *tags], weights="constant"),
            "equal weights, without a joint member": self.fuse(
                [*each, *tags], weights="equal", joint=False
            ),
            "one penalty for all labels": self.fuse([*each, *tags], one_penalty=True),
            "joint member alone": self.fuse(everything, joint=False),
            "images alone": self.fuse(each, joint=False),
            "tags alone": self.fuse(tags, joint=False),
            **{f"{name} alone": self.fuse([[name]], joint=False) for name in self.blocks},
        }
        if len(images) > 1:
            methods["image networks in one member"] = self.fuse([images, *tags])
            methods["image networks, bag and vectors in one member each"] = self.fuse(
                [images, [BAG, VECTORS]]
            )
            methods["the same without a joint member"] = self.fuse(
                [images, [BAG, VECTORS]], joint=False
            )
            methods["bag and vectors in one member, without a joint member"] = self.fuse(
                [*each, [BAG, VECTORS]], joint=False
            )
        return methods


def train_network(
    rows: Rows, images: Sequence[Encoder], store: FeatureStore, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Return log-odds of test rows from the plain call of `MultimodalClassifier`."""
    network = MultimodalClassifier(
        [*images, BagOfWordsEncoder("tags")], store=store, random_state=0, verbose=0
    )
    network.fit(rows.table.iloc[train], rows.y.iloc[train])
    scores = np.clip(network.predict_proba(rows.table.iloc[test]).astype(float), 1e-7, 1 - 1e-7)
    return np.log(scores) - np.log1p(-scores)


def _fit_block(matrix: Any, present: np.ndarray, train: np.ndarray, *, standardize: bool) -> Block:
    """Return a block of all rows, with what was learned from training rows."""
    fit = Block.fit(matrix[train], standardize=standardize, present=present[train])
    return Block(matrix, fit.mean, fit.factor, present)


def roc_auc(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the ROC-AUC of each label; NaN without rows of both classes."""
    ranks, positives = rankdata(scores, axis=0), y.sum(axis=0)
    pairs = positives * (len(y) - positives)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (((ranks * y).sum(axis=0) - positives * (positives + 1) / 2) / pairs).astype(float)


def mean_roc_auc(y: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean over the labels with rows of both classes."""
    return float(np.nanmean(roc_auc(y, scores)))


@dataclasses.dataclass(frozen=True)
class Scored:
    """Test rows of one split, with the scores of all methods."""

    rows: np.ndarray
    scores: dict[str, np.ndarray]


def compare(y: np.ndarray, splits: Sequence[Scored]) -> str:
    """Return a table of mean ROC-AUC, with paired bootstrap intervals of the differences."""
    rng = np.random.default_rng(0)
    # How often each test row of a split is drawn.
    drawn = [
        rng.multinomial(len(split.rows), np.full(len(split.rows), 1 / len(split.rows)), N_DRAWS)
        for split in splits
    ]
    names = [name for name in splits[0].scores if all(name in split.scores for split in splits)]
    base: np.ndarray = np.empty(0)
    lines = ["| method | mean ROC-AUC | difference | 95 % interval |", "|---|---|---|---|"]
    for name in sorted(names, key=lambda each: each != BASE):
        values = [mean_roc_auc(y[each.rows], each.scores[name]) for each in splits]
        draws = np.mean(
            [
                _drawn_roc_auc(y[each.rows], each.scores[name], weights)
                for each, weights in zip(splits, drawn, strict=True)
            ],
            axis=0,
        )
        if name == BASE:
            base, mean = draws, float(np.mean(values))
            lines.append(f"| {name} | {mean:.4f} | | |")
            continue
        low, high = np.percentile(draws - base, [2.5, 97.5])
        difference = np.mean(values) - mean
        lines.append(
            f"| {name} | {np.mean(values):.4f} | {difference:+.4f} | {low:+.4f} to {high:+.4f} |"
        )
    return "\n".join(lines)


def _drawn_roc_auc(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean ROC-AUC for each row of weights, of shape (n_draws, n)."""
    values = np.empty((len(weights), y.shape[1]))
    for label in range(y.shape[1]):
        order = np.argsort(scores[:, label])
        ordered, drawn = scores[order, label], weights[:, order]
        positive = drawn * y[order, label]
        below = np.pad(np.cumsum(drawn - positive, axis=1), ((0, 0), (1, 0)))
        # Ties count half.
        wins = below[:, np.searchsorted(ordered, ordered, side="left")]
        wins = wins + below[:, np.searchsorted(ordered, ordered, side="right")]
        pairs = positive.sum(axis=1) * below[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            values[:, label] = (wins * positive).sum(axis=1) / 2 / pairs
    return np.nanmean(values, axis=1)


def compare_by_tags(
    counts: np.ndarray, y: np.ndarray, splits: Sequence[Scored], names: Sequence[str]
) -> str:
    """Return a table of mean ROC-AUC by number of tags, over the test rows of all splits."""
    tested = np.concatenate([split.rows for split in splits])
    counts, y = counts[tested], y[tested]
    scores = {name: np.concatenate([each.scores[name] for each in splits]) for name in names}
    lines = [f"| tags | rows | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for low, high in (*TAG_COUNTS, (0, 10**9)):
        here = (counts >= low) & (counts <= high)
        if not here.any():
            continue
        cells = " | ".join(f"{mean_roc_auc(y[here], scores[name][here]):.3f}" for name in names)
        label = f"{low} to {high}" if low < high < 10**9 else f"{low}" if low == high else f"{low}+"
        lines.append(f"| {label} | {here.sum():,} | {cells} |")
    without = counts == 0
    if without.any():
        lines += ["", _describe_calibration(y, scores[BASE], without)]
    return "\n".join(lines)


def _describe_calibration(y: np.ndarray, log_odds: np.ndarray, without: np.ndarray) -> str:
    """Return whether rows without tags are ranked fairly among the others."""
    share = 1 / (1 + np.exp(-log_odds))
    shifts = np.linspace(-1.5, 1.5, 31)
    moved = [roc_auc(y, log_odds + shift * without[:, None]) for shift in shifts]
    best = np.nanmean(np.max(moved, axis=0))
    parts = [
        f"rows {name} tags: mean score {share[here].mean():.3f}, share of labels "
        f"{y[here].mean():.3f}"
        for name, here in (("without", without), ("with", ~without))
    ]
    return (
        f"{'; '.join(parts)}. Mean ROC-AUC over all rows {mean_roc_auc(y, log_odds):.4f}; with the "
        f"best shift of rows without tags for each label, known only afterwards, {best:.4f}."
    )


def main() -> None:
    """Train what is missing in the folder, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.members", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="CSV file: image, tags, labels")
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--store", required=True, help="folder for features of images")
    parser.add_argument("--runs", type=Path, required=True, help="folder for scores")
    parser.add_argument(
        "--splits", default="folds", help="folds, holdouts of a fifth, or a number of training rows"
    )
    parser.add_argument("--number", type=int, default=10, help="number of splits")
    parser.add_argument(
        "--also", nargs="*", default=[], choices=("network", "logistic"), help="other methods"
    )
    options = parser.parse_args()
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    rows, store = read_rows(options.data), FeatureStore(options.store)
    y, counts = rows.y.to_numpy(), rows.table["tags"].map(len).to_numpy()
    images: list[Encoder] = [
        ImageEncoder(name.lower(), column="image", backbone=name, weights=path)
        for name, _, path in (pair.partition("=") for pair in options.weights)
    ]
    names = "-".join(image.name for image in images)
    options.runs.mkdir(parents=True, exist_ok=True)
    done: list[Scored] = []
    for number, (train, test) in enumerate(make_splits(y, options.splits, options.number)):
        file = options.runs / f"{options.data.stem}-{names}-{options.splits}-{number}.npz"
        scores = dict(np.load(file)) if file.exists() else {}
        if not scores or ("logistic" in options.also and "logistic" not in scores):
            split = Split(rows, images, store, train)
            scores |= {name: odds[test] for name, odds in split.methods().items()}
            if "logistic" in options.also:
                scores["logistic"] = split.logistic()[test]
        if "network" in options.also and "network" not in scores:
            scores["network"] = train_network(rows, images, store, train, test)
        np.savez(file, **scores)
        done.append(Scored(test, scores))
        print(f"split {number}: {mean_roc_auc(y[test], scores[BASE]):.4f}", flush=True)
    print(compare(y, done))
    shown = [BASE, "images alone", "tags alone", "joint member alone", "without a joint member"]
    print("\n" + compare_by_tags(counts, y, done, shown))


if __name__ == "__main__":
    main()
