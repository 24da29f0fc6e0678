"""The parameters of an estimator in a saved file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_names import values_by_label
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._saved_encoders import check_loadable
from multimodal_ensemble.estimators._thresholds import is_criterion
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import check_config, check_model_sizes, load_object

# The encoders are written on their own, and a store belongs to the machine that trained.
_NOT_SAVED = {"encoders", "members", "store"}
# Parameters that may be Keras objects instead of names.
_OBJECTS = ("fusion", "loss", "optimizer")


def describe_params(params: Mapping[str, Any], fitted: Fitted) -> dict[str, Any]:
    """Return the parameters as values for a file."""
    described = {name: value for name, value in params.items() if name not in _NOT_SAVED}
    threshold = params["threshold"]
    if not (threshold is None or isinstance(threshold, str | int | float)):
        # A callable or a mapping is replaced by the thresholds that resulted from it.
        described["threshold"] = fitted.thresholds.tolist()
    if callable(params.get("monitor")):
        # No file can hold it, and it only matters for another training.
        described["monitor"] = "mean_roc_auc"
    if "label_weight" in params:
        weight = params["label_weight"]
        described["label_weight"] = _describe_label_weight(weight, fitted.target.labels)
    if isinstance(params.get("groups"), Mapping):
        described["groups"] = {name: list(group) for name, group in params["groups"].items()}
    if isinstance(params.get("weights"), Mapping | pd.Series):
        described["weights"] = {name: float(value) for name, value in params["weights"].items()}
    for name in _OBJECTS:
        if name in params and not isinstance(params[name], str):
            described[name] = keras.saving.serialize_keras_object(params[name])
            check_loadable(described[name], name)
    described["random_state"] = fitted.provenance["seed"]
    return described


def _describe_label_weight(weight: Any, classes: NDArray[Any]) -> Any:
    weight = values_by_label(weight, classes.tolist())
    if isinstance(weight, dict):
        return [float(weight.get(str(label), 1.0)) for label in classes.tolist()]
    return weight if weight is None or isinstance(weight, str) else np.asarray(weight).tolist()


def read_params(
    params: dict[str, Any], known: Collection[str], *, n_available: int
) -> dict[str, Any]:
    """Return the parameters that `describe_params` described, from a file of so many bytes."""
    # A store, for example, would decide where this machine writes files.
    if unknown := sorted(set(params) - (set(known) - _NOT_SAVED)):
        msg = f"The file has the parameters {unknown}, which a saved file cannot have."
        raise ArtefactError(msg)
    for name in _OBJECTS:
        if name in params and not isinstance(params[name], str):
            check_config(params[name], where=name)
            check_model_sizes(params[name], n_available=n_available, where=name)
            params[name] = load_object(params[name], where=name)
    if not (is_criterion(params["threshold"]) or params["threshold"] is None):
        params["threshold"] = np.asarray(check_numbers(params["threshold"], "threshold"))
    return params


def check_numbers(value: Any, name: str) -> Any:
    """Refuse a list of strings: as an array, each would take the memory of the longest one."""
    if isinstance(value, list) and not all(isinstance(number, int | float) for number in value):
        msg = f"{name} in the file must be one number for each of the labels, none of them NaN."
        raise ArtefactError(msg)
    return value
