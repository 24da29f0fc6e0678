"""The report of a study: what it says, its file, and the page in a browser."""

import base64
import dataclasses
import hashlib
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.metrics import compare_scores
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
from multimodal_ensemble.reporting import GalleryRow, StudyResults, write_report
from multimodal_ensemble.reporting._study._jpeg_size import jpeg_size
from multimodal_ensemble.reporting._study._label_curves import rates_by_threshold
from multimodal_ensemble.reporting._study._line_chart import Chart, Curve, draw_charts
from multimodal_ensemble.reporting._study._parts import interval
from multimodal_ensemble.reporting._study._scale import make_scale
from multimodal_ensemble.reporting._study._tiny_png import shade_png
from multimodal_ensemble.saving import read_archive, write_archive
from tests.reporting import browser
from tests.reporting.page import Page

HOSTILE = "<b>x</b> & \"y\" 'z'"
LABELS = ["Crime", "Drama", "Night"]
STRENGTHS = {"tags": 1.0, "posters (A)": 0.9, "posters (B)": 0.9, "both": 2.5, "same": 0.0}
FAMILIES = {"posters (A)": "posters", "posters (B)": "posters", "both": "both", "same": "none"}
RNG = np.random.default_rng(0)
Y = RNG.random((60, 3)) < [0.5, 0.4, 0.2]
N_TEST = 40


def draw_scores(strength):
    """Return probabilities that are constant for a strength of 0."""
    log_odds = strength * (2 * Y[:N_TEST] - 1) + (strength > 0) * RNG.normal(0, 1, (N_TEST, 3))
    return 1 / (1 + np.exp(-log_odds))


SCORES = {model: draw_scores(strength) for model, strength in STRENGTHS.items()}
THRESHOLDS = {model: np.array([0.5, -np.inf, np.inf]) for model in STRENGTHS}


def compare(scores=SCORES, labels=LABELS, **options):
    split = ComparisonSplit(range(N_TEST), scores, {model: THRESHOLDS["tags"] for model in scores})
    return ComparisonResult.from_scores(Y, [split], labels=labels, **{"n_resamples": 40, **options})


def jpeg(size=(8, 12)):
    content = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(content, "JPEG")
    return content.getvalue()


def history(n=5):
    steps = np.arange(1, n + 1) * 10
    scores = np.linspace(0.6, 0.8, n)
    return pd.DataFrame(
        {"step": steps, "loss": 1 / steps, "mean_roc_auc": scores, "mean_accuracy": scores}
    )


def gallery(labels=LABELS):
    rows = [
        GalleryRow(
            f"Movie {row}",
            [label for label, is_true in zip(labels, Y[row], strict=True) if is_true],
            SCORES["both"][row],
            THRESHOLDS["both"],
            labels,
            tokens={"tags": {"heist": [1.5, 0.0, -0.01], "calm": [np.nan] * 3}},
            contributions={"tags": [0.5, -0.5, 0.01], "posters": [np.nan] * 3},
        )
        for row in range(6)
    ]
    shades = np.array([[0.0, 1.0], [-2.0, 0.5]])
    pictured = {"picture": jpeg(), "picture_map": shades, "map_label": labels[0]}
    return [dataclasses.replace(rows[0], **pictured), *rows[1:]]


IMPORTANCE = pd.DataFrame(
    [
        *(("", "full", label, np.nan, np.nan, np.nan) for label in [None, *LABELS]),
        *(
            (modality, case, label, -0.1, -0.2, -0.05)
            for modality in ["tags", "posters"]
            for case in ["missing", "alone", "shuffled"]
            for label in [None, *LABELS]
        ),
    ],
    columns=["modality", "case", "label", "difference", "difference_low", "difference_high"],
)
FULL = {
    "title": "Genres",
    "unit": "movies",
    "label_unit": "genres",
    "families": FAMILIES,
    "trivial": "same",
    "model": "both",
    "histories": {"tags": history(), "both": history()},
    "importance": IMPORTANCE,
    "learning_curve": pd.DataFrame(
        {
            "n_rows": [10, 20, 10, 20],
            "model": ["tags", "tags", "both", "both"],
            "score": [0.6, 0.7, 0.7, 0.8],
            "low": [0.5, 0.6, 0.6, np.nan],
            "high": [0.7, 0.8, 0.8, np.nan],
        }
    ),
    "label_tokens": pd.DataFrame({"label": LABELS, "token": "heist", "weight": 1.5}),
    "gallery": gallery(),
    "notes": ["Synthetic data."],
    "provenance": {"Data": "drawn at random", "Seed": "0"},
}


@pytest.fixture(scope="module")
def results():
    return StudyResults(compare(), **FULL)


@pytest.fixture(scope="module")
def path(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(results, path)
    return path


@pytest.fixture(scope="module")
def page(path):
    return Page(path.read_text(encoding="utf-8"))


def write(results, tmp_path):
    write_report(results, tmp_path / "report.html")
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def sentence_of(text):
    return re.sub(r"\s+", " ", text)


def test_the_page_has_all_sections_in_order(page):
    assert page.texts_of("h2") == [
        "Comparison of the models",
        "Genres, one by one",
        "Scores and thresholds",
        "Training",
        "More training rows",
        "What each modality contributes",
        "Tokens that mark the genres",
        "Test movies",
        "How it was made",
    ]
    assert page.texts_of("h1") == ["Genres"]


def test_a_page_of_a_comparison_alone_has_no_empty_sections(tmp_path):
    page = write(StudyResults(compare()), tmp_path)
    headings = ["Comparison of the models", "Labels, one by one", "Scores and thresholds"]
    assert page.texts_of("h2") == headings


def test_the_main_answer_is_first_and_then_the_difference_to_the_baseline(path, results):
    assert results.claims[0] == ("both", "tags")
    (row,) = (
        compare_scores(Y[:N_TEST], SCORES, n_resamples=40)
        .table.query("model == 'both'")
        .itertuples()
    )
    expected = (
        "<q>both</q> is better than <q>tags</q> by "
        f"<b>{row.difference:.3f} [{row.difference_low:.3f}, {row.difference_high:.3f}]</b> in "
        "mean ROC-AUC."
    )
    text = path.read_text(encoding="utf-8")
    assert text.count(expected) == 1
    second = max(["tags", "posters (A)", "posters (B)"], key=lambda m: mean_auc(results, m))
    (first,) = re.findall("<p class='first'>(.*?)</p>", text)
    score = f"{mean_auc(results, 'both'):.3f}"
    assert first.startswith(f"<q>both</q> has a mean ROC-AUC of <b>{score} [")
    assert "the highest of 5 models" in first
    assert f"<q>both</q> is better than <q>{second}</q> by <b>" in first
    assert text.count(f"better than <q>{second}</q>") == 1


def test_the_default_claims_are_the_baseline_the_next_of_the_family_and_other_families(results):
    assert {pair[0] for pair in results.claims} == {"both"}
    best_posters = max(["posters (A)", "posters (B)"], key=lambda m: mean_auc(results, m))
    assert [other for _, other in results.claims] == ["tags", best_posters]
    assert StudyResults(compare()).claims[0] == ("both", "tags")


def test_models_with_the_same_score_share_the_highest_one(tmp_path):
    scores = {"a": SCORES["both"], "b": SCORES["both"]}
    text = sentence_of(write(StudyResults(compare(scores)), tmp_path).text)
    assert "one of the highest values of 2 models. a against b is not resolved" in text


def test_a_bound_that_is_not_0_is_not_shown_as_0():
    assert interval(0.01, 0.0003, 0.02) == "0.0100 [0.0003, 0.0200]"
    assert interval(-0.01, -0.02, -0.00004, sign="+") == "-0.01000 [-0.02000, -0.00004]"
    assert interval(0.01, 0.0, 0.02) == "0.010 [0.000, 0.020]"


def test_metrics_and_terms_of_the_caller_are_explained(tmp_path):
    page = write(StudyResults(compare(), unit="movies", terms={HOSTILE: HOSTILE}), tmp_path)
    text = sentence_of(page.text)
    assert "mean ROC-AUC the chance that, of two movies" in text
    assert "mean accuracy the share of movies" in text
    assert text.count("<b>x</b>") == 2
    assert "they are not corrected for the number of comparisons" in text


def test_the_baseline_has_no_mark_that_looks_like_a_difference(path):
    text = path.read_text(encoding="utf-8")
    plot = text[text.index("Difference in mean ROC-AUC") :].partition("</ul>")[0]
    (line,) = [line for line in plot.split("<li>") if "baseline: 0." in line]
    assert "class='m " not in line


def test_of_two_modalities_a_change_is_shown_once(page, tmp_path):
    assert "without tags" in page.text
    assert "posters alone" not in page.text
    third = IMPORTANCE[IMPORTANCE["modality"] == "tags"].assign(modality="texts")
    full = StudyResults(compare(), model="both", importance=pd.concat([IMPORTANCE, third]))
    assert "posters alone" in write(full, tmp_path).text


def test_a_score_just_below_its_threshold_does_not_look_equal(tmp_path):
    row = GalleryRow("a", [], [0.4996, 0.2, 0.3], [0.5, 0.2, np.inf], LABELS)
    page = write(StudyResults(compare(), model="both", gallery=[row]), tmp_path)
    assert {"0.4996", "0.5000", "0.20"} <= set(page.texts_of("td"))


def test_the_most_confident_mistakes_are_listed_with_links(page, path):
    predicted = SCORES["both"][:6] >= THRESHOLDS["both"]
    confidence = np.where(predicted, SCORES["both"][:6], 1 - SCORES["both"][:6])
    wrong = np.argwhere(predicted != Y[:6])
    order = sorted(wrong.tolist(), key=lambda place: -confidence[tuple(place)])[:5]
    text = path.read_text(encoding="utf-8")
    listed = text[text.index("The most confident mistakes") :].partition("</ul>")[0]
    found = re.findall(r"<a href='#row-(\d)'>Movie (\d)</a>: (\w+) is (\w+)", listed)
    assert found == [
        (str(row), str(row), LABELS[c], "predicted" if predicted[row, c] else "true")
        for row, c in order
    ]
    assert f"{len(order)} of {len(wrong)} wrong answers" in page.text
    assert {f"row-{row}" for row, _ in order} <= {card["id"] for card in page.all("article")}


def test_a_gallery_without_mistakes_lists_none(tmp_path):
    row = GalleryRow("a", [], [0.1, 0.2, 0.3], [0.5, 0.5, 0.5], LABELS)
    page = write(StudyResults(compare(), model="both", gallery=[row]), tmp_path)
    assert "mistakes" not in page.text


def test_undefined_scores_of_a_learning_curve_are_named(tmp_path):
    curve = FULL["learning_curve"].assign(score=[np.nan, 0.7, 0.7, 0.8])
    page = write(StudyResults(compare(), learning_curve=curve), tmp_path)
    assert {"undefined", "0.700 [0.600, 0.800]", "0.800"} <= set(page.texts_of("td"))


def test_the_direction_of_a_token_is_written(page):
    assert set(page.texts_of("small")) == {"+1.5 Crime"}


def mean_auc(results, model):
    table = results.comparison.table
    return table.query("metric == 'mean_roc_auc' and model == @model")["score"].item()


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("posters (A)", "posters (B)"), "is not resolved in mean ROC-AUC:"),
        (("tags", "both"), "both is better than tags by"),
    ],
)
def test_claims_name_the_better_model_or_say_that_none_is_resolved(pair, expected, tmp_path):
    page = write(StudyResults(compare(), claims=[pair]), tmp_path)
    assert expected in sentence_of(page.text)


def test_a_single_model_has_its_score_as_the_answer(tmp_path):
    page = write(StudyResults(compare({"tags": SCORES["tags"]})), tmp_path)
    assert "tags has a mean ROC-AUC of 0." in sentence_of(page.text)


def test_chance_and_the_trivial_model_are_marked_and_do_not_stretch_the_axis(path):
    text = path.read_text(encoding="utf-8")
    plot = text[text.index("Difference in mean ROC-AUC") :].partition("</ul>")[0]
    names = re.findall(r"<span class='name'>(.*?)</span>", plot)
    assert names[-2:] == ["same \N{EN DASH} trivial benchmark", "chance"]
    assert plot.count("class='arrow'") == 2
    assert "that is 0.5" in plot


def test_a_trivial_model_that_says_so_is_not_called_trivial_twice(tmp_path):
    scores = {"tags": SCORES["tags"], "trivial (no scores)": SCORES["same"]}
    page = write(StudyResults(compare(scores), trivial="trivial (no scores)"), tmp_path)
    assert "trivial (no scores)" in page.texts_of("span")
    assert "trivial benchmark" not in page.text


def test_scores_of_repeats_have_a_table_of_their_own(tmp_path):
    splits = [
        ComparisonSplit(range(N_TEST), {"a": y_score}, {"a": 0.5}, repeat)
        for repeat, y_score in enumerate((SCORES["both"], SCORES["tags"]))
    ]
    comparison = ComparisonResult.from_scores(Y, splits, labels=LABELS, n_resamples=5)
    page = write(StudyResults(comparison), tmp_path)
    assert page.texts_of("th").count("mean ROC-AUC") == 2
    assert "Standard deviation of the scores over repeats." in page.texts_of("caption")
    spread = comparison.table.query("metric == 'mean_roc_auc'")["sd_repeats"].item()
    assert f"{spread:.3f}" in page.texts_of("td")
    single = write(StudyResults(compare({"a": SCORES["tags"]})), tmp_path)
    assert "Standard deviation" not in single.text


def test_infinite_thresholds_are_named_and_explained(page):
    assert {"never", "always"} <= set(page.texts_of("td"))
    assert "Never: no threshold gave better results than not predicting" in sentence_of(page.text)
    assert "inf" not in page.text.split()


def test_the_threshold_in_use_is_written_on_top_of_the_curves(path):
    charts = re.findall(
        "<svg role='img' aria-label='Accuracy.*?in use.*?<div", path.read_text("utf-8")
    )
    shown = [chart for chart in charts if "<text class='on'" in chart]
    assert shown
    assert all(chart.rindex("<path") < chart.index("<text class='on'") for chart in shown)


def test_the_importance_says_whose_it_is(page):
    text = sentence_of(page.text)
    assert "How the score of “both” changes if it receives a modality of other movies" in text
    assert "or does not receive it, which leaves it the other one alone." in text
    assert "tags of other movies" in page.texts_of("span")
    assert "Mean over genres" in page.texts_of("h3")


def test_many_labels_are_rows_where_there_are_fewer_models(tmp_path):
    names = [f"label {number}" for number in range(9)]
    y_true = RNG.random((30, 9)) < 0.5
    splits = [ComparisonSplit(range(30), {"a": RNG.random((30, 9))}, {"a": 0.5})]
    comparison = ComparisonResult.from_scores(y_true, splits, labels=names, n_resamples=5)
    page = write(StudyResults(comparison), tmp_path)
    assert page.texts_of("th").count("label 8") == 2
    assert "label" in page.texts_of("th")


def test_scores_that_are_no_probabilities_have_no_reliability_curve(tmp_path):
    page = write(StudyResults(compare({"tags": 3 * SCORES["tags"]})), tmp_path)
    assert "are no probabilities" in page.text


def test_labels_of_one_class_and_equal_models_are_undefined_or_not_resolved(tmp_path):
    same = np.full((5, 3), 0.5)
    splits = [ComparisonSplit(range(5), {"a": same, "b": same}, {"a": np.inf, "b": np.inf})]
    for y_true in (np.zeros((5, 3)), np.eye(5, 3)):
        comparison = ComparisonResult.from_scores(y_true, splits, labels=LABELS, n_resamples=3)
        page = write(StudyResults(comparison), tmp_path)
        assert "a against b is not resolved" in sentence_of(page.text)
        assert "nan" not in page.text
    assert "not resolved in mean ROC-AUC: 0.000 [0.000, 0.000]" in sentence_of(page.text)


def test_without_scripts_everything_is_shown_and_nothing_promises_more(path):
    text = path.read_text(encoding="utf-8").partition("<script>")[0]
    page = Page(text + "</body></html>")
    assert len(page.all("article")) == 6
    assert not page.all("button")
    hidden = [attributes for _, attributes in page.elements if "hidden" in attributes]
    assert [attributes["class"] for attributes in hidden] == ["filters"]


def test_all_texts_are_escaped(tmp_path):
    labels = [HOSTILE, "b", "c"]
    importance = IMPORTANCE.replace({"modality": {"tags": HOSTILE}, "label": {"Crime": HOSTILE}})
    rows = [
        dataclasses.replace(
            row,
            title=HOSTILE,
            tokens={HOSTILE: {HOSTILE: [1.0, 0.0, 0.0]}},
            contributions={HOSTILE: [1.0, 0.0, 0.0]},
        )
        for row in gallery(labels)
    ]
    scores = {HOSTILE: SCORES["both"], "tags": SCORES["tags"]}
    given = {
        **dict.fromkeys(["title", "unit", "label_unit"], HOSTILE),
        "families": {HOSTILE: HOSTILE},
        "model": HOSTILE,
        "histories": {HOSTILE: history()},
        "importance": importance,
        "learning_curve": FULL["learning_curve"].replace({"model": {"both": HOSTILE}}),
        "label_tokens": FULL["label_tokens"].assign(label=HOSTILE, token=HOSTILE),
        "gallery": rows,
        "notes": [HOSTILE],
        "provenance": {HOSTILE: HOSTILE},
    }
    page = write(StudyResults(compare(scores, labels), **given), tmp_path)
    assert "<b>x</b>" in page.text
    assert "x" not in page.texts_of("b")
    assert len(page.all("script")) == 1


def test_only_the_script_of_the_page_may_run_and_nothing_is_loaded(path):
    text = path.read_text(encoding="utf-8")
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f"default-src 'none'; {allowed}" in text
    targets = [
        value
        for _, attributes in Page(text).elements
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert targets
    assert all(target.startswith(("#", "data:")) for target in targets)


def test_names_of_regions_and_identifiers_are_distinct(page):
    regions = [div["aria-label"] for div in page.all("div") if div.get("role") == "region"]
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(regions)) == len(regions) > 5
    assert len(set(identifiers)) == len(identifiers) > 5


def test_the_gallery_shows_answers_scores_thresholds_and_contributions(page):
    (first, *_) = [attributes for tag, attributes in page.elements if tag == "article"]
    predicted = SCORES["both"][0] >= THRESHOLDS["both"]
    codes = {(True, True): "c", (False, True): "f", (True, False): "m", (False, False): "n"}
    expected = [codes[pair] for pair in zip(Y[0].tolist(), predicted.tolist(), strict=True)]
    assert first["data-k"] == "".join(expected)
    confidence = np.where(predicted, SCORES["both"][0], 1 - SCORES["both"][0])
    np.testing.assert_allclose([float(c) for c in first["data-c"].split()], confidence, rtol=0.01)
    assert "missing" in page.texts_of("td")
    predicted = [bool(row[0] >= 0.5) for row in SCORES["both"][:6]]
    why = sum(predicted) * ["Why "] + sum(Y[:6, 0] > predicted) * ["Why not "]
    found = re.findall(
        r"(Why(?: not)?) Crime \? tags \+0\.5 \(heist \+1\.5\)", sentence_of(page.text)
    )
    assert sorted(found) == sorted(text.strip() for text in why)


def test_reasons_add_up_to_the_log_odds_of_the_score(page):
    sums = re.findall(
        r"\? ([^?]*?); start ([+-]?[\d.]+): in all ([+-]?[\d.]+); needed ([+-]?[\d.]+)",
        sentence_of(page.text),
    )
    assert len(sums) >= 2
    for reasons, start, whole, needed in sums:
        parts = re.findall(r"(?:^|; )[^;(]*? ([+-]?[\d.]+)(?: \(|;|$)", reasons)
        added = float(start) + sum(map(float, parts))
        # Each figure is rounded to one decimal place.
        assert added == pytest.approx(float(whole), abs=0.05 * (len(parts) + 2) + 1e-9)
        assert float(needed) == 0


def test_results_are_saved_and_loaded_without_a_difference(results, path, tmp_path):
    results.save(tmp_path / "results.bin")
    loaded = StudyResults.load(tmp_path / "results.bin")
    write_report(loaded, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()
    loaded.save(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == (tmp_path / "results.bin").read_bytes()
    assert "Genres" in repr(loaded)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("comparison"),
        lambda state: state.update(trivial="nobody"),
        lambda state: state["gallery"].append({"dict": {}}),
        lambda state: state.update(importance={"dict": {"modality": ["tags"]}}),
        lambda state: state.update(unknown=1),
    ],
)
def test_a_damaged_file_is_refused(change, results, tmp_path):
    file = tmp_path / "results.bin"
    results.save(file)
    document, arrays = read_archive(
        file, format_name="multimodal_ensemble study results", max_version=1
    )
    with arrays:
        contents = {name: arrays[name] for name in arrays}
    change(document["results"]["dict"])
    write_archive(file, document, contents)
    with pytest.raises(ArtefactError, match="its parts do not fit together"):
        StudyResults.load(file)


def test_a_file_of_another_kind_is_refused(tmp_path):
    compare().save(tmp_path / "comparison.bin")
    with pytest.raises(ArtefactError, match="does not have the format"):
        StudyResults.load(tmp_path / "comparison.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"comparison": None}, "comparison must be a ComparisonResult.* Received NoneType"),
        ({"families": {"nobody": "x"}}, "families must name models .* Received .*nobody"),
        ({"families": ["tags"]}, "families must be a mapping, by name. Received list"),
        ({"histories": [history()]}, "histories must be a mapping"),
        ({"provenance": None}, "provenance must be a mapping, by name. Received NoneType"),
        ({"notes": "Random weights."}, "notes must be a sequence. Received 'Random weights.'"),
        ({"claims": None}, "claims must be a sequence. Received None"),
        ({"trivial": "nobody"}, "trivial must name models"),
        ({"model": "nobody"}, "model must name models"),
        ({"claims": [("tags", "nobody")]}, "claims must name models"),
        ({"claims": [("tags", "tags")]}, "pairs of two different models"),
        ({"claims": [("tags",)]}, "pairs of two different models"),
        ({"histories": {"tags": history().drop(columns="loss")}}, r"histories\['tags'\] .*'loss'"),
        ({"importance": IMPORTANCE[:0]}, "importance must be .* without rows"),
        (
            {"importance": pd.concat([IMPORTANCE, IMPORTANCE[:1]])},
            "one row per modality, case and label. Received 1 more",
        ),
        ({"learning_curve": [1]}, "learning_curve must be a DataFrame"),
        (
            {"label_tokens": pd.DataFrame({"label": ["a"], "token": ["b"], "weight": ["c"]})},
            r"numbers in the columns \['weight'\]",
        ),
        ({"gallery": ["row"]}, "GalleryRow objects. Received str at position 0"),
    ],
)
def test_wrong_results_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        StudyResults(**{"comparison": compare(n_resamples=1), "model": "both", **change})


@pytest.mark.parametrize("given", [{"importance": IMPORTANCE}, {"gallery": gallery()}])
def test_what_belongs_to_one_model_needs_its_name(given):
    (name,) = given
    with pytest.raises(ValueError, match=rf"model that {name} belong to, .*'tags'.* model=None"):
        StudyResults(compare(n_resamples=1), **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["Horror"]}, r"labels of gallery\[0\] .* Received .*Horror"),
        ({"classes": ["Crime", "Drama"]}, r"classes of gallery\[0\] must be the labels"),
        ({"y_score": [0.1, 0.2]}, "must have 3 numbers, one per label"),
        ({"y_score": [0.1, 0.2, 2.0]}, "probabilities, from 0 to 1"),
        ({"y_score": [0.1, 0.2, np.nan]}, "probabilities, from 0 to 1"),
        ({"thresholds": [0.5, 0.5, np.nan]}, "must not be NaN"),
        ({"tokens": {"tags": {"heist": ["a", "b", "c"]}}}, r"tokens\['tags'\] of gallery\[0\]"),
        ({"contributions": {"tags": 1.0}}, r"contributions\['tags'\]"),
        ({"picture": b"GIF"}, "JPEG file of at most .* Received something else"),
        ({"picture": jpeg() + bytes(70_000)}, r"Received 70,\d{3} bytes"),
        ({"picture": b"\xff\xd8\xff" + bytes(70)}, "Received something else"),
        ({"picture": b"\xff\xd8"}, "Received something else"),
        ({"picture_map": np.zeros(3)}, r"shape \(height, width\)"),
        ({"picture_map": np.zeros((65, 2))}, "from 1 to 64"),
        ({"picture_map": np.full((2, 2), np.nan)}, "picture_map of .* must be finite"),
        ({"map_label": "Horror"}, "map_label='Horror'"),
        ({"picture": None}, "the row must have a picture"),
    ],
)
def test_wrong_rows_of_the_gallery_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        StudyResults(
            compare(n_resamples=1),
            model="both",
            gallery=[dataclasses.replace(gallery()[0], **change)],
        )


def test_labels_of_the_gallery_are_paired_by_name():
    row = GalleryRow("a", [], [0.1, 0.2, 0.3], [0.5, 0.6, np.inf], LABELS[::-1])
    results = StudyResults(compare(n_resamples=1), model="both", gallery=[row])
    assert results.gallery[0].y_score.tolist() == [0.3, 0.2, 0.1]
    assert results.gallery[0].thresholds.tolist() == [np.inf, 0.6, 0.5]
    assert results.gallery[0].classes == tuple(LABELS)


def test_only_study_results_are_reported(tmp_path):
    with pytest.raises(TypeError, match=r"must be a StudyResults\. Received .*ComparisonResult"):
        write_report(compare(), tmp_path / "report.html")


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [-0.0712, 0.1093], [3.0, 3.0], [np.nan], [17, 96_412], [1e-7, 2e-7]]
)
def test_an_axis_covers_its_values_with_few_round_ticks(values):
    scale = make_scale(values)
    defined = [value for value in values if np.isfinite(value)]
    assert all(scale.low <= value <= scale.high for value in defined)
    assert 2 <= len(scale.ticks) <= 8
    assert (scale.place(scale.low), scale.place(scale.high)) == (0, 100)
    assert len({scale.text(tick) for tick in scale.ticks}) == len(scale.ticks)


def test_letters_that_would_overlap_are_moved_apart():
    x, scale = np.array([0.0, 1.0]), make_scale([0.0, 1.0], reversed=True)
    curves = [Curve(x, np.array([0.5, 0.9]), letter) for letter in "ABC"]
    (drawn,) = [draw_charts([Chart("", make_scale(x), scale, curves, "x", "x")])]
    places = [float(y) for y in re.findall("class='letter' x='100.0%' y='(.*?)%'", drawn)]
    assert len(places) == 3
    assert np.diff(places).min() >= 7


def test_rates_by_threshold_equal_those_of_scikit_learn():
    positive, y_score = Y[:, 0], RNG.integers(0, 8, len(Y)) / 8
    rates = rates_by_threshold(positive, y_score)
    assert rates["threshold"].tolist() == sorted(set(y_score))
    for row in rates.itertuples():
        predicted = y_score >= row.threshold
        assert row.accuracy == pytest.approx(accuracy_score(positive, predicted))
        assert row.precision == pytest.approx(precision_score(positive, predicted))
        assert row.recall == pytest.approx(recall_score(positive, predicted))
        assert row.F1 == pytest.approx(f1_score(positive, predicted))
    none = rates_by_threshold(np.zeros(3, dtype=bool), np.array([0.1, 0.2, 0.3]))
    assert none[["recall", "F1"]].isna().all(axis=None)


@pytest.mark.parametrize("progressive", [False, True])
def test_the_size_of_a_jpeg_file_is_read(progressive):
    content = io.BytesIO()
    Image.new("RGB", (31, 17)).save(content, "JPEG", progressive=progressive, comment="x" * 99)
    assert jpeg_size(content.getvalue()) == (31, 17)


def test_shades_are_png_files_that_pillow_reads():
    opacity = RNG.random((3, 5))
    image = Image.open(io.BytesIO(shade_png(opacity)))
    assert image.mode == "LA"
    pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[..., 1], np.round(255 * opacity))
    # Black would hide the clear parts of a dark picture.
    assert set(pixels[..., 0].ravel()) == {128}


# What a user of the keyboard sees: the names of models after the second and third button of the
# table of scores are pressed, and the titles of the gallery after a choice in each list.
USE = """(() => {
  const table = document.querySelector("table.sortable");
  const names = () => [...table.tBodies[0].rows].map(row => row.cells[0].textContent.trim());
  const sorts = () => [...table.querySelectorAll("th")].map(head => head.getAttribute("aria-sort"));
  const buttons = table.querySelectorAll("thead button");
  const sorted = [1, 1, 0].map(place => (buttons[place].click(), [names(), sorts()]));
  const lists = [...document.querySelectorAll(".filters select")];
  const titles = () => [...document.querySelectorAll(".gallery article")]
    .filter(card => !card.hidden).map(card => card.querySelector("h3").textContent);
  const chosen = [["", "", "most"], ["0", "fm", ""], ["1", "", "least"], ["2", "c", ""]];
  const filtered = chosen.map(values => {
    lists.forEach((list, place) => {
      list.value = values[place];
      list.dispatchEvent(new Event("change"));
    });
    return [titles(), document.getElementById("shown").textContent];
  });
  return {sorted, filtered};
})()"""


@pytest.fixture(scope="module")
def seen(path, tmp_path_factory):
    if (reason := browser.why_not()) is not None:
        pytest.skip(reason)
    return browser.check_page(path, tmp_path_factory.mktemp("browser"), then=USE)


@pytest.mark.slow
def test_axe_finds_nothing_and_all_is_readable_at_two_widths_in_two_schemes(seen):
    clean = {"violations": [], "small": [], "outside": [], "cut": []}
    for found in seen.values():
        assert {name: found[name] for name in clean} == clean


@pytest.mark.slow
def test_tables_are_sorted_by_the_buttons_of_their_columns(seen, results):
    (descending, down), (ascending, up), (by_name, named) = seen[390, False]["sorted"]
    scores = [mean_auc(results, name.partition(" \N{EN DASH}")[0]) for name in descending]
    assert scores == sorted(scores, reverse=True)
    assert ascending == descending[::-1]
    assert by_name == sorted(by_name)
    assert [down[1], up[1], named[:2]] == ["descending", "ascending", ["ascending", None]]


@pytest.mark.slow
def test_the_gallery_is_filtered_and_sorted(seen):
    true, scores = Y[:6], SCORES["both"][:6]
    predicted = scores >= THRESHOLDS["both"]
    confidence = np.where(predicted, scores, 1 - scores)
    titles = np.array([f"Movie {row}" for row in range(6)])
    answers = [answer for answer, _ in seen[390, False]["filtered"]]
    # Labels that are neither true nor predicted count only where their label is chosen.
    shown = np.where(true | predicted, confidence, -1).max(axis=1)
    assert answers[0] == titles[np.argsort(-shown)].tolist()
    assert answers[1] == titles[true[:, 0] != predicted[:, 0]].tolist()
    assert answers[2] == titles[np.argsort(confidence[:, 1])].tolist()
    assert answers[3] == titles[true[:, 2] & predicted[:, 2]].tolist()
    status = seen[390, False]["filtered"][1][1]
    assert status == f"{len(answers[1])} of 6 shown"
