"""Invented products in a CSV file with the troubles that such files have."""

import csv
import random
from pathlib import Path

from PIL import Image

# Keywords and the colour of the picture, by label.
_LABELS = {
    "Kitchen": (["steel", "dishwasher safe", "cooking"], (200, 60, 50)),
    "Garden": (["outdoor", "weatherproof", "plants"], (50, 170, 60)),
    "Office": (["paper", "desk", "ergonomic"], (60, 80, 200)),
}
_OTHER_KEYWORDS = ["new", "sale", "gift", "bestseller", "fair trade"]
_COLUMNS = [
    "sku",
    "name",
    "description",
    "keywords",
    "photo",
    "price",
    "discount",
    "year",
    "launched",
    "weight",
    "material",
    "in stock",
    "currency",
    "labels",
]


def write_products(folder: str | Path, n_rows: int = 200, *, seed: int = 0) -> Path:
    """Write ``products.csv`` and small pictures to a folder, and return the path of the CSV file.

    Keywords are separated by commas, with and without spaces; labels by pipes, padded and with
    empty names between them. Values are missing in several spellings. Numbers are texts such as
    "1,234.5" and "3 %". Every twentieth path leads nowhere, and one file is no image. There are
    dates, sentences, categories, booleans, identifiers, and a column with the same value in each
    row. The file begins with a byte order mark.
    """
    rng = random.Random(seed)
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    path = folder / "products.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for row in range(n_rows):
            writer.writerow(_draw_product(folder, row, rng))
    return path


def _draw_product(folder: Path, row: int, rng: random.Random) -> list[str]:
    labels = [label for label in _LABELS if rng.random() < 0.4]
    own = [rng.choice(_LABELS[label][0]) for label in labels if rng.random() < 0.7]
    keywords = [*own, *rng.sample(_OTHER_KEYWORDS, 2)]
    rng.shuffle(keywords)
    photo = f"images/{row}.png" if row % 20 != 7 else f"images/lost/{row}.png"
    if row % 20 != 7:
        _draw_picture(folder / photo, labels, rng)
    if row == 11:
        (folder / photo).write_bytes(b"no image")
    named = [label.lower() for label in labels if rng.random() < 0.3]
    use = " and ".join(named) or "everyday life"
    return [
        f"P-{row:05d}",
        f"{rng.choice(['Fine', 'Big', 'Old'])} {rng.choice(['bowl', 'lamp', 'box', 'tool'])} {row}",
        f"A useful thing for {use}, made with care and shipped within {rng.randint(1, 9)} days.",
        _maybe(rng, rng.choice([", ", ","]).join(keywords), 0.05),
        photo,
        _maybe(rng, f"{rng.uniform(5, 5000):,.1f}", 0.05, "N/A"),
        f"{rng.randint(0, 30)} %",
        str(rng.randint(1990, 2024)),
        f"{rng.randint(2015, 2024)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        _maybe(rng, f"{rng.uniform(0.1, 9):.2f}", 0.2, "null"),
        _maybe(rng, rng.choice(["wood", "steel", "plastic"]), 0.1),
        rng.choice(["true", "false"]),
        "EUR",
        _join_labels(labels, row),
    ]


def _join_labels(labels: list[str], row: int) -> str:
    joined = " | ".join(labels) if row % 2 else "|".join(labels)
    return f" {joined}||" if labels and row % 3 == 0 else joined


def _maybe(rng: random.Random, value: str, share: float, missing: str = "") -> str:
    return missing if rng.random() < share else value


def _draw_picture(path: Path, labels: list[str], rng: random.Random) -> None:
    colours = [_LABELS[label][1] for label in labels] or [(128, 128, 128)]
    mean = [sum(part) // len(colours) for part in zip(*colours, strict=True)]
    noisy = tuple(min(255, max(0, value + rng.randint(-80, 80))) for value in mean)
    Image.new("RGB", (12, 16), noisy).save(path)
