"""The page for people: its form, and its answers in a browser."""

import html
import json
import re
import shlex
import subprocess
import threading
import time

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from multimodal_ensemble import CategoryEncoder
from multimodal_ensemble.serving import ServingLimits, make_app
from multimodal_ensemble.serving._api_page import api_page
from multimodal_ensemble.serving._fields import Field, describe_fields
from multimodal_ensemble.serving._page import model_page
from multimodal_ensemble.serving._page_policy import page_policy
from multimodal_ensemble.serving._page_script import SCRIPT
from tests.reporting import browser
from tests.reporting.page import Page
from tests.serving.conftest import as_base64, open_client
from tests.serving.test_predict import post
from tests.toys import encode_image

HOSTILE = "<b>x</b> & \"y\" 'z'"


class Form(Page):
    VOID = Page.VOID | {"input", "link"}


def test_the_form_has_a_labelled_field_for_each_column(client):
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    page = Form(answer.text)
    fields = {
        each["name"]: each for tag in ("input", "select", "textarea") for each in page.all(tag)
    }
    assert set(fields) == {"poster", "tags", "year", "minutes", "country"}
    assert {each["for"] for each in page.all("label")} == {each["id"] for each in fields.values()}
    assert fields["poster"]["type"] == "file"
    assert fields["year"]["type"] == "number"
    assert page.texts_of("option") == ["fr", "us"]


def test_the_page_loads_nothing_and_runs_its_own_script_alone(client):
    for path in ("/", "/docs"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy == page_policy(answer.text)
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"(src|href)=['\"](https?:)?//", answer.text)
        assert answer.headers["cache-control"] == "no-store"


def test_names_are_escaped():
    kinds = (
        "image",
        "images",
        "tags",
        "texts",
        "text",
        "category",
        "vector",
        "number",
        "date",
        "value",
    )
    fields = {
        f"{HOSTILE}{kind}": Field(f"{HOSTILE}{kind}", kind, choices=(HOSTILE,), length=2)
        for kind in kinds
    }
    page = Form(model_page(HOSTILE, fields))
    assert page.texts_of("h1") == [HOSTILE]
    assert page.texts_of("label") == list(fields)
    assert page.texts_of("option") == [HOSTILE]
    assert page.all("b") == []


# Sends a file that is no image, and then the row, as a user would.
USE = """
const set = (content, type) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], "p.png",
    {type}));
  const input = document.querySelector("input[type=file]");
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
};
const settled = async () => {
  while (document.querySelector("button").disabled) await new Promise(done => setTimeout(done, 20));
};
const named = name => document.querySelector(`[name=${name}]`);
set(BAD, "image/png");
named("tags").value = "space, war";
named("year").value = "1980";
named("minutes").value = "101.5";
named("country").value = "fr";
document.querySelector("form").requestSubmit();
await settled();
const refused = document.querySelector("#status").textContent;
set(GOOD, "image/png");
document.querySelector("form").requestSubmit();
await settled();
await new Promise(done => setTimeout(done, 50));
const table = [...document.querySelectorAll("#result tbody")].map(body =>
  [...body.rows].map(row => [...row.cells].map(cell => cell.textContent)));
const image = document.querySelector(".shown img");
await image.decode();
const used = {refused, said: document.querySelector("#status").textContent, table,
  found: [...document.querySelectorAll(".found li")].map(item => item.textContent),
  heads: [...document.querySelectorAll("#result h3")].map(item => item.textContent),
  cells: document.querySelectorAll(".mapped i").length,
  map: document.querySelector(".mapped").getAttribute("aria-label"),
  shown: image.naturalWidth, tables: document.querySelectorAll("#result table").length};
"""


def instrument(page, use):
    """Return a page with axe and a script that uses it and sends what it finds to its parent."""
    script = f"""
    addEventListener("load", async () => {{
      const errors = [];
      addEventListener("securitypolicyviolation", event => errors.push(event.violatedDirective));
      {use}
      const found = await axe.run({{resultTypes: ["violations"]}});
      {browser.MEASURE}
      parent.postMessage(JSON.stringify({{
        width: innerWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches,
        violations: found.violations.map(v => `${{v.id}}: ${{v.nodes[0].html}}`),
        small: small.map(name), outside: outside.map(name), cut: cut.map(name), errors, ...used,
      }}), "*");
    }});"""
    axe = browser.AXE.read_text(encoding="utf-8")
    return page.replace("</body>", f"<script>{axe}</script><script>{script}</script></body>")


def frames(path, widths):
    listed = "".join(
        f"<iframe style='width: {width}px; height: 900px; border: 0; color-scheme: {scheme}' "
        f"src='{path}'></iframe>"
        for width in widths
        for scheme in ("light", "dark")
    )
    return (
        f"<!DOCTYPE html>{listed}<pre></pre><script>const found = [];"
        "addEventListener('message', message => { found.push(message.data);"
        "document.querySelector('pre').textContent = `[${found.join()}]` })</script>"
    )


@pytest.fixture(scope="module")
def seen(model, row, table, tmp_path_factory):
    """Return what two pages of a server show in a browser, by page, width and colour scheme."""
    if (reason := browser.why_not()) is not None:
        pytest.skip(reason)
    app = make_app(model)
    good = as_base64(encode_image(table["poster"][0]))
    use = USE.replace("BAD", json.dumps(as_base64(b"no image"))).replace("GOOD", json.dumps(good))
    with open_client(app) as client:
        pages = {
            "form": instrument(client.get("/").text, use),
            "docs": instrument(client.get("/docs").text, "const used = {};"),
        }
    policies = {
        name: page_policy(page).replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        for name, page in pages.items()
    }

    def show(request):
        name = request.path_params["name"]
        return HTMLResponse(pages[name], headers={"Content-Security-Policy": policies[name]})

    def show_frames(request):
        return HTMLResponse(frames(f"/shown/{request.path_params['name']}", (390, 1600)))

    wrapper = Starlette(
        routes=[
            Route("/shown/{name}", show),
            Route("/frames/{name}", show_frames),
            Mount("/shown", make_app(model)),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(wrapper, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    folder = tmp_path_factory.mktemp("browser")
    found = {
        name: show_page(f"http://127.0.0.1:{port}/frames/{name}", folder / name) for name in pages
    }
    server.should_exit = True
    thread.join()
    return found


def show_page(address, profile):
    command = [
        browser.CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--window-size=1700,1000",
        "--virtual-time-budget=120000",
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    (received,) = re.findall("<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    listed = json.loads(html.unescape(received))
    found = {(one.pop("width"), one.pop("dark")): one for one in listed}
    assert set(found) == {(width, dark) for width in (390, 1600) for dark in (False, True)}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", ["form", "docs"])
def test_axe_finds_nothing_and_all_is_readable_at_two_widths_in_two_schemes(seen, page):
    for measured in seen[page].values():
        for problem in ("violations", "small", "outside", "errors"):
            assert measured[problem] == [], problem
        assert page == "docs" or measured["cut"] == []


@pytest.mark.slow
def test_a_user_sees_labels_scores_and_the_explanation(seen, client, row):
    answer = post(client, [row]).json()
    scores = answer["rows"][0]["scores"]
    explained = post(client, [row], "/explain").json()["rows"][0]["labels"]
    for measured in seen["form"].values():
        assert measured["refused"].startswith(
            "There is no prediction: poster: 8 bytes that are no image in the format PNG"
        )
        assert measured["said"] == "Done."
        assert measured["found"] == answer["rows"][0]["labels"]
        shown = measured["table"][0]
        assert [cells[0] for cells in shown] == sorted(scores, key=lambda label: -scores[label])
        by_label = {cells[0]: cells[1:4] for cells in shown}
        assert by_label["War"][1:] == ["never", "no"]
        assert by_label["Western"][1:] == ["always", "yes"]
        assert by_label["Drama"][:2] == [f"{scores['Drama']:.3f}", "0.500"]
        assert measured["heads"] == [f"{each['label']}: {each['score']:.3f}" for each in explained]
        assert measured["tables"] == 1 + len(explained)
        parts = measured["table"][1]
        wanted = [part["contribution"] for part in explained[0]["parts"]]
        np.testing.assert_allclose([float(cells[2]) for cells in parts], wanted, atol=0.0051)
        assert measured["shown"] == 9
        assert measured["cells"] == 36
        assert measured["map"].startswith(
            f"poster, regions for and against {explained[0]['label']}"
        )


def test_a_choice_keeps_its_spaces_and_null_is_none():
    encoder = CategoryEncoder("kind").fit(["a  'b'", None, "a  'b'", None, "c", "c"])
    (field,) = describe_fields([encoder]).values()
    page = Form(model_page("", {"kind": field}))
    assert [each["value"] for each in page.all("option")] == ["", "a  'b'", "c"]


def test_the_example_of_the_api_is_a_command_of_a_shell():
    fields = {name: Field(name, "category", choices=("it's",)) for name in ("<b>", "the 'x'")}
    page = api_page({"info": {"title": ""}, "paths": {}}, fields, ServingLimits())
    command = html.unescape(re.findall("<pre>(.*?)</pre>", page, re.DOTALL)[0])
    arguments = shlex.split(command.replace("\\\n", ""))
    (row,) = json.loads(arguments[arguments.index("-d") + 1])["rows"]
    assert row == dict.fromkeys(fields, "it's")


def test_a_column_may_be_named_like_a_method_of_a_form():
    """A field of that name replaces the method, so that the script calls none."""
    assert not re.search(r"\bform\.", SCRIPT)
