"""Checks that every encoder must pass."""

from __future__ import annotations

import itertools
import json
import warnings
from typing import Any

import keras
import numpy as np
import pandas as pd

from multimodal_ensemble._encoder_calls import (
    checked_digests,
    checked_lengths,
    checked_prepare,
)
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.saving import pack_state
from multimodal_ensemble.testing._check_parts import check_parts
from multimodal_ensemble.testing._check_training import check_training
from multimodal_ensemble.testing._requirements import (
    cut_like,
    require,
    require_close,
    require_equal,
    require_shape,
    run,
    step,
    tolerance,
)


def check_encoder(encoder: Encoder, values: Any) -> None:
    """Test an encoder against the contract of `multimodal_ensemble.Encoder`.

    The encoder is fitted to the values. Then its parts are checked: encoding in batches and in a
    copy for other processes, augmented views, parts of values in explanations, configuration and
    state, values that are all equal, the shapes of backbone and head, training (which must change
    the head and not a frozen backbone), rows that all lack the modality if it is optional, saving
    and loading, stored features, which must equal computed ones, and the registration of its class.

    Parameters
    ----------
    encoder : Encoder
        The encoder to test. It is fitted.
    values : sequence of length n
        At least four raw values, not all the same; a DataFrame if the encoder reads several
        columns. If the encoder is `optional`, further values may be missing: None or NaN.

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
    require(
        len(encoder.columns) == 1 or isinstance(values, pd.DataFrame),
        "check_encoder needs a table for an encoder that reads several columns",
        f"a pandas.DataFrame with the columns {encoder.columns}",
        type(values).__name__,
    )
    present, _ = present_values(encoder, values)
    n_values = len(present)
    require(n_values >= 4, "check_encoder needs at least four values", 4, n_values)
    _check_fit(encoder, present)
    _check_encode(encoder, present)
    _check_missing(encoder, present)
    _check_copy_for_workers(encoder, present)
    _check_views(encoder, present)
    check_parts(encoder, present)
    _check_round_trip(encoder, present)
    _check_equal_values(encoder, present)
    _check_backbone(encoder, present)
    _check_head(encoder, present)
    _check_padding(encoder, present)
    check_training(encoder, values)
    _check_registered(encoder)


def _check_registered(encoder: Encoder) -> None:
    kind = type(encoder)
    registered = keras.saving.get_registered_object(keras.saving.get_registered_name(kind))
    require(
        registered is kind,
        "its class is registered with Keras, so that a fitted estimator can be saved",
        f"@keras.saving.register_keras_serializable(package=...) on {kind.__name__}",
        "a class without this decorator" if registered is None else f"another {registered}",
    )


def _check_fit(encoder: Encoder, values: Any) -> None:
    same = encoder.fit(values) is encoder
    require(same, "fit returns the encoder itself", encoder, "another object")
    shape = tuple(encoder.input_shape)
    what = "input_shape is a tuple of whole numbers, or None for lengths, once it is fitted"
    require(all(isinstance(size, int | None) for size in shape), what, "(int, ...)", shape)


def _check_encode(encoder: Encoder, values: Any) -> None:
    n_values = len(values)
    whole = encoder.encode(values)
    require(isinstance(whole, np.ndarray), "encode returns a numpy array", np.ndarray, type(whole))
    require_shape("encode returns (n, *input_shape)", (n_values, *encoder.input_shape), whole)
    require(whole.dtype.kind in "biuf", "encode returns numbers", "bool, int, float", whole.dtype)
    again = encoder.encode(values)
    require_close("encode returns the same rows when it is called again", whole, again)
    with step("prepare returns rows that an array of row numbers indexes"):
        prepared = checked_prepare(encoder, values)
    rows = np.arange(n_values)[::-1]
    what = "encode(prepare(values)[rows]) equals encode(values)[rows]"
    require_close(what, whole[rows], encoder.encode(prepared[rows]))
    with step("lengths returns one number per value"):
        checked_lengths(encoder, prepared)
    if hasattr(prepared, "toarray"):
        what = "a sparse matrix that prepare returns is the encoded rows"
        require_close(what, whole, prepared.toarray())
    for row in rows:
        single = encoder.encode(prepared[[row]])
        what = "a row is encoded in the same way alone and in a batch, apart from padding"
        require_close(what, cut_like(single, whole[[row]], encoder.input_shape), single)
    with step("content_digests returns one digest per value"):
        digests = checked_digests(encoder, prepared)
    for one, other in itertools.combinations(range(n_values), 2):
        require(
            digests[one] != digests[other] or np.array_equal(whole[one], whole[other]),
            "values that are encoded differently have different digests",
            "distinct digests",
            f"one digest for the values {one} and {other}",
        )


def _check_missing(encoder: Encoder, values: Any) -> None:
    if encoder.optional and len(encoder.columns) == 1:
        missing = encoder.find_missing([*values, None]).tolist()
        expected = [False] * len(values) + [True]
        require_equal("find_missing distinguishes None from values", expected, missing)


def _check_copy_for_workers(encoder: Encoder, values: Any) -> None:
    with step("a copy without its backbone encodes"):
        encoded = encoder.without_backbone().encode(values)
    what = "a copy without its backbone encodes in the same way"
    require_close(what, encoder.encode(values), encoded)


def _check_views(encoder: Encoder, values: Any) -> None:
    augmentation = encoder.augmentation
    if augmentation is None:
        return
    encoded = encoder.encode(values)
    digests = encoder.content_digests(encoder.prepare(values))
    views = np.arange(len(values)) % augmentation.views
    augmented = augmentation.apply(encoded, digests, views)
    require_equal("an augmentation keeps the shape of rows", encoded.shape, augmented.shape)
    for row in range(len(values))[::-1]:
        alone = augmentation.apply(encoded[[row]], [digests[row]], views[[row]])
        require_close("a view is the same alone and in a batch", augmented[[row]], alone)
    variants = [augmentation.view_digests(digests, view) for view in range(augmentation.views)]
    n_distinct = len({digest for known in (digests, *variants) for digest in known})
    expected = len(set(digests)) * (1 + augmentation.views)
    require_equal("the plain value and each view have different digests", expected, n_distinct)


def _check_round_trip(encoder: Encoder, values: Any) -> None:
    with step("get_config returns JSON values"):
        config = json.loads(json.dumps(encoder.get_config()))
    require_equal("get_config returns the name", encoder.name, config.get("name"))
    with step("from_config accepts what get_config returned, as JSON"):
        copy = type(encoder).from_config(config)
    copied = json.loads(json.dumps(copy.get_config()))
    require_equal("from_config(get_config()) has the same configuration", config, copied)
    with step("get_state returns values that a file can hold"):
        pack_state(encoder.get_state(), {}, "state")
    with step("a copy from configuration and state encodes"):
        encoded = copy.set_state(encoder.get_state()).encode(values)
    batch = encoder.encode(values)
    require_close("a copy from configuration and state encodes in the same way", batch, encoded)
    features, copied = (run(each.get_backbone(), batch) for each in (encoder, copy))
    what = "a copy from configuration and state has the same backbone"
    require_close(what, features, copied, tolerance())


def _check_equal_values(encoder: Encoder, values: Any) -> None:
    """Require finite rows where nothing varies, as division by a scale of zero would not give."""
    equal: Any = values.iloc[[0] * 4] if hasattr(values, "iloc") else [values[0]] * 4
    copy = type(encoder).from_config(json.loads(json.dumps(encoder.get_config())))
    with step("fit accepts values that are all equal, or raises a ModalityError"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                encoded = copy.fit(equal).encode(equal)
        except ModalityError:
            # They are refused, with a reason.
            return
    what = "encode returns finite numbers after fit received values that are all equal"
    require(bool(np.isfinite(encoded).all()), what, "finite numbers", encoded[0])


def _check_backbone(encoder: Encoder, values: Any) -> None:
    backbone = encoder.get_backbone()
    if backbone is None:
        return
    is_model = isinstance(backbone, keras.Model)
    require(is_model, "get_backbone() returns a keras.Model", "Model", backbone)
    is_same = encoder.get_backbone() is backbone
    require(is_same, "get_backbone() returns the same model each time", backbone, "a new one")
    shape = tuple(backbone.input_shape[1:])
    require_equal("the backbone accepts what encode returns", tuple(encoder.input_shape), shape)
    what = "frozen features are arrays of one shape"
    require(None not in encoder.feature_shape, what, "(int, ...)", encoder.feature_shape)
    batch = encoder.encode(values)
    features = run(backbone, batch)
    shape = (len(values), *encoder.feature_shape)
    require_equal("the backbone returns (n, *feature_shape)", shape, features.shape)
    if None in encoder.input_shape:
        prepared = encoder.prepare(values)
        alone = [run(backbone, encoder.encode(prepared[[row]])) for row in range(len(values))]
        what = "the backbone returns the same features for a row with and without padding"
        require_close(what, np.concatenate(alone), features, tolerance())
    in_training = keras.ops.convert_to_numpy(backbone(batch, training=True))
    what = "the backbone stays in inference mode in training (see InferenceModel)"
    require_close(what, features, in_training, tolerance())


def _check_head(encoder: Encoder, values: Any) -> None:
    head, other = encoder.build_head(), encoder.build_head()
    require(head is not other, "build_head() returns a new layer each time", "another one", head)
    symbolic = head(keras.Input(encoder.feature_shape)).shape
    shape = [1 if size is None else size for size in encoder.feature_shape]
    eager = other(np.zeros((len(values), *shape), dtype="float32")).shape
    is_row = len(symbolic) == 2 and isinstance(symbolic[1], int)
    require(is_row, "a head returns one embedding per row", "(None, n_units)", symbolic)
    expected = (len(values), *symbolic[1:])
    require_equal("a head returns the same shape for an array", expected, tuple(eager))
    n_weights = head.count_params()
    require_equal("two heads have the same number of weights", n_weights, other.count_params())
    shared = {id(weight) for weight in head.weights} & {id(weight) for weight in other.weights}
    require_equal("two heads share no weights", 0, len(shared))


def _check_padding(encoder: Encoder, values: Any) -> None:
    if None not in encoder.feature_shape:
        return
    head, prepared = encoder.build_head(), encoder.prepare(values)
    together = keras.ops.convert_to_numpy(head(encoder.encode(values)))
    alone = [
        keras.ops.convert_to_numpy(head(encoder.encode(prepared[[row]])))
        for row in range(len(values))
    ]
    what = "a head returns the same embedding of a row with and without padding"
    require_close(what, np.concatenate(alone), together, tolerance())
