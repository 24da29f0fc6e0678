"""A fitted estimator as an encoder: the log-odds that it gives each label."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._multimodal_classifier import MultimodalClassifier
from multimodal_ensemble.estimators._training import training_store
from multimodal_ensemble.exceptions import ArtefactError, ModalityError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import log_odds
from multimodal_ensemble.model_selection import predict_label_scores


@keras.saving.register_keras_serializable(package=PACKAGE)
class MemberEncoder(Encoder):
    """Scores of an estimator for each label, as an ensemble takes them.

    Parameters
    ----------
    name : str
        Name of the member.
    column : list of str
        The columns that the estimator reads.
    n_labels : int
        Number of labels.
    inputs : sequence of str, default=()
        Names of the encoders whose features the estimator takes; none where it takes raw columns.
    """

    reads_missing = True

    def __init__(
        self, name: str, *, column: Sequence[str], n_labels: int, inputs: Sequence[str] = ()
    ) -> None:
        super().__init__(name, column=list(column))
        self.n_labels = n_labels
        self.inputs = list(inputs)
        # A damaged file may hold anything here.
        if not all(isinstance(each, str) for each in self.inputs):
            msg = f"The inputs of the member {name!r} must be a list of names."
            raise ModalityError(msg)
        self._estimators: list[Any] = []
        # Files of estimators that are not loaded yet.
        self._saved: list[Any] = []
        self._encoders: list[Encoder] = []
        self._store: Any = None

    def adopt(self, estimators: Sequence[Any]) -> Self:
        """Take fitted estimators, whose scores are averaged."""
        self._estimators = list(estimators)
        return self

    def connect(self, encoders: Sequence[Encoder], store: Any) -> None:
        """Take what makes the input of the estimators: the encoders of the ensemble and a store."""
        by_name = {
            encoder.name: encoder for encoder in encoders if not isinstance(encoder, MemberEncoder)
        }
        if unknown := [name for name in self.inputs if name not in by_name]:
            msg = f"The member {self.name!r} takes features of {unknown}, which are no encoders."
            raise ArtefactError(msg)
        self._encoders = [by_name[name] for name in self.inputs]
        self._store = store

    @property
    def input_shape(self) -> tuple[int]:
        """Number of labels."""
        return (self.n_labels,)

    def select(self, data: Any) -> Any:
        """Return the columns that the estimator reads; optional ones may be absent."""
        present = [column for column in self.columns if column in data]
        if isinstance(data, Mapping):
            return pd.DataFrame({column: list(data[column]) for column in present})
        return data[present]

    def prepare(self, values: Any) -> NDArray[np.float32]:
        """Return the log-odds of all labels, float32."""
        if not self._estimators:
            msg = f"The member {self.name!r} is not loaded, because only an ensemble has members."
            raise ModalityError(msg)
        inputs = member_inputs(values, self._encoders, self._store)
        scores = [
            predict_label_scores(estimator, inputs, self.n_labels) for estimator in self._estimators
        ]
        return to_log_odds(np.mean(scores, axis=0)).astype(np.float32)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return log-odds; those that `prepare` returned stay as they are."""
        is_prepared = isinstance(values, np.ndarray) and values.dtype == np.float32
        return values if is_prepared else self.prepare(values)

    def get_state(self) -> dict[str, Any]:
        """Return the estimators as saved files."""
        for estimator in self._estimators:
            if type(estimator) is not MultimodalClassifier:
                msg = (
                    f"The member {self.name!r} is no MultimodalClassifier, and a saved file can "
                    "hold no other members. Leave the member out, or save the ensemble with "
                    "joblib.dump; loading a pickle may run code from it."
                )
                raise TypeError(msg)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "member"
            saved = []
            for estimator in self._estimators:
                estimator.save(file)
                saved.append(np.frombuffer(file.read_bytes(), dtype=np.uint8))
        return {"saved_": saved}

    def set_state(self, state: Mapping[str, Any]) -> Self:
        """Take the estimators as saved files, which `restore` loads."""
        self._saved = list(state["saved_"])
        return self

    def restore(self) -> None:
        """Load estimators that `set_state` received.

        Only an ensemble calls this, so a member of a member in a file is never loaded.
        """
        for content in self._saved:
            try:
                self._estimators.append(self._load(content))
            except (ValueError, OSError) as error:
                msg = f"The member {self.name!r} in the file cannot be loaded: {error}"
                raise ArtefactError(msg) from error
        self._saved = []
        if not self._estimators:
            msg = f"The file holds no estimator of the member {self.name!r}."
            raise ArtefactError(msg)

    def as_member(self, encoders: Collection[str]) -> tuple[Any, ...]:
        """Return the item of `members` that trains this member again beside these encoders."""
        self.restore()
        copies = [clone(estimator) for estimator in self._estimators]
        member = self.name, copies[0] if len(copies) == 1 else copies
        if not self.inputs and all(column in encoders for column in self.columns):
            # As inputs, these names would be those of the encoders.
            return member
        return *member, self.inputs or self.columns

    def _load(self, content: Any) -> MultimodalClassifier:
        if not isinstance(content, np.ndarray) or content.dtype != np.uint8:
            msg = "it is not a file."
            raise ArtefactError(msg)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "member"
            file.write_bytes(np.ascontiguousarray(content).data)
            estimator = MultimodalClassifier.load(file)
        if (n_labels := len(estimator.classes_)) != self.n_labels:
            msg = f"it has {n_labels} labels in place of {self.n_labels}."
            raise ArtefactError(msg)
        return estimator


def connect_members(encoders: Sequence[Encoder], store: Any) -> None:
    """Load the members of a saved ensemble, and connect all members to its encoders and store."""
    for encoder in encoders:
        if isinstance(encoder, MemberEncoder):
            encoder.restore()
            encoder.connect(encoders, store)


def member_inputs(table: Any, encoders: Sequence[Encoder], store: Any) -> Any:
    """Return what the estimator of a member takes: raw columns, or features of encoders."""
    if not encoders:
        return table
    if not table.shape[1]:
        # All modalities of the member are absent, and a dataset needs a column.
        absent = [column for encoder in encoders if encoder.optional for column in encoder.columns]
        table = table.assign(**dict.fromkeys(absent))
    with training_store(store, encoders) as opened:
        dataset = MultimodalDataset(table, encoders, store=opened, verbose=0)
    parts = [dataset.feature_matrix(encoder.name) for encoder in encoders]
    return np.hstack([part.toarray() if hasattr(part, "toarray") else part for part in parts])


def to_log_odds(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return log-odds of probabilities, which are kept away from 0 and 1 by 1e-6."""
    return log_odds(np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6))


def estimators_of(member: Any) -> list[Any]:
    """Return the estimators of a member: several ones are averaged."""
    return [*member] if isinstance(member, list | tuple) else [member]


def as_multilabel(estimator: Any) -> Any:
    """Return an unfitted copy of an estimator that takes several labels."""
    copy = clone(estimator)
    if isinstance(copy, MultimodalClassifier):
        # It would print the progress of six trainings; the ensemble prints one line.
        copy.set_params(verbose=0)
    # None unless the estimator says that it is a classifier.
    tags = get_tags(copy).classifier_tags
    return copy if tags is not None and tags.multi_label else OneVsRestClassifier(copy)


def check_member(member: Any) -> tuple[str, Any, Any]:
    """Return name, estimator and inputs of an item of `members`, or raise a ModalityError."""
    is_tuple = isinstance(member, tuple | list) and len(member) in (2, 3)
    estimators = estimators_of(member[1]) if is_tuple else []
    are_usable = estimators and all(hasattr(each, "predict_proba") for each in estimators)
    if not are_usable or not isinstance(member[0], str):
        received = repr(member)[:200]
        msg = (
            "Each of members must be (name, estimator) or (name, estimator, inputs); the estimator "
            "has a method predict_proba (several estimators in a list are averaged), and inputs is "
            "a list of columns or of encoders. Received "
            f"{received}."
        )
        raise ModalityError(msg)
    name, estimator, inputs = (*member, None)[:3]
    if inputs is not None and (
        isinstance(inputs, str) or not all(isinstance(each, str) for each in inputs)
    ):
        msg = f"The inputs of member {name!r} must be a list of names. Received {inputs!r}."
        raise ModalityError(msg)
    return name, estimator, inputs


def external_encoders(
    external: Sequence[tuple[str, Any, Sequence[str] | None]],
    encoders: Sequence[Encoder],
    columns: Sequence[str],
    n_labels: int,
    *,
    excluded: Sequence[str],
    has_weights: bool,
) -> dict[str, tuple[MemberEncoder, Any, list[Encoder]]]:
    """Return external members by name: as an encoder, the estimator, and what makes its input.

    By default, a member takes all `columns` that are not `excluded`, as those of labels are.
    """
    by_name = {encoder.name: encoder for encoder in encoders}
    members: dict[str, tuple[MemberEncoder, Any, list[Encoder]]] = {}
    for name, estimator, inputs in external:
        if name in by_name or name in members:
            msg = f"The name of member {name!r} is taken; members and encoders need distinct names."
            raise ModalityError(msg)
        if inputs is None:
            used, wanted = [], [column for column in columns if column not in excluded]
        elif all(each in by_name for each in inputs):
            used = [by_name[each] for each in inputs]
            wanted = [column for encoder in used for column in encoder.columns]
        elif all(each in columns for each in inputs):
            used, wanted = [], list(inputs)
        else:
            msg = (
                f"The inputs of member {name!r} must be names of encoders, {list(by_name)}, or of "
                f"columns, {list(columns)}. Received {list(inputs)}."
            )
            raise ModalityError(msg)
        wanted = list(dict.fromkeys(wanted))
        if not any(column in columns for column in wanted):
            msg = f"The member {name!r} reads {wanted}, none of which X has."
            raise ModalityError(msg)
        for each in estimators_of(estimator):
            if has_weights and not has_fit_parameter(as_multilabel(each), "sample_weight"):
                msg = (
                    "sample_weight needs members that fit several labels with weights, such as a "
                    f"RandomForestClassifier. The member {name!r} is a {type(each).__name__}."
                )
                raise ModalityError(msg)
        names = [encoder.name for encoder in used]
        encoder = MemberEncoder(name, column=wanted, n_labels=n_labels, inputs=names)
        members[name] = (encoder, estimator, used)
    return members
