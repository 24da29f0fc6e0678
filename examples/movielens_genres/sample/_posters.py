"""Posters of the invented movies, drawn with Pillow; everything in them is synthetic.

Each genre has a motif with its own palette and shapes. Thriller and Horror share one, and so do
Drama and Romance, so posters cannot distinguish these. The strength of a motif varies from poster
to poster, down to zero, and some posters show the motif of another genre.
"""

import dataclasses
import math
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHTS = 150, (213, 222, 225)
# Pillow's lines and circles are jagged, so posters are drawn at twice their size and reduced.
_SCALE = 2

_T = TypeVar("_T")
Colour = tuple[int, int, int]
Draw = Callable[[Image.Image, np.random.Generator, int], None]


@dataclasses.dataclass(frozen=True)
class _Motif:
    """The look of one kind of movie: the colours of the sky, and shapes."""

    top: Colour
    bottom: Colour
    draw: Draw


def draw_poster(rng: np.random.Generator, title: str, genres: Sequence[str]) -> Image.Image:
    """Draw the poster of one movie.

    Returns
    -------
    PIL.Image.Image
        The poster, 150 pixels wide, in mode RGB or (one in 25) L.
    """
    size = (WIDTH * _SCALE, HEIGHTS[rng.integers(len(HEIGHTS))] * _SCALE)
    shown = _shown_motifs(rng, genres)
    strength = float(rng.beta(2.0, 1.2))
    image = _sky(rng, size, shown[0], strength)
    for motif in reversed(shown):
        motif.draw(image, rng, round(70 + 185 * strength))
    if strength < 0.35:
        _draw_mist(image, rng)
    image = _grain(rng, image.reduce(_SCALE), 2 + 12 * (1 - strength))
    _draw_title(image, rng, title)
    return image.convert("L") if rng.random() < 0.04 else image


def _shown_motifs(rng: np.random.Generator, genres: Sequence[str]) -> list[_Motif]:
    """Choose the motifs of a poster, the main one first."""
    if rng.random() < 0.14:
        return [pick(rng, [*MOTIFS.values(), PLAIN])]
    motifs = list(dict.fromkeys(MOTIFS[genre] for genre in genres if genre in MOTIFS))
    if not motifs:
        return [PLAIN]
    lead = pick(rng, motifs)
    return [lead, *(m for m in motifs if m is not lead and rng.random() < 0.6)]


def _sky(
    rng: np.random.Generator, size: tuple[int, int], motif: _Motif, strength: float
) -> Image.Image:
    """Paint a gradient in the motif's colours, mixed with random ones if it is weak."""
    ends = np.array([motif.top, motif.bottom], dtype=float)
    weight = 0.25 + 0.75 * strength
    ends = weight * ends + (1 - weight) * rng.uniform(20, 235, size=(2, 3))
    ends += rng.normal(0, 12, size=(2, 3))
    image = Image.fromarray(np.clip(ends, 0, 255).astype(np.uint8)[:, None, :])
    return image.resize(size, Image.Resampling.BILINEAR)


def _draw_night(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw a moon behind bare trunks (Thriller, Horror)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    x, y, r = rng.uniform(0.25, 0.75) * width, rng.uniform(0.2, 0.4) * height, rng.uniform(28, 52)
    for halo, opacity in ((2.2, alpha // 9), (1.5, alpha // 9), (1, alpha)):
        _circle(draw, x, y, r * halo, (190, 210, 200, opacity))
    for x in rng.uniform(0, width, size=rng.integers(4, 8)):
        lean, top = rng.uniform(-30, 30), rng.uniform(0.3, 0.6) * height
        draw.line((x, height, x + lean, top), fill=(4, 6, 10, alpha), width=9)
        draw.line((x + lean / 2, (height + top) / 2, x + 2 * lean, top), (4, 6, 10, alpha), 4)


def _draw_dusk(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw a low sun over water, and one or two people (Drama, Romance)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    horizon, x, r = rng.uniform(0.52, 0.64) * height, rng.uniform(0.3, 0.7) * width, 70.0
    draw.pieslice((x - r, horizon - r, x + r, horizon + r), 180, 360, (255, 214, 150, alpha))
    draw.rectangle((0, horizon, width, height), fill=(70, 44, 82, alpha // 2))
    for row in range(12):
        y, half = horizon + 6 + row * 9, r * rng.uniform(0.3, 1.0)
        draw.line((x - half, y, x + half, y), fill=(255, 200, 150, alpha // 2), width=3)
    for shift in (-26, 30)[: rng.integers(1, 3)]:
        foot, tall = height * 0.9, height * rng.uniform(0.3, 0.4)
        coat = [(x + shift, foot - tall), (x + shift + 22, foot), (x + shift - 22, foot)]
        draw.polygon(coat, fill=(38, 22, 46, alpha))
        _circle(draw, x + shift, foot - tall, 13, (38, 22, 46, alpha))


def _draw_confetti(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw confetti and balloons (Comedy)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    inks = ((236, 64, 122), (38, 166, 220), (255, 255, 255), (92, 184, 92), (255, 112, 67))
    radii = [*rng.uniform(3, 8, size=rng.integers(70, 120)), *rng.uniform(24, 46, size=4)]
    for r in radii:
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        _circle(draw, x, y, r, (*pick(rng, inks), alpha))


def _draw_archive(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw grey photographs over lines of print (Documentary)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    for line in range(20, height - 20, 11):
        end = rng.uniform(0.6, 0.95) * width
        draw.line((16, line, end, line), fill=(120, 116, 108, alpha * 2 // 3), width=3)
    for _ in range(rng.integers(2, 4)):
        x, y = rng.uniform(0.06, 0.4) * width, rng.uniform(0.08, 0.55) * height
        w, h = rng.uniform(0.4, 0.55) * width, rng.uniform(0.18, 0.26) * height
        grey = int(rng.integers(110, 170))
        draw.rectangle((x, y, x + w, y + h), (grey, grey, grey, alpha), (250, 249, 244, alpha), 7)


def _draw_blast(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw rays around an explosion (Action)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    x, y = rng.uniform(0.35, 0.65) * width, rng.uniform(0.35, 0.55) * height
    n_rays, phase = int(rng.integers(11, 17)), rng.uniform(0, math.tau)
    for ray in range(n_rays):
        low, high = (phase + math.tau * (ray + side) / n_rays for side in (0, 0.5))
        far = [(x + 700 * math.cos(a), y + 700 * math.sin(a)) for a in (low, high)]
        draw.polygon([(x, y), *far], fill=(40, 8, 4, alpha * 2 // 3))
    for r, ink in ((80, (255, 96, 20)), (56, (255, 170, 40)), (32, (255, 244, 190))):
        spikes = enumerate(r * rng.uniform(0.65, 1.25, size=26))
        angles = [(math.tau * i / 26, spike) for i, spike in spikes]
        star = [(x + spike * math.cos(a), y + spike * math.sin(a)) for a, spike in angles]
        draw.polygon(star, fill=(*ink, alpha))


def _draw_city(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw a lit skyline behind slanted blinds (Crime)."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    for x in range(0, width, 48):
        top = int(rng.uniform(0.4, 0.7) * height)
        draw.rectangle((x, top, x + 44, height), fill=(14, 26, 20, alpha))
        for y in range(top + 9, height, 16):
            for window in x + 7 + 12 * np.flatnonzero(rng.random(3) < 0.4):
                draw.rectangle((window, y, window + 5, y + 8), fill=(240, 226, 120, alpha))
    for y in range(-60, height, 27):
        slat = [(0, y + 60), (width, y), (width, y + 10), (0, y + 70)]
        draw.polygon(slat, fill=(188, 210, 150, alpha // 2))


def _draw_hills(image: Image.Image, rng: np.random.Generator, alpha: int) -> None:
    """Draw ranges of hills, which belong to no genre."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    for depth in range(4):
        base, phase = height * (0.45 + 0.14 * depth), rng.uniform(0, math.tau)
        ridge = [(x, base + 25 * math.sin(phase + x / 47)) for x in range(0, width + 12, 12)]
        ink = (70 - 12 * depth, 92 - 14 * depth, 96 - 12 * depth, alpha // 2)
        draw.polygon([*ridge, (width, height), (0, height)], fill=ink)


_NIGHT = _Motif((10, 16, 34), (30, 58, 66), _draw_night)
_DUSK = _Motif((92, 62, 112), (244, 158, 120), _draw_dusk)
MOTIFS = {
    "Thriller": _NIGHT,
    "Horror": _NIGHT,
    "Drama": _DUSK,
    "Romance": _DUSK,
    "Comedy": _Motif((255, 222, 70), (255, 240, 170), _draw_confetti),
    "Documentary": _Motif((232, 226, 210), (206, 200, 186), _draw_archive),
    "Action": _Motif((226, 84, 20), (120, 16, 10), _draw_blast),
    "Crime": _Motif((46, 66, 52), (92, 112, 78), _draw_city),
}
PLAIN = _Motif((150, 176, 190), (196, 190, 170), _draw_hills)


def _draw_mist(image: Image.Image, rng: np.random.Generator) -> None:
    """Cover a weak poster with flat shapes of random colours."""
    draw, (width, height) = ImageDraw.Draw(image, "RGBA"), image.size
    for _ in range(4):
        red, green, blue = rng.integers(30, 226, size=3).tolist()
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        _circle(draw, x, y, rng.uniform(60, 150), (red, green, blue, 110))


def _draw_title(image: Image.Image, rng: np.random.Generator, title: str) -> None:
    """Draw the title, in the same way for all genres."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    words = _display_title(title).split()
    middle = (len(words) + 1) // 2
    lines = [" ".join(part) for part in (words[:middle], words[middle:]) if part]
    top = height * float(rng.choice([0.05, 0.74]))
    font = ImageFont.load_default(17)
    widest = max(font.getlength(line) for line in lines)
    if widest > width - 12:
        font = ImageFont.load_default(17 * (width - 12) / widest)
    for line in lines:
        at = (width / 2, top)
        draw.text(at, line, "white", font, "ma", stroke_width=2, stroke_fill=(20, 20, 24))
        top += 20


def _display_title(title: str) -> str:
    """Turn ``Café Hour, The (Nuit) (2003)`` into ``THE CAFE HOUR``."""
    name = title.split(" (")[0]
    for article in ("The", "A"):
        if name.endswith(f", {article}"):
            name = f"{article} {name.removesuffix(f', {article}')}"
    # Pillow's own font has no letters beyond ASCII.
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()


def _grain(rng: np.random.Generator, image: Image.Image, level: float) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32)
    noise = rng.standard_normal((*pixels.shape[:2], 1), dtype=np.float32) * np.float32(level)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _circle(
    draw: ImageDraw.ImageDraw, x: float, y: float, r: float, ink: tuple[int, int, int, int]
) -> None:
    draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)


def pick(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    """Return a random choice with equal probabilities."""
    return choices[int(rng.integers(len(choices)))]
