"""What an interrupted training tells."""

from __future__ import annotations

from multimodal_ensemble.training._checkpoint_writing import CheckpointWriting
from multimodal_ensemble.training._validation_scoring import ValidationScoring


def describe_interruption(scoring: ValidationScoring, writing: CheckpointWriting | None) -> str:
    """Return what to tell someone who pressed Ctrl-C: which weights remain, and how to go on."""
    state = scoring._state
    weights = state.describe_weights()
    told = (
        f"Training was interrupted after {state.step} batches; {weights[0].lower()}{weights[1:]}."
    )
    if writing is None:
        return told
    if writing.written is None:
        return f"{told} There is no checkpoint yet: no epoch was finished."
    return f"{told} Go on after epoch {writing.written} with resume_from={str(writing.path)!r}."
