"""Checks that every encoder must pass."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import head_name
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.fusion import fuse_encoders
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training import fit_model, predict_scores

_N_LABELS = 3
_TOLERANCE = 1e-5
# Accepted error of half precision, relative to the largest value.
_HALF_TOLERANCES = {"float16": 3e-2, "bfloat16": 1e-1}
_TRIES = 5


def check_encoder(encoder: Encoder, values: Any) -> None:
    """Test an encoder against the contract of `multimodal_ensemble.Encoder`.

    The encoder is fitted to the values. Then its parts are checked: encoding in batches and in a
    copy for other processes, augmented views, configuration and state, the shapes of backbone and
    head, training (which must change the head and not a frozen backbone), saving and loading, and
    stored features, which must equal computed ones.

    Parameters
    ----------
    encoder : Encoder
        The encoder to test. It is fitted.
    values : sequence of length n
        At least four raw values, not all the same.

    Raises
    ------
    AssertionError
        If the encoder breaks the contract; the message names the part, what was expected and what
        was received.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder
    >>> from multimodal_ensemble.testing import check_encoder
    >>> tags = [["space"], ["war", "space"], [], ["love"]]
    >>> check_encoder(BagOfWordsEncoder("tags"), tags)
    """
    n_values = len(values)
    _require(n_values >= 4, "check_encoder needs at least four values", 4, n_values)
    for check in _CHECKS:
        check(encoder, values)


def _check_fit(encoder: Encoder, values: Any) -> None:
    _require(
        encoder.fit(values) is encoder, "fit returns the encoder itself", encoder, "another object"
    )
    shape = tuple(encoder.input_shape)
    _require(
        all(isinstance(size, int) for size in shape),
        "input_shape is a tuple of whole numbers once the encoder is fitted",
        "(int, ...)",
        shape,
    )


def _check_encode(encoder: Encoder, values: Any) -> None:
    n_values = len(values)
    whole = encoder.encode(values)
    _require(isinstance(whole, np.ndarray), "encode returns a numpy array", np.ndarray, type(whole))
    _require_equal(
        "encode returns (n, *input_shape)", (n_values, *encoder.input_shape), whole.shape
    )
    _require(whole.dtype.kind in "biuf", "encode returns numbers", "bool, int, float", whole.dtype)
    _require_close(
        "encode returns the same rows when it is called again", whole, encoder.encode(values), 0
    )
    prepared = encoder.prepare(values)
    rows = np.arange(n_values)[::-1]
    _require_close(
        "encode(prepare(values)[rows]) equals encode(values)[rows]",
        whole[rows],
        encoder.encode(prepared[rows]),
        0,
    )
    for row in rows:
        single = encoder.encode(prepared[[row]])
        _require_close(
            "a row is encoded in the same way alone and in a batch", whole[[row]], single, 0
        )
    digests = encoder.content_digests(prepared)
    _require_equal("content_digests returns one digest per value", n_values, len(digests))
    for one in range(n_values):
        for other in range(one):
            _require(
                digests[one] != digests[other] or np.array_equal(whole[one], whole[other]),
                "values that are encoded differently have different digests",
                "distinct digests",
                f"one digest for the values {other} and {one}",
            )


def _check_missing(encoder: Encoder, values: Any) -> None:
    if not encoder.optional or len(encoder.columns) > 1:
        return
    missing = encoder.find_missing([*values, None]).tolist()
    _require_equal(
        "find_missing distinguishes None from values", [False] * len(values) + [True], missing
    )


def _check_copy_for_workers(encoder: Encoder, values: Any) -> None:
    with _step("a copy without its backbone encodes"):
        encoded = encoder.without_backbone().encode(values)
    _require_close(
        "a copy without its backbone encodes in the same way", encoder.encode(values), encoded, 0
    )


def _check_views(encoder: Encoder, values: Any) -> None:
    augmentation = encoder.augmentation
    if augmentation is None:
        return
    encoded = encoder.encode(values)
    digests = encoder.content_digests(encoder.prepare(values))
    views = np.arange(len(values)) % augmentation.views
    augmented = augmentation.apply(encoded, digests, views)
    _require_equal("an augmentation keeps the shape of rows", encoded.shape, augmented.shape)
    for row in range(len(values))[::-1]:
        alone = augmentation.apply(encoded[[row]], [digests[row]], views[[row]])
        _require_close("a view is the same alone and in a batch", augmented[[row]], alone, 0)
    variants = [augmentation.view_digests(digests, view) for view in range(augmentation.views)]
    looked_up = {digest for known in (digests, *variants) for digest in known}
    _require_equal(
        "the plain value and each view have different digests",
        len(set(digests)) * (1 + augmentation.views),
        len(looked_up),
    )


def _check_round_trip(encoder: Encoder, values: Any) -> None:
    with _step("get_config returns JSON values"):
        config = json.loads(json.dumps(encoder.get_config()))
    _require_equal("get_config returns the name", encoder.name, config.get("name"))
    with _step("from_config accepts what get_config returned, as JSON"):
        copy = type(encoder).from_config(config)
    _require_equal(
        "from_config(get_config()) has the same configuration",
        config,
        json.loads(json.dumps(copy.get_config())),
    )
    with _step("a copy from configuration and state encodes"):
        encoded = copy.set_state(encoder.get_state()).encode(values)
    _require_close(
        "a copy from configuration and state encodes in the same way",
        encoder.encode(values),
        encoded,
        0,
    )
    if encoder.get_backbone() is not None:
        batch = encoder.encode(values)
        _require_close(
            "a copy from configuration and state has the same backbone",
            _run(encoder.get_backbone(), batch),
            _run(copy.get_backbone(), batch),
            _tolerance(),
        )


def _check_backbone(encoder: Encoder, values: Any) -> None:
    backbone = encoder.get_backbone()
    if backbone is None:
        return
    _require(
        isinstance(backbone, keras.Model), "get_backbone() returns a keras.Model", "Model", backbone
    )
    _require(
        encoder.get_backbone() is backbone,
        "get_backbone() returns the same model each time",
        backbone,
        "a new one",
    )
    _require_equal(
        "the backbone accepts what encode returns",
        tuple(encoder.input_shape),
        tuple(backbone.input_shape[1:]),
    )
    batch = encoder.encode(values)
    features = _run(backbone, batch)
    _require_equal(
        "the backbone returns (n, *feature_shape)",
        (len(values), *encoder.feature_shape),
        features.shape,
    )
    _require_close(
        "the backbone stays in inference mode in training (see InferenceModel)",
        features,
        keras.ops.convert_to_numpy(backbone(batch, training=True)),
        _tolerance(),
    )


def _check_head(encoder: Encoder, values: Any) -> None:
    head, other = encoder.build_head(), encoder.build_head()
    _require(head is not other, "build_head() returns a new layer each time", "another one", head)
    symbolic = head(keras.Input(encoder.feature_shape))
    eager = other(np.zeros((len(values), *encoder.feature_shape), dtype="float32"))
    _require(
        len(symbolic.shape) == 2 and isinstance(symbolic.shape[1], int),
        "a head returns one embedding per row",
        "(None, n_units)",
        symbolic.shape,
    )
    _require_equal(
        "a head returns the same shape for an array",
        (len(values), *symbolic.shape[1:]),
        tuple(eager.shape),
    )
    _require_equal(
        "two heads have the same number of weights", head.count_params(), other.count_params()
    )
    shared = {id(weight) for weight in head.weights} & {id(weight) for weight in other.weights}
    _require(not shared, "two heads share no weights", 0, len(shared))


def _check_training(encoder: Encoder, values: Any) -> None:
    data = {column: list(values) for column in encoder.columns}
    y = np.arange(len(values) * _N_LABELS).reshape(-1, _N_LABELS) // 2 % 2
    dataset = MultimodalDataset(_one_column(encoder, values, data), [encoder], y, batch_size=2)
    backbone = encoder.get_backbone()
    frozen = None if backbone is None or backbone.trainable_weights else backbone
    backbone_before = [] if frozen is None else frozen.get_weights()
    head = encoder.build_head()
    head.build((None, *encoder.feature_shape))
    _require(
        bool(head.trainable_weights) or not head.weights,
        "training changes the head",
        "weights to train",
        "frozen ones only",
    )
    for seed in range(_TRIES):
        model = fuse_encoders([encoder], _N_LABELS, seed=seed)
        # All of a few relu units may be inactive with one seed, but not with several.
        if _train_head(model.get_layer(head_name(encoder.name)), model, dataset):
            break
    else:
        _require(False, "training changes the head", "other weights", "the same weights")
    if frozen is not None:
        after = frozen.get_weights()
        _require(
            all(np.array_equal(a, b) for a, b in zip(backbone_before, after, strict=True)),
            "training does not change a frozen backbone",
            "the same weights",
            "other weights",
        )
    _check_saving(encoder, model, dataset)
    if frozen is not None:
        _check_store(encoder, values, model, dataset)


def _train_head(head: keras.Layer, model: keras.Model, dataset: MultimodalDataset) -> bool:
    """Train briefly, and return whether that changed the head, if it has weights."""
    # Only trainable weights, because scaling is adapted before training.
    before = [np.array(keras.ops.convert_to_numpy(weight)) for weight in head.trainable_weights]
    with _step("a model with the encoder's head can be trained"):
        result = fit_model(
            model, dataset, dataset, epochs=2, evaluate_every=1, patience=None, verbose=0
        )
    _require(
        bool(np.isfinite(result.history["loss"]).all()),
        "the loss stays finite in training",
        "finite",
        result.history["loss"].tolist(),
    )
    after = [keras.ops.convert_to_numpy(weight) for weight in head.trainable_weights]
    changed = any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    return changed or not head.weights


def _check_saving(encoder: Encoder, model: keras.Model, dataset: MultimodalDataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        with _step("a model with the encoder's layers can be saved and loaded"):
            model.save(path)
            loaded = keras.models.load_model(path)
    _require_close(
        f"a saved and loaded model with the modality {encoder.name!r} predicts the same",
        predict_scores(model, dataset),
        predict_scores(loaded, dataset),
        _tolerance(),
    )


def _check_store(
    encoder: Encoder, values: Any, model: keras.Model, dataset: MultimodalDataset
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(folder, batch_size=3, dtype="float32")
        stored = store.get_features(encoder, values, verbose=0)
        _require_equal("stored features are found again", 0, store.count_missing(encoder, values))
        again = store.get_features(encoder, values, verbose=0)
        cached = MultimodalDataset(dataset.raw, [encoder], dataset.y, store=store, verbose=0)
    computed = _run(encoder.get_backbone(), encoder.encode(values))
    _require_close("stored features equal computed ones", computed, stored, _tolerance())
    _require_close("features are stored as they were computed", stored, again, 0)
    _require_close(
        "the model predicts the same from stored features",
        predict_scores(model, dataset),
        predict_scores(model, cached),
        _tolerance(),
    )


def _one_column(encoder: Encoder, values: Any, data: dict[str, Any]) -> Any:
    """Return the values as the data that the encoder reads."""
    return values if len(encoder.columns) > 1 else data


def _run(model: keras.Model | None, batch: NDArray[Any]) -> NDArray[Any]:
    if model is None:
        return batch
    result: NDArray[Any] = keras.ops.convert_to_numpy(model(batch, training=False))
    return result


@contextmanager
def _step(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        msg = f"The encoder breaks the contract: {what}. It raised {error!r}."
        raise AssertionError(msg) from error


def _tolerance() -> float:
    return _HALF_TOLERANCES.get(keras.config.dtype_policy().compute_dtype, _TOLERANCE)


def _require(holds: bool, what: str, expected: object, received: object) -> None:
    # An assert statement would do nothing under `python -O`.
    if not holds:
        msg = f"The encoder breaks the contract: {what}. Expected {expected}, received {received}."
        raise AssertionError(msg)


def _require_equal(what: str, expected: object, received: object) -> None:
    _require(expected == received, what, expected, received)


def _require_close(
    what: str, expected: NDArray[Any], received: NDArray[Any], tolerance: float
) -> None:
    same_shape = expected.shape == received.shape
    scale = max(1e-6, float(np.abs(expected).max(initial=0)))
    apart = (
        float(np.abs(expected.astype(float) - received.astype(float)).max(initial=0)) / scale
        if same_shape
        else np.inf
    )
    _require(apart <= tolerance, what, f"at most {tolerance} apart", f"{apart} apart (relative)")


_CHECKS: tuple[Callable[[Encoder, Any], None], ...] = (
    _check_fit,
    _check_encode,
    _check_missing,
    _check_copy_for_workers,
    _check_views,
    _check_round_trip,
    _check_backbone,
    _check_head,
    _check_training,
)
