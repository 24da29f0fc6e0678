"""What a saved estimator is, read without its networks and without TensorFlow."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._label_lists import label_array
from multimodal_ensemble._tables import counted
from multimodal_ensemble._target import KINDS, MULTILABEL, Target
from multimodal_ensemble.estimators._saved_format import FORMAT, VERSION
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import read_archive, unpack_state


@dataclass(frozen=True)
class EncoderSummary:
    """An encoder in a saved file.

    Parameters
    ----------
    name : str
        The name of the modality.
    kind : str
        The name of the class.
    columns : list of str
        The columns that it reads.
    backbone : str or None
        The name or folder of its network, if it has one that is named.
    optional : bool
        Whether rows may lack the modality.

    Examples
    --------
    >>> from multimodal_ensemble.estimators import EncoderSummary
    >>> EncoderSummary("poster", "ImageEncoder", ["poster"], "MobileNet", False).backbone
    'MobileNet'
    """

    name: str
    kind: str
    columns: list[str]
    backbone: str | None
    optional: bool


@dataclass(frozen=True, eq=False)
class EstimatorSummary:
    """What a saved estimator is; attributes are named as those of the fitted estimator.

    Parameters
    ----------
    kind : str
        The name of the class.
    encoders_ : list of EncoderSummary
        The encoders.
    target_type_ : {"multilabel", "binary", "multiclass"}
        What it predicts of each row.
    classes_ : ndarray of shape (n_classes,)
        The labels or classes.
    thresholds_ : ndarray of shape (n_labels,), float64
        The threshold of each label; of two classes, that of the second one.
    provenance_ : dict
        How the estimator was trained.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.estimators import EncoderSummary, EstimatorSummary
    >>> tags = EncoderSummary("tags", "BagOfWordsEncoder", ["tags"], None, False)
    >>> summary = EstimatorSummary("MultimodalEnsemble", [tags], "multilabel",
    ...                            np.array(["Comedy"]), np.array([0.5]), {"n_train": 100})
    >>> summary.provenance_["n_train"]
    100
    """

    kind: str
    encoders_: list[EncoderSummary]
    target_type_: str
    classes_: NDArray[Any]
    thresholds_: NDArray[np.float64]
    provenance_: dict[str, Any]


def read_summary(path: str | PathLike[str]) -> EstimatorSummary:
    """Return what the estimator in a file is, without its networks and without TensorFlow.

    The file may hold an estimator of any class, with any encoders. That the summary can be read
    does not mean that the estimator can be loaded; see `load_estimator`.

    Parameters
    ----------
    path : path
        A file that the method ``save`` of an estimator wrote.

    Returns
    -------
    EstimatorSummary
        Its class, encoders, labels, thresholds and provenance.

    Raises
    ------
    ArtefactError
        If the file is damaged, is of another kind, or was written by a newer version.
    OSError
        If there is no such file, or it is not a regular file.

    Examples
    --------
    >>> import tempfile
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.estimators import read_summary
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ensemble.save(f"{folder}/genres.mme")
    ...     summary = read_summary(f"{folder}/genres.mme")
    >>> summary.kind, summary.classes_.tolist()
    ('MultimodalEnsemble', ['Action', 'Romance'])
    """
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    with arrays, arrays.explaining("its parts do not fit together"):
        # Files without it were written before there were others.
        target_type = document.get("target_type", MULTILABEL)
        if target_type not in KINDS:
            msg = (
                f"The target type in the file {str(path)!r} must be one of {', '.join(KINDS)}. "
                f"Received {reprlib.repr(target_type)}. Save the estimator again."
            )
            raise ArtefactError(msg)
        target = Target(target_type, label_array(unpack_state(document["classes"], arrays)))
        thresholds = np.array(
            [float(value) for value in unpack_state(document["thresholds"], arrays)]
        )
        if len(thresholds) != len(target.labels):
            msg = (
                f"The file {str(path)!r} has {counted(len(thresholds), 'threshold')} for "
                f"{counted(len(target.labels), 'label')}. Save the estimator again."
            )
            raise ArtefactError(msg)
        return EstimatorSummary(
            kind=str(document["estimator"]),
            encoders_=[_summarize(entry) for entry in document["encoders"]],
            target_type_=target.kind,
            classes_=target.classes,
            thresholds_=thresholds,
            provenance_=dict(unpack_state(document["provenance"], arrays)),
        )


def _summarize(entry: Mapping[str, Any]) -> EncoderSummary:
    config = entry["config"]
    name, column, backbone = entry["name"], config.get("column"), config.get("backbone")
    columns = [name] if column is None else [column] if isinstance(column, str) else list(column)
    return EncoderSummary(
        name=str(name),
        # Keras registers a class under the name of its package.
        kind=str(entry["class"]).rpartition(">")[2],
        columns=[str(each) for each in columns],
        backbone=backbone if isinstance(backbone, str) else None,
        optional=bool(config.get("optional")),
    )
