"""Runs a command in this process."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from multimodal_ensemble.cli import main

# Few and small layers, and nothing to download.
SMALL_IMAGES = ("--backbone", "MobileNet", "--weights", "random", "--image-size", "32")


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def value(self):
        """The JSON object on stdout, which has nothing else."""
        return json.loads(self.out)


def run(*arguments):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = main([str(each) for each in arguments])
    return Result(status, out.getvalue(), err.getvalue())
