"""Inputs of an exported model from raw values, with NumPy and Pillow alone.

    from preprocess import choose_labels, make_inputs, read_description
    description = read_description("model.onnx.json")
    inputs = make_inputs(description, [{"poster": "1.jpg", "tags": ["space"], "year": 1977}])
    # Run the model, which takes a dictionary of inputs by name and returns the scores.
    labels = choose_labels(description, scores)

Images (one per row), tags, words of texts, numbers (also as text, as the model has learned them),
vectors and categories are made here. The inputs of other encoders are absent from the result; add
them.
"""

from __future__ import annotations

import functools
import io
import json
import math
import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

_compose = functools.partial(unicodedata.normalize, "NFC")
_UPRIGHT = dict(enumerate(map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), start=2))
# Characters that only influence how text is drawn.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef]"
)


def read_description(path: Any) -> dict[str, Any]:
    """Return the JSON file beside an exported model."""
    description: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return description


def make_inputs(description: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the inputs of some rows by name.

    A row has raw values by column; an optional modality may be absent or None. The path of an image
    may be empty for None, and a number that may be text also "", "N/A" and the like.
    """
    inputs: dict[str, Any] = {}
    for name, described in description["inputs"].items():
        if not makes_input(described):
            continue
        state = described["state"]
        places = {token: column for column, token in enumerate(state.get("vocabulary_", ()))}
        vectors = np.array(state.get("token_vectors_", ()), dtype=np.float32)
        state = {**state, "vocabulary_": places, "token_vectors_": vectors}
        described = {**described, "state": state}
        columns = described["columns"]
        presence = f"{name}_present"
        values = [[_none_if_empty(described, row.get(each)) for each in columns] for row in rows]
        is_present = np.array([not all(map(_is_missing, value)) for value in values])
        can_lack = described["encoder"] in ("CategoryEncoder", "DenseEncoder")
        is_given = [set(columns) <= set(row) for row in rows] if can_lack else is_present
        if presence not in description["inputs"] and not all(is_given):
            row = int(np.argmin(is_given))
            msg = f"Row {row} has no value for {columns}, which the model needs."
            raise ValueError(msg)
        encoded = np.zeros((len(rows), *described["shape"][1:]), dtype=described["dtype"])
        for row in range(len(rows)):
            if is_present[row] or presence not in description["inputs"]:
                try:
                    encoded[row] = _ENCODE[described["encoder"]](described, values[row])
                except (OSError, TypeError, ValueError) as error:
                    msg = f"Row {row} cannot be read in the columns {columns}: {error}"
                    raise ValueError(msg) from error
        inputs[name] = encoded
        if presence in description["inputs"]:
            inputs[presence] = is_present.astype(np.float32)[:, np.newaxis]
    return inputs


def choose_labels(description: dict[str, Any], scores: Any) -> list[list[Any]]:
    """Return the labels, or the class, of each row of scores."""
    thresholds = np.array([float(value) for value in description["thresholds"]])
    kind, classes = description["target_type"], description["classes"]
    if kind == "multiclass":
        return [[classes[place]] for place in (scores / thresholds).argmax(axis=1)]
    chosen = scores >= thresholds
    if kind == "binary":
        return [[classes[int(is_second)]] for (is_second,) in chosen]
    return [[classes[place] for place in np.flatnonzero(row)] for row in chosen]


def read_image(image: Any, size: tuple[int, int], resampling: str) -> Any:
    """Return an image, a path or the bytes of a file, as RGB pixels of a size.

    It is upright and over white, and stretched to the height and width.
    """
    content = image if isinstance(image, bytes) else Path(image).read_bytes()
    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        rgb = _to_rgb(opened)
        orientation = opened.getexif().get(ExifTags.Base.Orientation)
        rgb = rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb
        return np.array(rgb.resize(size[::-1], Image.Resampling[resampling.upper()]))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;"):
        values = np.array(image.convert("I")).astype(np.int64)
        if isinstance(transparent := image.info.get("transparency"), int):
            values[values == transparent] = 65535
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        canvas = Image.new("RGB", rgba.size, "white")
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image.convert("RGB")


def _encode_image(described: dict[str, Any], values: list[Any]) -> Any:
    return read_image(values[0], tuple(described["shape"][1:3]), described["resampling"])


def _encode_bag(described: dict[str, Any], values: list[Any]) -> Any:
    config, state = described["config"], described["state"]
    counts = _count_known(described, values[0])
    is_held = counts > 0
    if config["binary"]:
        counts[is_held] = 1
    elif config["sublinear_tf"]:
        counts[is_held] = 1 + np.log(counts[is_held])
    if config["tfidf"]:
        counts *= state["idf_"]
        counts /= math.sqrt(float(counts @ counts)) or 1
    return counts


def _embed_tags(described: dict[str, Any], values: list[Any]) -> Any:
    state = described["state"]
    weights = (_count_known(described, values[0]) > 0) * np.array(state["idf_"])
    vector = weights.astype(np.float32) @ state["token_vectors_"]
    return vector / (math.sqrt(float(vector @ vector)) or 1)


def _count_known(described: dict[str, Any], value: Any) -> Any:
    """Return how often a row has each token that was learned."""
    columns = described["state"]["vocabulary_"]
    counts = np.zeros(len(columns))
    for token, count in _count_tokens(described["config"], value).items():
        if token in columns:
            counts[columns[token]] += count
    return counts


def _count_tokens(config: dict[str, Any], value: Any) -> Counter[str]:
    normalize = _fold if config["lowercase"] else _compose
    is_text = isinstance(value, str) and config["tokenizer"] == "words"
    dropped = set(map(_compose, config["drop"]))
    if config["lowercase"] or config["tokenizer"] == "words":
        dropped |= set(map(_fold, config["drop"]))
    counts: Counter[str] = Counter()
    if is_text:
        found = map(normalize, _word_pattern().findall(_fold(_compose(value))))
        words = [word for word in found if word not in dropped]
        shortest, longest = config.get("ngram_range", (1, 1))
        for length in range(shortest, longest + 1):
            for start in range(len(words) - length + 1):
                ngram = " ".join(words[start : start + length])
                counts[ngram] += ngram not in dropped
        return counts
    if isinstance(value, str) and config["delimiter"] is None:
        msg = f"a list of tags is needed in place of the text {value!r:.80}."
        raise ValueError(msg)
    if isinstance(value, str):
        parts = _compose(value).split(_compose(config["delimiter"]))
        value = [part.strip() for part in parts if part.strip()]
    for tag in map(normalize, value):
        if tag not in dropped:
            inner = _word_pattern().findall(_fold(tag)) if config["words"] else []
            words = [f"word:{word}" for word in inner]
            counts.update([tag, *(word for word in words if word not in dropped)])
    return counts


def _encode_numbers(described: dict[str, Any], values: list[Any]) -> Any:
    state = described["state"]
    given = values[0] if len(values) == 1 and isinstance(values[0], list | np.ndarray) else values
    numbers = np.array([_to_number(described, value) for value in given])
    lacks = np.isnan(numbers)
    if (np.abs(numbers[~lacks]) > np.finfo(np.float32).max).any():
        msg = "a number is infinite or beyond float32."
        raise ValueError(msg)
    numbers = np.where(lacks, state["mean_"], numbers)
    if described["config"]["scaling"] == "standard":
        numbers = (numbers - state["mean_"]) / state["scale_"]
    return np.concatenate([numbers, lacks[np.array(state["indicated_"], dtype=int)]])


def _to_number(described: dict[str, Any], value: Any) -> float:
    """Return a number, which may be a text such as "1,234.5", "3 %" and "$ 5"."""
    value = _none_if_empty(described, value)
    if not isinstance(value, str) or "number_pattern" not in described:
        return math.nan if _is_missing(value) else float(value)
    if (match := re.fullmatch(described["number_pattern"], value.strip())) is None:
        msg = f"{value!r} is no number with the decimal mark {described['config']['decimal']!r}."
        raise ValueError(msg)
    whole = re.sub("[^0-9]", "", match["whole"])
    sign = "-" if {"-", "\u2212"} & {match["sign"], match["inner_sign"]} else ""
    number = float(f"{sign}{whole or 0}.{match['fraction'] or 0}{match['exponent'] or ''}")
    return number / 100 if match["percent"] else number


def _encode_categories(described: dict[str, Any], values: list[Any]) -> Any:
    state = described["state"]
    encoded: list[float] = []
    for value, known, has_rare in zip(
        values, state["categories_"], state["has_rare_"], strict=True
    ):
        category = _compose(value).strip() if isinstance(value, str) else value
        category = None if _is_missing(category) else _value_of(category)
        is_own = [float(category == _value_of(each)) for each in known]
        encoded += is_own + [float(not any(is_own))] * has_rare
    return encoded


def _value_of(category: Any) -> Any:
    """Return the number or boolean that a category prints, if it is such a text."""
    if isinstance(category, str) and category.lower() in ("true", "false"):
        return category.lower() == "true"
    if isinstance(category, str) and re.fullmatch("-?[0-9]{1,15}([.][0-9]{1,15})?", category):
        number = float(category)
        return number if category in (str(number), f"{number:.0f}") else category
    return category


_ENCODE: dict[Any, Any] = {
    "ImageEncoder": _encode_image,
    "BagOfWordsEncoder": _encode_bag,
    "TagEmbeddingEncoder": _embed_tags,
    "DenseEncoder": _encode_numbers,
    "CategoryEncoder": _encode_categories,
}


def makes_input(described: dict[str, Any]) -> bool:
    """Return whether an input is made here: its encoder may need more than this module."""
    if described.get("encoder") == "ImageEncoder":
        return len(described["shape"]) == 4
    tokenizer = described.get("config", {}).get("tokenizer")
    return described.get("encoder") in _ENCODE and tokenizer in (None, "words")


def _none_if_empty(described: dict[str, Any], value: Any) -> Any:
    """Return None for a text that stands for no image or no number."""
    texts = [""] if described["encoder"] == "ImageEncoder" else described.get("placeholders", ())
    return None if isinstance(value, str) and value.strip().casefold() in texts else value


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float | np.floating) and math.isnan(value)
    return is_nan or value is None or type(value).__name__ in ("NAType", "NaTType")


def _fold(text: str) -> str:
    visible = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFKC", visible.casefold().replace("i\u0307", "i"))


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    characters = map(chr, range(sys.maxunicode + 1))
    marks = "".join(char for char in characters if unicodedata.category(char).startswith("M"))
    more = rf"[{marks}]+\w*|[\u200c\u200d]+[\w{marks}]+"
    return re.compile(rf"\w+(?:(?![\x00-\x7f])(?:{more}))*")
