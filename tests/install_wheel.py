"""Install a built wheel with each of its extras: ``python -m tests.install_wheel dist/*.whl``.

By default, only the requirements of all extras together are resolved, for each supported Python,
which takes seconds. ``--complete`` makes one environment per extra, installs the wheel into it, and
uses what the extra is for. The programs `uv` and Python have one folder.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

UV = Path(sys.executable).with_name("uv")
PYTHON = "Programming Language :: Python :: "

TRAIN = """
import pathlib, sys, tempfile
import multimodal_ensemble as m
assert pathlib.Path(m.__file__).is_relative_to(sys.prefix), m.__file__
for name in m.__all__:
    getattr(m, name)
X = {"tags": [["space"], ["love"]] * 40}
y = [["Action"], ["Romance"]] * 40
ensemble = m.MultimodalEnsemble([m.BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
assert ensemble.predict_labels(X)[0] == ("Action",)
folder = pathlib.Path(tempfile.mkdtemp())
"""
# What each extra is for, in a few lines: nothing that they need is missing.
USES = {
    "": "",
    "completion": """
        from multimodal_ensemble.cli import main
        try:
            main(["--print-completion", "bash"])
        except SystemExit as stop:
            assert not stop.code
        """,
    "distributed": """
        import distributed, joblib
        with distributed.Client(n_workers=1, processes=False, dashboard_address=None):
            with joblib.parallel_config("dask"):
                assert joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1,)) == [1]
        """,
    "export": """
        ensemble.export(folder / "model.onnx", format="onnx")
        assert (folder / "model.onnx").stat().st_size
        """,
    "parquet": """
        import pandas
        pandas.DataFrame(X).to_parquet(folder / "rows.parquet")
        ensemble.predict_proba(pandas.read_parquet(folder / "rows.parquet"))
        """,
    "plots": """
        from multimodal_ensemble.reporting import plot_label_cooccurrence
        plot_label_cooccurrence([[1, 1], [1, 0]], ["Drama", "Crime"]).savefig(folder / "1.png")
        """,
    "remote": """
        from multimodal_ensemble.images import read_images
        try:
            read_images(["s3://bucket/4.jpg"], size=8)
        except ImportError as error:
            assert "s3fs" in str(error)  # fsspec asks for the package of this scheme
        """,
    "serve": """
        import multipart, uvicorn
        from multimodal_ensemble.serving import make_app
        uvicorn.Config(make_app(ensemble)).load()
        """,
    "text": """
        import keras_hub, safetensors.numpy, tokenizers
        stages = dict(stackwise_num_repeats=[1], stackwise_num_filters=[4])
        network = keras_hub.models.VGGBackbone(**stages, image_shape=(32, 32, 3))
        m.ImageEncoder("poster", backbone=network, preprocessing="unit").get_backbone()
        """,
    "tune": """
        from sklearn.tree import DecisionTreeClassifier
        rows = [[1, 0], [0, 1]] * 20
        m.tune(DecisionTreeClassifier(), rows, rows, {"max_depth": (1, 3)}, n_trials=1, cv=2)
        """,
}


def read_metadata(wheel: Path) -> Message:
    """Return the metadata in a wheel."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def resolve(wheel: Path, extras: list[str], version: str) -> None:
    """Check that the requirements of the wheel with these extras can be installed together."""
    requirement = f"multimodal-ensemble[{','.join(extras)}] @ {wheel.resolve().as_uri()}"
    command = [UV, "pip", "compile", "--quiet", "--python-version", version, "-"]
    subprocess.run(command, input=requirement, text=True, stdout=subprocess.DEVNULL, check=True)


def use(wheel: Path, extra: str) -> None:
    """Install the wheel with an extra into a new environment, and use what the extra is for."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        python = f"{folder}/bin/python"
        requirement = f"{wheel.resolve()}[{extra}]" if extra else f"{wheel.resolve()}"
        install = [UV, "pip", "install", "--quiet", "--python", python, requirement]
        subprocess.run(install, check=True)
        subprocess.run([UV, "pip", "check", "--quiet", "--python", python], check=True)
        script = TRAIN + textwrap.dedent(USES[extra])
        # Isolated (-I), and outside of the repository, so that only the wheel can be imported.
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([python, "-I", "-c", script], check=True, cwd=folder, env=quiet)


def main() -> None:
    """Check one wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--complete", action="store_true")
    parser.add_argument("--only", nargs="*", choices=[*USES], help="extras, with --complete")
    arguments = parser.parse_args()
    metadata = read_metadata(arguments.wheel)
    extras = metadata.get_all("Provides-Extra", [])
    if {"", *extras} != {*USES}:
        sys.exit(f"The extras are {sorted(extras)}, and USES has {sorted(USES)}.")
    if arguments.complete:
        for extra in arguments.only or USES:
            use(arguments.wheel, extra)
            print(f"[{extra}]: used", flush=True)
        return
    classifiers = metadata.get_all("Classifier", [])
    for version in re.findall(rf"{PYTHON}(3\.\d+)$", "\n".join(classifiers), re.MULTILINE):
        resolve(arguments.wheel, extras, version)
        print(f"All extras can be installed on Python {version}", flush=True)


if __name__ == "__main__":
    main()
