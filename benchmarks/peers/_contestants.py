"""Who takes part: a script, what it needs, and what it is called in the table."""

import dataclasses
from pathlib import Path

SCRIPTS = Path(__file__).parent / "contestants"
START, END = "# user code", "# end of user code"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One way to do the job.

    `requirements` are arguments of pip in the root of the repository. `packages` are those whose
    versions are reported. Contestants with the same `environment` share it. `runs` names the rows
    of the table: the script runs once for each, one after the other, with the same folder.
    """

    title: str
    script: Path
    environment: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    runs: tuple[str, ...] = ("",)

    def titles(self) -> list[str]:
        """Return the names of the rows of the table."""
        return [f"{self.title}, {run}" if run else self.title for run in self.runs]

    def count_lines(self) -> int:
        """Return the number of lines between the two markers, without blanks and comments."""
        lines = [line.strip() for line in self.script.read_text().splitlines()]
        lines = lines[lines.index(START) + 1 : lines.index(END)]
        return sum(bool(line) and not line.startswith("#") for line in lines)


_OURS = (("-e", "."), ("multimodal-ensemble", "keras", "tensorflow", "scikit-learn"))
_KERAS = (("tensorflow", "pandas", "pillow"), ("keras", "tensorflow"))
_SCIKIT_LEARN = (("scikit-learn", *_KERAS[0]), ("scikit-learn", *_KERAS[1]))
_COLD_AND_WARM = ("cold store", "warm store")

CONTESTANTS = {
    "ensemble": Contestant(
        "MultimodalEnsemble", SCRIPTS / "ensemble.py", "ours", *_OURS, _COLD_AND_WARM
    ),
    "network": Contestant(
        "MultimodalClassifier", SCRIPTS / "network.py", "ours", *_OURS, _COLD_AND_WARM
    ),
    "keras": Contestant("Keras", SCRIPTS / "keras_every_epoch.py", "keras", *_KERAS),
    "keras-cached": Contestant("Keras, cached", SCRIPTS / "keras_cached.py", "keras", *_KERAS),
    "keras-stopping": Contestant(
        "Keras, cached, early stopping", SCRIPTS / "keras_early_stopping.py", "keras", *_KERAS
    ),
    "scikit-learn": Contestant(
        "scikit-learn", SCRIPTS / "scikit_learn.py", "scikit-learn", *_SCIKIT_LEARN
    ),
    "scikit-learn-scaled": Contestant(
        "scikit-learn, scaled", SCRIPTS / "scikit_learn_scaled.py", "scikit-learn", *_SCIKIT_LEARN
    ),
    "widedeep": Contestant(
        "pytorch-widedeep",
        SCRIPTS / "widedeep.py",
        "widedeep",
        ("pytorch-widedeep", "h5py"),
        ("pytorch-widedeep", "torch", "torchvision"),
    ),
    "autokeras": Contestant(
        "AutoKeras",
        SCRIPTS / "autokeras_model.py",
        "autokeras",
        # Its head passes units as a NumPy integer, which later versions refuse; its tuner imports
        # TensorBoard, which TensorFlow does not install any more.
        ("autokeras", "keras<3.13", "tensorboard", "scikit-learn", *_KERAS[0]),
        ("autokeras", "keras-tuner", "keras", "tensorflow"),
    ),
    "ludwig": Contestant(
        "Ludwig",
        SCRIPTS / "ludwig_model.py",
        "ludwig",
        ("ludwig", "h5py", "opencv-python-headless"),
        ("ludwig", "torch", "torchvision"),
    ),
    "autogluon": Contestant(
        "AutoGluon, multimodal",
        SCRIPTS / "autogluon_multimodal.py",
        "autogluon-multimodal",
        ("autogluon.multimodal",),
        ("autogluon.multimodal", "torch"),
    ),
    "autogluon-tabular": Contestant(
        "AutoGluon, tabular",
        SCRIPTS / "autogluon_tabular.py",
        "autogluon-tabular",
        ("autogluon.tabular[lightgbm,xgboost,catboost]", *_KERAS[0]),
        ("autogluon.tabular", "keras", "tensorflow"),
    ),
}
