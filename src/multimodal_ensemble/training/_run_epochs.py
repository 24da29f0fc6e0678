"""The epochs of a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from multimodal_ensemble._graphs import count_replicas, make_training_step
from multimodal_ensemble.generators import MultimodalDataset


def run_epochs(
    model: keras.Model,
    train: MultimodalDataset,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    first_epoch: int,
    epochs: int,
    show_progress: bool,
) -> None:
    """Train a compiled model, as `keras.Model.fit` does, from `first_epoch` up to `epochs`.

    That method sets up a data pipeline for each epoch, which takes as long as about fifty batches
    of vectors. A pipeline only helps where batches take time to make, as images do, so vectors are
    passed on directly. So are rows that differ in length, because the pipeline would expect the
    lengths of the first two batches in all others. So are batches that several devices share,
    because Keras would weight the rows of a batch by how they are divided.
    """
    has_lengths = any(None in tensor.shape[1:] for tensor in model.inputs)
    if not train.has_vectors_only and not has_lengths and count_replicas(model) == 1:
        with _lending(train) as batches:
            model.fit(
                batches,
                initial_epoch=first_epoch,
                epochs=epochs,
                # The data set shuffles rows from its own seed. Keras would also shuffle the
                # batches, from the global seed.
                shuffle=False,
                callbacks=[*callbacks],
                verbose=int(show_progress),
            )
        return
    events = keras.callbacks.CallbackList(
        [*callbacks],
        add_history=True,
        add_progbar=show_progress,
        model=model,
        verbose=int(show_progress),
        epochs=epochs,
        steps=len(train),
    )
    train_step, metrics = make_training_step(model), model.metrics
    model.stop_training = False
    # As in Keras, the first epoch is the second pass over the rows.
    train.on_epoch_end()
    events.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(first_epoch, epochs):
        loss, n_rows = 0.0, 0
        events.on_epoch_begin(epoch)
        for batch in range(len(train)):
            for metric in metrics:
                metric.reset_state()
            events.on_train_batch_begin(batch)
            inputs, y, *weight = train[batch]
            loss += train_step(inputs, y, *(weight or [None])) * len(y)
            n_rows += len(y)
            # As in Keras, the mean over the epoch so far.
            logs = {"loss": loss / n_rows}
            events.on_train_batch_end(batch, logs)
            if model.stop_training:
                break
        train.on_epoch_end()
        events.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    # Optimizers that average weights write the averages into the model here.
    model.optimizer.finalize_variable_values(model.trainable_weights)
    events.on_train_end(logs)


@contextmanager
def _lending(dataset: MultimodalDataset) -> Iterator[keras.utils.PyDataset]:
    """Provide the batches of a data set for `keras.Model.fit`.

    TensorFlow keeps what Keras passes to it for the life of the process. Without an object in
    between, that would be all rows of the training and the backbones of their encoders.
    """
    lent = _LentDataset(dataset)
    try:
        yield lent
    finally:
        lent.dataset = None


class _LentDataset(keras.utils.PyDataset):
    def __init__(self, dataset: MultimodalDataset) -> None:
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset: Any = dataset

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Return one batch."""
        return self.dataset[index]

    def on_epoch_end(self) -> None:
        """Shuffle the rows."""
        self.dataset.on_epoch_end()
