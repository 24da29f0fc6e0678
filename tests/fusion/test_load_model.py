"""A saved model can be loaded in a new process."""

import numpy as np
import pytest

from multimodal_ensemble import fuse_encoders
from tests.fresh_process import run_fresh
from tests.toys import make_poster

CODE = """
import sys
import numpy as np
import multimodal_ensemble
model = multimodal_ensemble.load_model(sys.argv[1])
print(np.asarray(model({"poster": np.full((1, 8, 8, 3), 100.0)})).tolist())
"""


@pytest.mark.slow
def test_a_model_can_be_loaded_in_a_new_process(tmp_path):
    model = fuse_encoders([make_poster()], n_labels=2)
    model.save(tmp_path / "model.keras")
    printed = run_fresh(CODE, tmp_path / "model.keras")
    expected = np.asarray(model({"poster": np.full((1, 8, 8, 3), 100.0)}))
    np.testing.assert_allclose(eval(printed), expected, rtol=1e-6)
