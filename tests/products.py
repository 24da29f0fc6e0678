"""Invented products in CSV files with the troubles that such files have."""

import base64
import csv
import io
import json
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
_PARTS = ["lid", "handle", "wheel", "cable", "cover"]
_TOWNS = ["Bern", "Oslo", "Porto", "Ghent", "Turku", "Lyon", "Graz", "Cork"]


def write_products(
    folder: str | Path, n_rows: int = 200, *, seed: int = 0, is_european: bool = False
) -> Path:
    """Write ``products.csv`` and small pictures to a folder, and return the path of the CSV file.

    Labels are separated by pipes, padded and with empty names between them, and one label occurs
    in one row. Two other columns, fragile and gift, are labels of their own, "yes" or "no", and
    empty where nobody knows.

    Keywords are separated by commas, with and without spaces; parts are lists as text; posts have
    hash-tags. Descriptions are sentences with commas, and some have line breaks. Numbers are
    texts such as "1,234.5" and "3 %", dates have two formats, and values are missing in several
    spellings. Each row has a picture, several pictures in one value, and an icon as a data URI.
    Every twentieth path leads nowhere, and one file is no image. There are categories, booleans,
    identifiers, and a column with the same value in each row. The name of a column is not ASCII,
    and the file begins with a byte order mark.

    Parameters
    ----------
    folder : path
        The folder, which is created.
    n_rows : int, default=200
        Number of rows.
    seed : int, default=0
        Seed of all values.
    is_european : bool, default=False
        Whether semicolons separate the values, and numbers have a decimal comma. The file is then
        ``products_eu.csv``.
    """
    rng = random.Random(seed)
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    path = folder / ("products_eu.csv" if is_european else "products.csv")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = [_draw_product(folder, row, rng, is_european=is_european) for row in range(n_rows)]
        writer = csv.DictWriter(file, rows[0], delimiter=";" if is_european else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _draw_product(
    folder: Path, row: int, rng: random.Random, *, is_european: bool
) -> dict[str, str]:
    def number(value: float, decimals: int) -> str:
        text = f"{value:,.{decimals}f}"
        return text.translate(str.maketrans(",.", ".,")) if is_european else text

    labels = [label for label in _LABELS if rng.random() < 0.4]
    own = [rng.choice(_LABELS[label][0]) for label in labels if rng.random() < 0.7]
    keywords = [*own, *rng.sample(_OTHER_KEYWORDS, 2)]
    rng.shuffle(keywords)
    photo = f"images/{row}.png" if row % 20 != 7 else f"images/lost/{row}.png"
    if row % 20 != 7:
        _draw_picture(labels, rng).save(folder / photo)
    if row == 11:
        (folder / photo).write_bytes(b"no image")
    named = [label.lower() for label in labels if rng.random() < 0.3]
    use = " and ".join(named) or "everyday life"
    pause = ",\n" if row % 40 == 33 else ", "
    price = rng.uniform(5, 5000)
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2015, 2023)
    return {
        "sku": f"P-{row:05d}",
        "name": f"{rng.choice(['Fine', 'Big', 'Old'])} {rng.choice(['bowl', 'lamp', 'box'])} {row}",
        "description": f"A useful thing for {use}, made with care in {rng.choice(_TOWNS)}{pause}"
        f"and shipped within {rng.randint(1, 9)} days.",
        "keywords": _maybe(rng, rng.choice([", ", ","]).join(keywords), 0.05),
        "parts": json.dumps(rng.sample(_PARTS, rng.randint(0, 2))),
        "posts": " ".join(f"#{word.replace(' ', '')}" for word in keywords[:2]),
        "photo": photo,
        "gallery": "; ".join(f"images/{max(0, row - back)}.png" for back in range(row % 3)),
        "icon": _maybe(rng, _as_data_uri(_draw_picture(labels, rng)), 0.1),
        "price": _maybe(rng, number(price, 1), 0.05, "N/A"),
        "discount": f"{rng.randint(0, 30)} %",
        "year": str(rng.randint(1990, 2024)),
        "launched": f"{year}-{month:02d}-{day:02d}",
        "checked": _maybe(rng, f"{day:02d}.{month:02d}.{year + 1}", 0.1, "-"),
        "größe": number(rng.uniform(1, 99), 2),
        "weight": _maybe(rng, number(rng.uniform(0.1, 9), 2), 0.2, "null"),
        "material": _maybe(rng, rng.choice(["wood", "steel", "plastic"]), 0.1),
        "in stock": rng.choice(["true", "false"]),
        "currency": "EUR",
        "fragile": _maybe(rng, "yes" if "Kitchen" in labels else "no", 0.1),
        "gift": _maybe(rng, "yes" if "gift" in keywords else "no", 0.1),
        "labels": _join_labels([*labels, "Toys"] if row == 13 else labels, row),
    }


def _join_labels(labels: list[str], row: int) -> str:
    joined = " | ".join(labels) if row % 2 else "|".join(labels)
    return f" {joined}||" if labels and row % 3 == 0 else joined


def _maybe(rng: random.Random, value: str, share: float, missing: str = "") -> str:
    return missing if rng.random() < share else value


def _draw_picture(labels: list[str], rng: random.Random) -> Image.Image:
    colours = [_LABELS[label][1] for label in labels] or [(128, 128, 128)]
    mean = [sum(part) // len(colours) for part in zip(*colours, strict=True)]
    noisy = tuple(min(255, max(0, value + rng.randint(-80, 80))) for value in mean)
    return Image.new("RGB", (12, 16), noisy)


def _as_data_uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
