"""All commands, in the order in which most users need them."""

from multimodal_ensemble.cli._command import Command
from multimodal_ensemble.cli._compare import COMPARE
from multimodal_ensemble.cli._evaluate import EVALUATE
from multimodal_ensemble.cli._explain import EXPLAIN
from multimodal_ensemble.cli._export import EXPORT
from multimodal_ensemble.cli._features import FEATURES
from multimodal_ensemble.cli._inspect import INSPECT
from multimodal_ensemble.cli._predict import PREDICT
from multimodal_ensemble.cli._serve import SERVE
from multimodal_ensemble.cli._show import SHOW
from multimodal_ensemble.cli._train import TRAIN

COMMANDS: tuple[Command, ...] = (
    INSPECT,
    TRAIN,
    SHOW,
    EVALUATE,
    PREDICT,
    EXPLAIN,
    COMPARE,
    FEATURES,
    EXPORT,
    SERVE,
)
