"""The experiment: which categories an icon has, from its picture, its search terms and its name.

This is the whole study; read it from top to bottom. `run_experiment` draws the icons, computes the
features of all pictures once, and draws the splits. `run_split` then fits ensembles of each
modality and of all together, and compares them with the plain call of the library, linear controls
and a trivial benchmark.
"""

import time

from multimodal_ensemble import Encoder, FeatureStore, MultimodalClassifier, MultimodalEnsemble

from ..report import Report
from .controls import fit_linear, trivial_benchmark
from .data import Icons, load_icons
from .encoders import ALL, NAME, PICTURE, TERMS, list_models, make_picture_encoder
from .options import RunOptions
from .results import write_report
from .split import Outcome, Split, split_rows

# The models that are also fitted as logistic regressions.
CONTROLLED = (PICTURE, TERMS, NAME, ALL)


def run_experiment(options: RunOptions) -> Report:
    """Fit and compare all models on every seed, and write the report."""
    # The frozen network sees each picture once; from then on, all models of all seeds train on the
    # stored features.
    picture = make_picture_encoder(options.backbone, options.weights, options.image_size)
    store = FeatureStore(options.store)
    icons = load_icons(options.data, image_size=picture.input_shape[0])
    print(
        f"{len(icons.table):,} icons of version {icons.version}, {icons.categories.shape[1]} "
        f"categories; {icons.n_dropped} search terms that name a category were dropped."
    )
    models = list_models(picture, options.text_backbone)
    frozen = [encoder for encoder in models[ALL] if encoder.get_backbone() is not None]
    store.compute_features(frozen, icons.table)

    results = []
    for seed in range(1, options.n_seeds + 1):
        print(f"\n=== Seed {seed} ===")
        split = split_rows(icons.categories.to_numpy(), seed)
        results.append((split, run_split(options, icons, models, store, split)))
    return write_report(options, icons, picture, results)


def run_split(
    options: RunOptions,
    icons: Icons,
    models: dict[str, list[Encoder]],
    store: FeatureStore,
    split: Split,
) -> dict[str, Outcome]:
    """Fit and score everything on one split; whatever is learned comes from training icons."""
    outcomes = {}
    for name, encoders in models.items():
        ensemble = MultimodalEnsemble(encoders, store=store, random_state=split.seed, verbose=0)
        outcomes[f"ensemble: {name}"] = _fit(ensemble, icons, split)

    # The plain call holds out a tenth of the training icons to choose weights and thresholds. A bag
    # and an embedding of the same terms are for ensembles.
    if "network" in options.compare:
        plain = [encoder for encoder in models[ALL] if encoder.name != "term_embedding"]
        network = MultimodalClassifier(plain, store=store, random_state=split.seed, verbose=0)
        outcomes["network, plain call: all"] = _fit(network, icons, split)

    if "logistic" in options.compare:
        for name in CONTROLLED:
            outcomes[f"logistic: {name}"] = fit_linear(icons, split, models[name], store)
    outcomes["trivial"] = trivial_benchmark(icons, split)
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome.seconds:.1f} s")
    return outcomes


def _fit(
    estimator: MultimodalEnsemble | MultimodalClassifier, icons: Icons, split: Split
) -> Outcome:
    X, y = icons.table, icons.categories
    start = time.perf_counter()
    estimator.fit(X.iloc[split.train], y.iloc[split.train])
    seconds = time.perf_counter() - start
    return Outcome(estimator.predict_proba(X.iloc[split.test]), estimator.thresholds_, seconds)
