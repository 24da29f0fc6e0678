"""The parameters of an estimator in a saved file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._thresholds import is_criterion
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import check_config, load_object

# The encoders are written on their own, and a store belongs to the machine that trained.
NOT_SAVED = {"encoders", "store"}


def describe_params(params: Mapping[str, Any], fitted: Fitted) -> dict[str, Any]:
    """Return the parameters in values that can be saved.

    Raises
    ------
    TypeError
        If the optimizer or the loss could not be loaded again.
    """
    described = {name: value for name, value in params.items() if name not in NOT_SAVED}
    threshold = params["threshold"]
    if not (threshold is None or isinstance(threshold, str | int | float)):
        # A callable or a mapping is replaced by the thresholds that resulted from it.
        described["threshold"] = fitted.thresholds.tolist()
    described["label_weight"] = _describe_label_weight(params["label_weight"], fitted.classes)
    for name in ("optimizer", "loss"):
        if not isinstance(params[name], str):
            config = keras.saving.serialize_keras_object(params[name])
            try:
                check_config(config, where=name)
            except ArtefactError as error:
                msg = f"{name} cannot be saved, because loading it would fail: {error}"
                raise TypeError(msg) from error
            described[name] = config
    described["random_state"] = fitted.provenance["seed"]
    return described


def _describe_label_weight(weight: Any, classes: NDArray[Any]) -> Any:
    if isinstance(weight, pd.Series) and not isinstance(weight.index, pd.RangeIndex):
        weight = weight.to_dict()
    if isinstance(weight, Mapping):
        # `fit` also matches labels by their names.
        by_name = {str(label): float(value) for label, value in weight.items()}
        return [by_name.get(str(label), 1.0) for label in classes.tolist()]
    return weight if weight is None or isinstance(weight, str) else np.asarray(weight).tolist()


def read_params(params: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the parameters from what `describe_params` returned.

    Raises
    ------
    ArtefactError
        If the file has a parameter that it cannot have, or an object that could run code.
    """
    # A store, for example, would decide where this machine writes files.
    if unknown := sorted(set(params) - (set(known) - NOT_SAVED)):
        msg = f"The file has the parameters {unknown}, which a saved file cannot have."
        raise ArtefactError(msg)
    for name in ("optimizer", "loss"):
        if not isinstance(params[name], str):
            params[name] = load_object(params[name], where=name)
    if not (is_criterion(params["threshold"]) or params["threshold"] is None):
        params["threshold"] = np.asarray(params["threshold"])
    return params
