"""Ctrl-C prints which weights the model has and how to resume."""

import numpy as np
import pytest

from multimodal_ensemble.training import FitResult


@pytest.fixture
def interrupt(problem, spy, capsys):
    """Return a function that trains up to a batch and returns the printed text and the result."""

    def interrupt(at, **options):
        training = problem.prepare(problem.numbers())
        copies = {}

        def press(step):
            copies[step] = training.model.get_weights()
            if step == at:
                raise KeyboardInterrupt

        options = {"epochs": 5, "evaluate_every": 6, **options}
        with pytest.raises(KeyboardInterrupt) as caught:
            training.fit(callbacks=[spy(press)], **options)
        result = caught.value.fit_result
        assert isinstance(result, FitResult)
        # The best weights may be older than this training, if it was resumed.
        expected = copies.get(result.best_step or at, training.model.get_weights())
        assert all(map(np.array_equal, training.model.get_weights(), expected))
        return capsys.readouterr().out, result

    return interrupt


@pytest.mark.parametrize("verbose", [0, 1])
def test_the_line_names_the_batch_of_the_weights(interrupt, verbose):
    out, result = interrupt(10, verbose=verbose)
    assert result.history["step"].tolist() == [6]
    assert result.seconds >= result.history["seconds"].iloc[-1]
    assert out.splitlines()[-1] == (
        "Training was interrupted after 10 batches. The model has the weights of batch 6, the "
        f"best so far (mean ROC-AUC {result.best_roc_auc:.4f})."
    )
    assert len(out.splitlines()) == 1 + verbose


def test_before_the_first_evaluation_the_model_keeps_its_current_weights(interrupt):
    out, result = interrupt(5)
    assert out == (
        "Training was interrupted after 5 batches. There was no evaluation yet, so the model has "
        "its current weights.\n"
    )
    assert result.history.empty
    assert (result.best_step, result.best_roc_auc) == (0, -np.inf)


def test_the_line_explains_how_to_resume_from_a_checkpoint(interrupt, tmp_path):
    path = tmp_path / "run.checkpoint"
    out, _ = interrupt(7, checkpoint=path)
    assert out.endswith(" There is no checkpoint yet, because no epoch was finished.\n")
    out, result = interrupt(20, checkpoint=path)
    assert result.history["step"].tolist() == [6, 12, 18]
    assert out.endswith(f"). To resume after epoch 2, pass resume_from={str(path)!r}.\n")
    # A second interruption, before another epoch is finished.
    out, result = interrupt(3, resume_from=path)
    assert out.startswith("Training was interrupted after 19 batches. ")
    assert out.endswith(f"). To resume after epoch 2, pass resume_from={str(path)!r}.\n")
    assert result.history["step"].tolist() == [6, 12, 18]
