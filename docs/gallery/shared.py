"""The icons, a fitted ensemble and its scores, which the pages of the gallery share."""

import tempfile
from functools import cache

import keras

from examples.icon_categories.data import load_icons
from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble.model_selection import compare, stratified_holdout

# Only the categories that at least 60 icons have.
icons = load_icons(None, image_size=64, min_icons=60)
train_rows, test_rows = stratified_holdout(icons.categories, 0.3, random_state=0)
X_train, X_test = icons.table.iloc[train_rows], icons.table.iloc[test_rows]
y_train, y_test = icons.categories.iloc[train_rows], icons.categories.iloc[test_rows]

# Nothing is downloaded, so the network that reads the pictures has random weights.
picture = ImageEncoder(
    "picture", backbone="MobileNet", weights=None, image_size=64, seed=1
)
terms = BagOfWordsEncoder("terms", optional=True)
name = BagOfWordsEncoder("name", tokenizer="words")

folder = tempfile.TemporaryDirectory()
store = FeatureStore(folder.name)
ensemble = MultimodalEnsemble(
    [picture, terms, name], store=store, random_state=0, verbose=0
).fit(X_train, y_train)
scores = ensemble.predict_proba(X_test)


@cache
def networks():
    """Train one network of terms and names for each way of joining them."""
    return {
        fusion: MultimodalClassifier(
            [terms, name],
            fusion=fusion,
            epochs=14,
            batch_size=64,
            optimizer=keras.optimizers.Adam(0.003),
            evaluate_every=10,
            random_state=0,
            verbose=0,
        ).fit(X_train, y_train)
        for fusion in ("concat", "gated", "attention")
    }


@cache
def comparison():
    """Compare ensembles of terms, of names and of both on two folds of all icons."""
    return compare(
        {
            "terms": MultimodalEnsemble([terms], verbose=0),
            "name": MultimodalEnsemble([name], verbose=0),
            "terms and name": MultimodalEnsemble([terms, name], verbose=0),
        },
        icons.table,
        icons.categories,
        cv=2,
        baseline="terms",
        n_resamples=500,
        random_state=0,
        verbose=0,
    )
