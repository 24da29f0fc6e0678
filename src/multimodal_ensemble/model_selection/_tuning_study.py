"""The trials of a search: proposed by Optuna in memory, and kept in a file once they are finished.

Only finished trials are stored, and the random numbers of a trial follow from the seed and from
the number of finished trials. A search that was killed therefore continues as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble.model_selection._import_optuna import import_optuna
from multimodal_ensemble.model_selection._search_identity import Identity, describe_differences
from multimodal_ensemble.model_selection._search_space import SearchSpace

_NAME = "multimodal_ensemble"
_SQLITE = (".db", ".sqlite", ".sqlite3")
# Proposals in a row that were tried before, after which nothing seems to be left to try.
_MAX_REPEATS = 100


class TuningStudy:
    """The finished trials of a search, and the next ones."""

    def __init__(self, path: str | PathLike[str] | None, space: SearchSpace) -> None:
        optuna = import_optuna()
        self._space = space
        self._path = path
        self._stored = None if path is None else _open(path)
        # Without a pruner of its own, Optuna would choose one.
        pruner = optuna.pruners.MedianPruner()
        self._study = optuna.create_study(direction="maximize", pruner=pruner)
        if self._stored is not None:
            self._study.add_trials(self._stored.trials)
        self.finished: list[Any] = list(self._study.trials)
        self._tried = {_key(trial) for trial in self.finished}

    @property
    def seed(self) -> int | None:
        """The seed of the stored search; None if there is none."""
        return None if self._stored is None else self._stored.user_attrs.get("seed")

    def claim(self, identity: Identity, seed: int) -> None:
        """Store what the search depends on, or raise a ValueError if the trials are of another."""
        self._seed = seed
        if self._stored is None:
            return
        known = self._stored.user_attrs.get("search")
        if known is None:
            self._stored.set_user_attr("search", identity)
            self._stored.set_user_attr("seed", seed)
        elif differences := describe_differences(known, identity, where="in the study"):
            msg = (
                f"The study in {str(self._path)!r} is another search. What differs: {differences}. "
                "Pass the same arguments to continue it, or another path to begin a new search."
            )
            raise ValueError(msg)

    def propose(self, first: Mapping[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        """Return the next trial with its parameters, or None if all have been tried.

        `first` has stored values that the first trial takes.
        """
        samplers = import_optuna().samplers
        if not self.finished and first:
            self._study.enqueue_trial(dict(first))
        for attempt in range(_MAX_REPEATS):
            # Trials must not depend on how many were run by the same process.
            entropy = np.random.SeedSequence([self._seed, len(self.finished), attempt])
            seed = int(entropy.generate_state(1)[0])
            sampler = samplers.RandomSampler if attempt else samplers.TPESampler
            self._study.sampler = sampler(seed=seed)
            trial = self._study.ask()
            params = self._space.suggest(trial)
            if _key(trial) not in self._tried:
                return trial, params
            self._study.tell(trial, state=import_optuna().trial.TrialState.FAIL)
        return None

    def record(self, trial: Any, **options: Any) -> None:
        """Finish a trial; `options` are those of `optuna.Study.tell`."""
        finished = self._study.tell(trial, **options)
        if self._stored is not None:
            self._stored.add_trial(finished)
        self.finished.append(finished)
        self._tried.add(_key(finished))

    def values_of(self, trial: Any) -> dict[str, Any]:
        """Return the values of the parameters of a finished trial."""
        return self._space.suggest(import_optuna().trial.FixedTrial(trial.params))

    @property
    def best(self) -> Any:
        """The complete trial with the highest score, the first of equal ones; None without one."""
        complete = [trial for trial in self.finished if _state(trial) == "complete"]
        return max(complete, key=lambda trial: trial.value, default=None)

    @property
    def error(self) -> str | None:
        """What the first failed trial raised."""
        errors = (trial.user_attrs.get("error") for trial in self.finished)
        return next((error for error in errors if error), None)

    def to_frame(self) -> pd.DataFrame:
        """Return the table of trials that `TuningResult` has."""
        rows = []
        for number, trial in enumerate(self.finished):
            scores = trial.user_attrs["fold_scores"]
            has_score = _state(trial) != "failed"
            rows.append(
                {
                    "number": number,
                    "state": _state(trial),
                    "score": float(np.mean(scores)) if has_score else np.nan,
                    "std": float(np.std(scores)) if has_score else np.nan,
                    "seconds": trial.user_attrs["seconds"],
                    **{f"param_{name}": value for name, value in trial.params.items()},
                    "fold_scores": scores,
                    "error": trial.user_attrs.get("error", ""),
                }
            )
        last = ["fold_scores", "error"]
        # Parameters that only later trials have would come after these.
        names = [*dict.fromkeys(name for row in rows for name in row if name not in last), *last]
        return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> Any:
    """Return a column that keeps None as a value unless all others are numbers."""
    are_numbers = all(value is None or type(value) in (int, float) for value in values)
    return pd.Series(values, dtype=None if are_numbers else object)


def _state(trial: Any) -> str:
    """Return "complete", "pruned" or "failed"."""
    name: str = trial.state.name
    return "failed" if name == "FAIL" else name.lower()


def _key(trial: Any) -> str:
    return json.dumps(trial.params, sort_keys=True)


def _open(path: str | PathLike[str]) -> Any:
    """Open the study of a file, or create it."""
    optuna = import_optuna()
    file = Path(path)
    if file.is_dir() or not file.parent.is_dir():
        msg = f"study must be the path of a file in an existing folder. Received {str(path)!r}."
        raise ValueError(msg)
    try:
        if file.suffix in _SQLITE:
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
        else:
            _remove_cut_off_line(file)
            backend = optuna.storages.journal.JournalFileBackend(str(file))
            storage = optuna.storages.JournalStorage(backend)
        return optuna.create_study(
            storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True
        )
    except Exception as error:
        msg = (
            f"{str(path)!r} cannot be read as a study of Optuna ({type(error).__name__}: {error}). "
            "Pass another path to begin a new search."
        )
        raise ValueError(msg) from error


def _remove_cut_off_line(file: Path) -> None:
    """Remove the end of a journal that a kill cut off, because Optuna would append to it."""
    if not file.exists() or not file.stat().st_size:
        return
    with file.open("rb+") as journal:
        lines = journal.readlines()
        if not lines[0].startswith(b'{"op_code"'):
            msg = "it is not a journal"
            raise ValueError(msg)
        if not lines[-1].endswith(b"\n"):
            journal.truncate(sum(map(len, lines[:-1])))
