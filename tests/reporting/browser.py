"""Pages in headless Chromium, checked with axe-core; ``make browser`` installs both."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium")

# What the page measures itself, besides axe: texts that are too small, tables and the page that
# are wider than what contains them, and texts that leave the page.
MEASURE = """
const seen = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility());
const texts = seen.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
const small = texts.filter(e => parseFloat(getComputedStyle(e).fontSize) < 11);
const width = document.documentElement.clientWidth;
const outside = texts.filter(e => e.getBoundingClientRect().right > width + 1
  && !e.closest(".scroll"));
const cut = seen.filter(e => e.matches(".scroll") && e.scrollWidth > e.clientWidth + 1);
const name = e => `${e.tagName} ${e.textContent.trim().slice(0, 60)}`;
"""


def why_not():
    """Return why pages cannot be checked here, or None."""
    if CHROMIUM is None:
        return "Chromium is not installed (Debian's package chromium); see `make browser`"
    return None if AXE.is_file() else "axe-core of npm is not installed; see `make browser`"


def check_page(page, folder, *, widths=(390, 1600), then="({})"):
    """Return what axe-core and the measurements find in a page, by width and colour scheme.

    One browser shows the page in frames of different widths in CSS pixels, in light and dark mode.
    The fields of `then`, a JavaScript expression that is evaluated afterwards, are added.
    """
    script = f"""
    addEventListener("load", async () => {{
      const found = await axe.run({{resultTypes: ["violations"]}});
      {MEASURE}
      parent.postMessage(JSON.stringify({{
        width: innerWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches,
        violations: found.violations.map(v => `${{v.id}}: ${{v.nodes[0].html}}`),
        small: small.map(name), outside: outside.map(name), cut: cut.map(name), ...{then},
      }}), "*");
    }});"""
    # The policy of the page forbids other scripts.
    text = re.sub("<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    axe = AXE.read_text(encoding="utf-8")
    (folder / "copy.html").write_text(
        text.replace("</body>", f"<script>{axe}</script><script>{script}</script></body>"),
        encoding="utf-8",
    )
    # A window of Chromium has at least 500 pixels; a frame may have fewer. The colour scheme of a
    # frame is what its page is asked for.
    frames = "".join(
        f"<iframe style='width: {width}px; height: 900px; border: 0; color-scheme: {scheme}' "
        "src='copy.html'></iframe>"
        for width in widths
        for scheme in ("light", "dark")
    )
    frame = folder / "frames.html"
    frame.write_text(
        f"<!DOCTYPE html>{frames}<pre></pre><script>const found = [];"
        "addEventListener('message', message => { found.push(message.data);"
        "document.querySelector('pre').textContent = `[${found.join()}]` })</script>",
        encoding="utf-8",
    )
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={max(widths) + 100},1000",
        "--virtual-time-budget=60000",
        "--dump-dom",
        frame.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (received,) = re.findall("<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    found = {
        (one.pop("width"), one.pop("dark")): one for one in json.loads(html.unescape(received))
    }
    assert set(found) == {(width, dark) for width in widths for dark in (False, True)}
    return found
