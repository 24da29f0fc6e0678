"""The command ``export``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from multimodal_ensemble.cli._arguments import add_imports, add_model
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._models import check_output, load_model

_FORMATS = {".onnx": "onnx", ".tflite": "litert", "": "tf_saved_model"}


def _add_arguments(add: Add) -> None:
    add_model(add)
    add_imports(add)
    add("--out", required=True, metavar="PATH", help=".onnx or .tflite file, or a folder")
    add(
        "--format",
        choices=sorted(_FORMATS.values()),
        help="format (default: by the suffix; a SavedModel of TensorFlow without one)",
    )


def _execute(values: argparse.Namespace, console: Console) -> None:
    suffix = Path(values.out).suffix.lower()
    chosen = values.format or _FORMATS.get(suffix)
    if chosen is None:
        msg = (
            f"--out {values.out!r} has an unknown suffix; end it in .onnx or .tflite, or choose "
            "with --format."
        )
        raise CommandError(msg)
    check_output(values.out, values.model, may_be_folder=chosen == "tf_saved_model")
    load_model(values).export(values.out, format=chosen)
    described = f"{values.out}.json"
    inputs = json.loads(Path(described).read_text(encoding="utf-8"))["inputs"]
    others = [name for name, each in inputs.items() if each.get("made_by_preprocess") is False]
    program = Path(values.out).with_name("preprocess.py")
    needed = f"; make those of {', '.join(others)} yourself" if others else ""
    console.show(
        f"The model is {values.out} ({chosen}); {described} lists its labels, thresholds and "
        f"inputs. {program} makes inputs from raw values{needed}.",
        {"model": values.model, "path": values.out, "format": chosen, "description": described},
    )


EXPORT = Command(
    "export",
    "Write a model for other programs.\n"
    "Formats are ONNX (needs the extra export), LiteRT, and the SavedModel of TensorFlow.",
    _add_arguments,
    _execute,
)
