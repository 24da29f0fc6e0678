"""Writing a checkpoint at the end of each epoch, and going on from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._changing_variables import (
    changing_variables,
    optimizer_variables,
)
from multimodal_ensemble.training._checkpoint import (
    Checkpoint,
    check_metadata,
    check_writable,
    read_checkpoint,
    write_checkpoint,
)
from multimodal_ensemble.training._identity import Identity, check_same_training
from multimodal_ensemble.training._scoring_state import ScoringState
from multimodal_ensemble.training._validation_scoring import ValidationScoring


class CheckpointWriting(keras.callbacks.Callback):
    """Write a checkpoint at the end of each epoch; go on from one if asked to.

    Parameters
    ----------
    scoring : ValidationScoring
        Its state is written, too.
    train : MultimodalDataset
        The training rows, whose pass is written.
    identity : dict
        Of the training; see `training_identity`.
    path : path
        The file that it writes.
    resume_from, metadata
        As `fit_model` takes them.

    Attributes
    ----------
    path : Path
        The file that it writes.
    written : int or None
        The last epoch that is in this file.

    Raises
    ------
    CheckpointError, OSError
        If there is nothing to resume, it is of another training, or nothing can be written.
    """

    def __init__(
        self,
        scoring: ValidationScoring,
        train: MultimodalDataset,
        identity: Identity,
        path: str | PathLike[str],
        *,
        resume_from: str | PathLike[str] | None,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self.scoring = scoring
        self.train = train
        self.path = Path(path)
        self.written: int | None = None
        self._resumed: Checkpoint | None = None
        self._next_pass: int | None = None
        given = {} if metadata is None else check_metadata(metadata)
        if resume_from is not None:
            self._resumed_from = Path(resume_from)
            self._resumed = read_checkpoint(self._resumed_from)
            check_same_training(self._resumed.about["identity"], identity, path=self._resumed_from)
            if metadata is None:
                given = self._resumed.about["metadata"]
            if self.path == self._resumed_from:
                self.written = self._resumed.about["epoch"]
        check_writable(self.path)
        self._about = {"metadata": given, "identity": identity}

    def restore(self, model: keras.Model, *, epochs: int) -> int:
        """Give a compiled model, its optimizer and the scoring the state of the checkpoint.

        Returns
        -------
        int
            How many epochs are finished; all of them where training had stopped early.

        Raises
        ------
        CheckpointError
            If the optimizer has other variables than it had, or more epochs are finished than
            are wanted; nothing is changed then.
        """
        checkpoint, self._resumed = self._resumed, None
        if checkpoint is None:
            return 0
        about, arrays = checkpoint.about, checkpoint.arrays
        if about["epoch"] > epochs:
            msg = (
                f"The checkpoint {str(self._resumed_from)!r} was written after epoch "
                f"{about['epoch']}. Received epochs={epochs}; pass epochs={about['epoch']} or more."
            )
            raise CheckpointError(msg)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        of_optimizer = optimizer_variables(model.optimizer)
        shapes = [tuple(variable.shape) for variable in of_optimizer]
        if shapes != [value.shape for value in arrays["optimizer"]]:
            msg = (
                f"The checkpoint {str(self._resumed_from)!r} is of another training. Optimizer: "
                f"{type(model.optimizer).__name__} has other variables than it had there. Make it "
                "with the same options, or start anew without resume_from."
            )
            raise CheckpointError(msg)
        _assign(of_optimizer, arrays["optimizer"])
        _assign(changing_variables(model), arrays["model"])
        self.scoring._continue_from(
            ScoringState.from_json(
                about["scoring"], list(arrays["best"]), loss_window=self.scoring.loss_window
            )
        )
        self._next_pass = about["next_pass"]
        return epochs if about["stopped"] else int(about["epoch"])

    # -- what Keras calls --------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Set the pass: Keras ends one of its own before the first epoch."""
        if self._next_pass is not None:
            self.train.begin_pass(self._next_pass)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write everything that training needs to go on."""
        state = self.scoring._note_state()
        about = {
            **self._about,
            "epoch": epoch + 1,
            "next_pass": self.train.pass_number,
            "stopped": bool(self.model.stop_training),
            "scoring": state.to_json(),
        }
        arrays = {
            "model": _values(changing_variables(self.model)),
            "optimizer": _values(optimizer_variables(self.model.optimizer)),
            "best": state.best_weights,
        }
        try:
            write_checkpoint(self.path, Checkpoint(about, arrays))
        except OSError as error:
            older = "" if self.written is None else f" The file holds epoch {self.written}."
            msg = (
                f"Training stopped after epoch {epoch + 1}, because the checkpoint "
                f"{str(self.path)!r} cannot be written: {error.strerror or error}. "
                f"{state.describe_weights()}.{older} Make room, or pass another file as "
                "checkpoint."
            )
            raise OSError(error.errno, msg) from error
        self.written = epoch + 1


def _values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    return [np.asarray(variable.numpy()) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
