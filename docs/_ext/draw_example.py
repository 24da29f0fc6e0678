"""Draw the prediction and the explanation of one icon, for the first page.

    python docs/_ext/draw_example.py WHEEL WEIGHTS STORE

trains an ensemble on the icons of the wheel of ``fontawesomefree``, of which a quarter are test
icons, and writes ``docs/_static/example.svg`` for one of these. The drawings of the icons have the
licence CC BY 4.0; the picture names their author.
"""

import html
import sys
import zipfile
from pathlib import Path

ICON = "camera"
SEED = 1
WIDTH, N_LABELS, N_TERMS = 620, 5, 3
STYLE = """
    .example text { font-family: var(--font-stack, sans-serif); font-size: 15px; fill: var(--color-foreground-primary, #222); }
    .example .small { font-size: 13px; fill: var(--color-foreground-secondary, #555); }
    .example .page { fill: var(--color-background-primary, #fff); }
    .example .for { fill: #2f6fb5; } .example .against { fill: #c8641e; }
    .example .rest { fill: var(--color-background-border, #ddd); }
    .example .line { stroke: var(--color-foreground-primary, #222); stroke-width: 2; }
"""  # noqa: E501


def draw(svg, row, scores, parts):
    """Return the picture: the icon, its scores against thresholds, and reasons for the first."""
    inner = svg.replace("<svg ", '<svg x="32" y="40" width="150" height="150" ', 1)
    drawn = [
        '<rect x="12" y="20" width="190" height="190" rx="8" fill="#fff" stroke="#888"/>',
        inner,
        text(12, 234, f"“{row['name']}”"),
    ]
    for position, line in enumerate(wrap("Terms: " + ", ".join(row["terms"]), 26)):
        drawn.append(text(12, 256 + 18 * position, line, "small"))
    drawn.append(text(222, 34, "Prediction", weight="bold"))
    drawn.append(text(604, 34, "line: threshold", "small", anchor="end"))
    for position, (label, score, threshold, is_true) in enumerate(scores):
        y = 56 + 34 * position
        kind = "for" if score >= threshold else "rest"
        drawn += [
            text(222, y + 12, label + (" ✓" if is_true else "")),
            f'<rect class="rest" x="400" y="{y}" width="150" height="14" opacity="0.4"/>',
            f'<rect class="{kind}" x="400" y="{y}" width="{150 * score:.1f}" height="14"/>',
            f'<path class="line" d="M{400 + 150 * threshold:.1f} {y - 4}v22"/>',
            text(604, y + 12, f"{score:.2f}", anchor="end"),
        ]
    y = 56 + 34 * len(scores) + 24
    drawn.append(text(222, y, f"Why “{scores[0][0]}”?", weight="bold"))
    drawn.append(text(604, y, "added log-odds", "small", anchor="end"))
    scale = 140 / max(abs(value) for _, value in parts)
    for position, (part, value) in enumerate(parts):
        top = y + 16 + 26 * position
        size = abs(value) * scale
        kind, left = ("for", 400) if value > 0 else ("against", 400 - size)
        drawn += [
            text(242 if part.startswith("“") else 222, top + 12, part),
            f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{size:.1f}" height="14"/>',
            text(604, top + 12, f"{value:+.2f}".replace("-", "−"), anchor="end"),  # noqa: RUF001
        ]
    height = y + 26 * len(parts) + 50
    note = "Icon: Font Awesome Free 6.6.0 by Fonticons, Inc., CC BY 4.0. ✓ true category."
    drawn.append(text(12, height - 12, note, "small"))
    best = ", ".join(label for label, score, threshold, _ in scores if score >= threshold)
    title = f"The icon {row['name']} with its search terms. Predicted: {best}."
    return (
        f'<svg class="design example" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="example-title">\n'
        f'<title id="example-title">{html.escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="10"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def text(x, y, content, kind="", anchor="start", weight="normal"):
    """Return an element of text."""
    return (
        f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{html.escape(content)}</text>"
    )


def wrap(content, size):
    """Return the lines of a text."""
    lines = [""]
    for word in content.split():
        if len(lines[-1]) + len(word) > size:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def main(wheel, weights, store):
    """Train, choose the icon, and write the picture."""
    from examples.icon_categories.data import METADATA_FOLDER, load_icons
    from examples.icon_categories.encoders import ALL, list_models, make_picture_encoder
    from examples.icon_categories.split import split_rows
    from multimodal_ensemble import MultimodalEnsemble

    icons = load_icons(Path(wheel), image_size=224)
    encoders = list_models(make_picture_encoder("MobileNet", weights, None), None)[ALL]
    split = split_rows(icons.categories.to_numpy(), SEED)
    train, test = icons.table.iloc[split.train], icons.table.iloc[split.test]
    model = MultimodalEnsemble(encoders, store=store, random_state=SEED)
    model = model.fit(train, icons.categories.iloc[split.train])
    print(model.evaluate(test, icons.categories.iloc[split.test]))
    found = test.loc[[ICON]]
    explained = model.explain(found)
    chances = dict(zip(model.classes_, model.predict_proba(found)[0], strict=True))
    limits = dict(zip(model.classes_, model.thresholds_, strict=True))
    best = sorted(chances, key=chances.get, reverse=True)[:N_LABELS]
    truth = icons.categories.loc[ICON]
    scores = [(each, float(chances[each]), float(limits[each]), truth[each] == 1) for each in best]
    modalities = explained.modalities.query("label == @best[0]")
    parts = dict(zip(modalities["modality"], modalities["contribution"], strict=True))
    tokens = explained.tokens.query("label == @best[0] and columns == 'terms'")
    tokens = tokens[tokens["token"] != "(rest)"]
    tokens = tokens.groupby("token")["contribution"].sum().sort_values(key=abs, ascending=False)
    rows = [
        ("picture", parts["picture"]),
        ("terms", sum(value for name, value in parts.items() if name.startswith("term"))),
        *[(f"“{token}”", value) for token, value in tokens.head(N_TERMS).items()],
        ("name", parts["name"]),
    ]
    with zipfile.ZipFile(wheel) as archive:
        folder = METADATA_FOLDER.replace("metadata", "svgs/solid")
        svg = archive.read(f"{folder}/{ICON}.svg").decode()
    svg = svg[: svg.index("<!--")] + svg[svg.index("-->") + 3 :] if "<!--" in svg else svg
    path = Path(__file__).parents[1] / "_static" / "example.svg"
    path.write_text(draw(svg, found.iloc[0], scores, rows), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
