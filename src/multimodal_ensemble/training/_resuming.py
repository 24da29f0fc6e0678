"""Write a checkpoint at the end of each epoch, and resume from one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import keras

from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._checkpoint import (
    Checkpoint,
    check_metadata,
    check_writable,
    read_checkpoint,
    write_checkpoint,
)
from multimodal_ensemble.training._identity import Identity
from multimodal_ensemble.training._identity_differences import check_same_training
from multimodal_ensemble.training._training_state import (
    EvaluationState,
    assign,
    do_fit,
    optimizer_variables,
    trained_variables,
    trained_weights,
    values_of,
)
from multimodal_ensemble.training._validation_evaluation import ValidationEvaluation


class CheckpointCallback(keras.callbacks.Callback):
    """Write a checkpoint at the end of each epoch, and resume from one if requested."""

    def __init__(
        self,
        evaluation: ValidationEvaluation,
        train: MultimodalDataset,
        identity: Identity,
        path: str | PathLike[str],
        *,
        resume_from: str | PathLike[str] | None,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self.evaluation = evaluation
        self.train = train
        self.path = Path(path)
        # The last epoch that is in this file.
        self.last_epoch: int | None = None
        self._identity = identity
        self._metadata = {} if metadata is None else check_metadata(metadata)
        self._resumed: Checkpoint | None = None
        self._next_pass: int | None = None
        if resume_from is not None:
            self._resumed_path = Path(resume_from)
            self._resumed = read_checkpoint(self._resumed_path)
            check_same_training(self._resumed.identity, identity, path=self._resumed_path)
            if metadata is None:
                self._metadata = self._resumed.metadata
            if self.path == self._resumed_path:
                self.last_epoch = self._resumed.epoch
        check_writable(self.path)

    def restore(self, model: keras.Model, *, epochs: int) -> int:
        """Give a compiled model, its optimizer and the evaluation the state in the checkpoint.

        Returns the number of finished epochs, or `epochs` if training had stopped early. Nothing
        is changed if the checkpoint is refused.
        """
        checkpoint, self._resumed = self._resumed, None
        if checkpoint is None:
            return 0
        path = str(self._resumed_path)
        if checkpoint.epoch > epochs:
            msg = (
                f"The checkpoint {path!r} was written after epoch {checkpoint.epoch}. Received "
                f"epochs={epochs}; pass epochs={checkpoint.epoch} or more."
            )
            raise CheckpointError(msg)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        in_model, in_optimizer = trained_variables(model), optimizer_variables(model.optimizer)
        try:
            evaluation = EvaluationState.from_dict(
                checkpoint.evaluation,
                columns=self.evaluation.columns,
                loss_window=self.evaluation.loss_window,
            )
        except (KeyError, ValueError) as error:
            self._refuse_damaged(f"its evaluation is malformed: {error!r}", error)
        if evaluation.epoch != checkpoint.epoch:
            self._refuse_damaged(
                f"its evaluation is of epoch {evaluation.epoch} instead of {checkpoint.epoch}"
            )
        in_best = trained_weights(model) if evaluation.history else []
        for what, variables, values in (
            ("weights", in_model, checkpoint.model),
            ("state of the optimizer", in_optimizer, checkpoint.optimizer),
            ("best weights", in_best, evaluation.best_weights),
        ):
            if not do_fit(variables, values):
                self._refuse_damaged(f"its {what} do not fit the model in shape or dtype")
        assign(in_optimizer, checkpoint.optimizer)
        assign(in_model, checkpoint.model)
        self.evaluation.resume_from(evaluation)
        self._next_pass = checkpoint.next_pass
        return epochs if checkpoint.stopped else checkpoint.epoch

    def describe_resuming(self) -> str:
        """Return a sentence that says how to resume after an interruption."""
        if self.last_epoch is None:
            return "There is no checkpoint yet, because no epoch was finished."
        return f"To resume after epoch {self.last_epoch}, pass resume_from={str(self.path)!r}."

    def _refuse_damaged(self, reason: str, cause: Exception | None = None) -> NoReturn:
        msg = (
            f"The checkpoint {str(self._resumed_path)!r} is damaged: {reason}. Resume from "
            "another checkpoint, or start again without resume_from."
        )
        raise CheckpointError(msg) from cause

    # -- called by Keras ---------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Set the pass of the training rows, because Keras ends one before the first epoch."""
        if self._next_pass is not None:
            self.train.begin_pass(self._next_pass)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write everything that is needed to resume."""
        state = self.evaluation.current_state()
        checkpoint = Checkpoint(
            metadata=self._metadata,
            identity=self._identity,
            epoch=epoch + 1,
            next_pass=int(self.train.pass_number),
            stopped=bool(self.model.stop_training),
            evaluation=state.to_dict(),
            model=values_of(trained_variables(self.model)),
            optimizer=values_of(optimizer_variables(self.model.optimizer)),
        )
        try:
            write_checkpoint(self.path, checkpoint)
        except CheckpointError as error:
            msg = f"Training stopped after epoch {epoch + 1}. {error} {state.describe_weights()}."
            raise CheckpointError(msg) from error
        except OSError as error:
            older = f" The file holds epoch {self.last_epoch}." if self.last_epoch else ""
            reason = os.strerror(error.errno) if error.errno else str(error)
            msg = (
                f"Training stopped after epoch {epoch + 1}, because the checkpoint "
                f"{str(self.path)!r} cannot be written: {reason}. {state.describe_weights()}."
                f"{older} Make room, or pass another file as checkpoint."
            )
            raise OSError(error.errno, msg) from error
        self.last_epoch = epoch + 1
