"""Which members an ensemble has, from its encoders and its parameters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._label_names import in_label_order
from multimodal_ensemble._layer_names import SHARED_NAMES, names_of
from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.encoders import Encoder, ItemsEncoder
from multimodal_ensemble.estimators._member_encoder import MemberEncoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import MemberLayout

# Up to this number of numbers per row, a member also takes the similarity to training rows.
_MAX_RADIAL_INPUTS = 100


def check_groups(groups: Any) -> None:
    """Raise a ValueError unless `groups` is None or a list of lists of names."""
    if groups is None:
        return
    as_lists = list(groups.values()) if isinstance(groups, Mapping) else groups
    is_sequence = isinstance(as_lists, list | tuple)
    if not is_sequence or not all(
        isinstance(group, list | tuple) and group and all(isinstance(name, str) for name in group)
        for group in as_lists
    ):
        msg = (
            "groups must be None, a list of groups, or a mapping from the name of a group to the "
            "group; a group is a list of names of encoders, such as [['tags', 'title'], "
            f"['poster']]. Received groups={groups!r}."
        )
        raise ValueError(msg)


def check_can_be_linear(encoder: Encoder) -> None:
    """Raise a ModalityError if no linear model can use the features of an encoder."""
    backbone = encoder.get_backbone()
    if None in encoder.feature_shape:
        msg = (
            f"Rows of modality {encoder.name!r} differ in length, which only the head of a network "
            "can use. Leave its encoder out, and pass "
            "members=[('network', MultimodalClassifier([...]))] instead."
        )
        raise ModalityError(msg)
    if backbone is None:
        if np.dtype(encoder.input_dtype).kind != "f":
            msg = (
                f"Modality {encoder.name!r} encodes to {encoder.input_dtype}, such as token ids, "
                "which only the head of a network can use. Leave its encoder out, and pass "
                "members=[('network', MultimodalClassifier([...]))] instead."
            )
            raise ModalityError(msg)
        return
    if backbone.trainable_weights:
        msg = (
            f"The backbone of modality {encoder.name!r} has {len(backbone.trainable_weights)} "
            "trainable weights, and MultimodalEnsemble trains no backbone. Freeze it with "
            "encoder.unfreeze(0), or with get_backbone().trainable = False if the encoder is your "
            "own; or pass a MultimodalClassifier as one of members=."
        )
        raise ModalityError(msg)
    if isinstance(encoder, ItemsEncoder) and encoder.items == "attention":
        msg = (
            f"Modality {encoder.name!r} has items='attention', whose weights only a network "
            "learns. Pass items='mean' or items='max' to the encoder, or a MultimodalClassifier as "
            "one of members=."
        )
        raise ModalityError(msg)


def plan_members(
    encoders: Sequence[Encoder], groups: Any, external: Sequence[MemberEncoder], *, joint: bool
) -> list[MemberLayout]:
    """Return the layout of each member, the external members last."""
    by_name = {encoder.name: encoder for encoder in encoders}
    columns = {name: frozenset(encoder.columns) for name, encoder in by_name.items()}
    grouped = _named_groups(groups, by_name)
    radial = {encoder.name for encoder in encoders if _can_be_radial(encoder)}
    taken = {*itertools.chain.from_iterable(grouped.values())}
    modalities = grouped | {name: (name,) for name in by_name if name not in taken}
    evidences = {
        name: frozenset(itertools.chain.from_iterable(columns[each] for each in group))
        for name, group in modalities.items()
    }
    everything = frozenset(itertools.chain.from_iterable(columns.values()))
    _check_overlap({name: evidences[name] for name in grouped}, everything)
    if joint and len({*evidences.values()}) > 1 and everything not in evidences.values():
        name = _new_name("joint", [*by_name, *modalities, *(each.name for each in external)])
        modalities[name], evidences[name] = tuple(by_name), everything
    has_others = any(evidence != everything for evidence in evidences.values())
    members = [
        MemberLayout(
            name,
            group,
            tuple(each for each in group if each in radial),
            _describe(evidences[name], everything, has_others),
        )
        for name, group in modalities.items()
    ]
    for member in external:
        evidence = frozenset(member.columns)
        described = _describe(evidence & everything or evidence, everything, has_others)
        members.append(MemberLayout(member.name, (member.name,), (), described, is_scored=True))
    _check_names(by_name, [member.name for member in members])
    return members


def _check_names(encoders: Collection[str], members: Sequence[str]) -> None:
    """Refuse names that would be those of two members or of two layers."""
    names = dict.fromkeys([*encoders, *members])
    layers = [*SHARED_NAMES, *(layer for name in names for layer in names_of(name))]
    if clashing := find_repeated(members) or find_repeated(layers):
        msg = (
            f"Two members or layers would have the name(s) {clashing}. Rename the encoder, the "
            "group or the member."
        )
        raise ModalityError(msg)


def _named_groups(groups: Any, by_name: Mapping[str, Encoder]) -> dict[str, tuple[str, ...]]:
    if groups is None:
        return {}
    named = (
        [(_layer_name(name), tuple(group)) for name, group in groups.items()]
        if isinstance(groups, Mapping)
        else [(".".join(group), tuple(group)) for group in groups]
    )
    for _, group in named:
        if unknown := [name for name in group if name not in by_name]:
            msg = f"groups names {unknown}; the encoders are {list(by_name)}."
            raise ModalityError(msg)
        if repeated := find_repeated(group):
            msg = f"A group names {repeated} more than once. Received {list(group)}."
            raise ModalityError(msg)
    members = {name for _, group in named for name in group}
    others = [name for name in by_name if name not in members]
    if repeated := find_repeated([*(name for name, _ in named), *others]):
        msg = (
            f"Groups, and encoders that are in no group, need distinct names. Received {repeated} "
            "more than once; name the groups, as in groups={'name': ['tags', 'title']}."
        )
        raise ModalityError(msg)
    return dict(named)


def _layer_name(name: Any) -> str:
    """Return a name with a dot in place of what no name of a layer may hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", ".", str(name)).strip("._-") or "group"


def _new_name(name: str, taken: Collection[str]) -> str:
    return next(
        each
        for each in itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
        if each not in taken
    )


def _can_be_radial(encoder: Encoder) -> bool:
    shape = encoder.input_shape
    return (
        encoder.get_backbone() is None
        and not encoder.zeros_are_empty
        and len(shape) == 1
        and shape[0] is not None
        and shape[0] <= _MAX_RADIAL_INPUTS
    )


def _describe(evidence: frozenset[str], everything: frozenset[str], has_others: bool) -> str | None:
    """Return the evidence of a member as a string; None for all of it beside other members."""
    if has_others and evidence == everything:
        return None
    return ", ".join(sorted(evidence))


def _check_overlap(groups: Mapping[str, frozenset[str]], everything: frozenset[str]) -> None:
    """Refuse groups that count the same columns twice."""
    partial = {name: evidence for name, evidence in groups.items() if evidence != everything}
    for (first, one), (second, other) in itertools.combinations(partial.items(), 2):
        if one & other and one != other:
            msg = (
                f"The groups {first!r} and {second!r} both read {abbreviate(sorted(one & other))} "
                "but not the same columns altogether, so their sum would count these twice. Two "
                "groups must read the same columns, different columns, or all columns."
            )
            raise ModalityError(msg)


def read_weights(weights: Any, layouts: Sequence[MemberLayout]) -> NDArray[np.float64]:
    """Return one weight per member, of shape (n_members,), or raise a ValueError."""
    names = [layout.name for layout in layouts]
    if isinstance(weights, str):
        return np.ones(len(names))
    in_order = in_label_order(weights, names, name="weights", item="member")
    values = np.asarray([float(value) for value in in_order])
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        msg = f"weights must not be negative, and not all 0. Received weights={weights!r}."
        raise ValueError(msg)
    return values
