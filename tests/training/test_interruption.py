"""Ctrl-C says which weights the model has, and how to go on."""

import numpy as np
import pytest

from multimodal_ensemble import FitResult, fit_model, fuse_encoders


@pytest.fixture
def interrupt(problem, spy, capsys):
    """Return a function that trains until a batch; it returns what was printed, and the result."""

    def interrupt(at, **options):
        numbers = problem.numbers()
        model = fuse_encoders([numbers], n_labels=3, seed=1)
        copies = {}

        def press(step):
            copies[step] = model.get_weights()
            if step == at:
                raise KeyboardInterrupt

        options = {"epochs": 5, "evaluate_every": 6, "optimizer": "sgd", "verbose": 0, **options}
        with pytest.raises(KeyboardInterrupt) as caught:
            fit_model(model, *problem.datasets(numbers), callbacks=[spy(press)], **options)
        result = caught.value.fit_result
        assert isinstance(result, FitResult)
        # The best ones may be from before this training was resumed.
        expected = copies.get(result.best_step or at, model.get_weights())
        assert all(map(np.array_equal, model.get_weights(), expected))
        return capsys.readouterr().out, result

    return interrupt


@pytest.mark.parametrize("verbose", [0, 1])
def test_the_line_names_the_batch_of_the_weights(interrupt, verbose):
    out, result = interrupt(10, verbose=verbose)
    assert result.history["step"].tolist() == [6]
    assert result.seconds >= result.history["seconds"].iloc[-1]
    assert out.splitlines()[-1] == (
        "Training was interrupted after 10 batches; the model has the weights of batch 6, the "
        f"best so far (mean ROC-AUC {result.best_roc_auc:.4f})."
    )
    assert len(out.splitlines()) == 1 + verbose


def test_before_the_first_scoring_the_weights_are_those_of_that_moment(interrupt):
    out, result = interrupt(5)
    assert out == (
        "Training was interrupted after 5 batches; no scoring was made yet, so the model has the "
        "weights of that moment.\n"
    )
    assert result.history.empty
    assert (result.best_step, result.best_roc_auc) == (0, -np.inf)


def test_the_line_says_how_to_go_on_from_a_checkpoint(interrupt, problem, tmp_path):
    path = tmp_path / "run.checkpoint"
    out, _ = interrupt(7, checkpoint=path)
    assert out.endswith(" There is no checkpoint yet: no epoch was finished.\n")
    out, result = interrupt(20, checkpoint=path)
    assert result.history["step"].tolist() == [6, 12, 18]
    assert out.endswith(f"). Go on after epoch 2 with resume_from={str(path)!r}.\n")
    # Interrupted once more, before another epoch was finished.
    out, result = interrupt(3, resume_from=path, evaluate_every=3)
    assert out.startswith("Training was interrupted after 19 batches; ")
    assert out.endswith(f"). Go on after epoch 2 with resume_from={str(path)!r}.\n")
    assert result.history["step"].tolist() == [6, 12, 18]
