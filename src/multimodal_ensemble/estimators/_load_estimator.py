"""Reading a saved estimator of either class."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from os import PathLike

from multimodal_ensemble.estimators._artefact import read_kind
from multimodal_ensemble.estimators._base import BaseMultimodalEstimator
from multimodal_ensemble.estimators._multimodal_classifier import MultimodalClassifier
from multimodal_ensemble.estimators._multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.exceptions import ArtefactError


def load_estimator(
    path: str | PathLike[str], *, weights: Mapping[str, str | PathLike[str]] | None = None
) -> BaseMultimodalEstimator:
    """Read an estimator that `MultimodalEnsemble.save` wrote, or that of the other class.

    Parameters
    ----------
    path : path
        The file.
    weights : mapping of str to path, optional
        Weights files on this machine of backbones that the file does not hold, by modality.

    Returns
    -------
    MultimodalEnsemble or MultimodalClassifier
        The same estimator; see `MultimodalClassifier.load`.

    Raises
    ------
    ArtefactError
        If the file holds another class, or for the reasons of `MultimodalClassifier.load`.
    OSError
        If there is no such file, or it is not a regular file.

    Examples
    --------
    >>> import tempfile
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.estimators import load_estimator
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ensemble.save(f"{folder}/genres.mme")
    ...     loaded = load_estimator(f"{folder}/genres.mme")
    >>> type(loaded).__name__
    'MultimodalEnsemble'
    """
    classes: dict[str, type[BaseMultimodalEstimator]] = {
        each.__name__: each for each in (MultimodalEnsemble, MultimodalClassifier)
    }
    kind = read_kind(path)
    if kind not in classes:
        msg = (
            f"The file holds a {reprlib.repr(kind)}, not one of {sorted(classes)}. Load it with "
            "the method load of its own class."
        )
        raise ArtefactError(msg)
    return classes[kind].load(path, weights=weights)
