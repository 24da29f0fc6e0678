"""The commands. Each module adds its arguments, parses them into options, and runs."""

from ._analyse import ANALYSE
from ._command import Command
from ._compare import COMPARE
from ._missing import MISSING
from ._predict import PREDICT
from ._prepare import PREPARE
from ._retrieve import RETRIEVE
from ._run import RUN

COMMANDS = (RETRIEVE, ANALYSE, PREPARE, RUN, PREDICT, COMPARE, MISSING)

__all__ = ["COMMANDS", "Command"]
