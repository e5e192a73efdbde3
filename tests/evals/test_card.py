"""The report card: one page that tells all, asks for nothing and trusts no data."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright

from assistant.errors import SettingsError
from assistant.intake.png import png
from evals.card.render import render_card
from evals.plot_data import bar_plot, histogram_plot, reliability_plot, risk_coverage_plot
from evals.results import SCHEMA, FigureTable, figure_of, format_value, judge_bars
from evals.results_file import read_results, write_results

CHROMIUM = Path("/usr/bin/chromium")
VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&amp;"
FILM = "data:image/png;base64," + base64.b64encode(png(np.eye(8, dtype=np.float32))).decode()


class Outline(HTMLParser):
    """Tags with their attributes and the text, and what is not closed as it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def results_of(figures: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"backbone": "toy", "seed": 3, "data": "24 phantoms", "time": "2026-01-02T03:04:05"}
    made = {"schema": SCHEMA, "suite": "mini", "figures": figures, "provenance": about}
    return made | more


def full_results() -> dict[str, Any]:
    tally, rng = FigureTable(), np.random.default_rng(0)
    people = [str(i // 2) for i in range(60)]
    for finding in ("nodule", "pleural effusion", "mass"):
        tally.add(f"report/{finding}, F1", rng.integers(0, 2, (60, 3)), people, "f1")
    tally.add("report/hit, recall", rng.integers(0, 2, (60, 3)), people, "recall", bar=0.2)
    held, verdicts = judge_bars(tally.figures, {})
    held["speed/one draft, median seconds"] = figure_of(1.25, 9, (1.1, 1.4), bar=2.0)
    held["painting/read back"] = figure_of(None, 0, unscored=41)
    held["painting/gain over the base"] = figure_of(-0.031, 17, (-0.1, 0.04), bar=0.0)
    verdicts["speed/one draft, median seconds"] = {"sense": "at most", "limit": 2.0, "met": True}
    verdicts["painting/read back"] = {"sense": "at least", "limit": 0.9, "met": None}
    verdicts["painting/gain over the base"] = {"sense": "at least", "limit": 0.0, "met": False}
    risks = rng.random(300)
    plots = {
        "risk/reliability": reliability_plot(risks, rng.random(300) < risks),
        "risk/coverage": risk_coverage_plot(risks, rng.random(300) < risks),
        "shift/sites": bar_plot(
            "Sites", "F1", {"A": held["report/mass, F1"], "B": figure_of(None, 0)}
        ),
        "risk/unknown": {"kind": "hologram", "title": "A hologram"},
    }
    cases = [{"prompt": f"painting {i}", "picture": FILM, "nearest": FILM} for i in range(15)]
    cases += [
        {
            "case": i,
            "reference": f"Reference {i}. A small nodule.",
            "draft": f"Draft {i}. A large effusion.",
            "sentences": [
                {"text": f"Draft {i}.", "risk": 0.07, "verdict": "supported"},
                {"text": "A large effusion.", "risk": 0.83, "verdict": "contradicted"},
            ],
            "omissions": ["small nodule"],
            "fabrications": [["effusion", "right"], "large"],
            "composite": i / 20,
        }
        for i in range(20)
    ]
    notes = {"report/RadGraph-F1": "unavailable: no weights", "speed/one draft": "on two cores"}
    return results_of(held, bars=verdicts, plots=plots, cases=cases, notes=notes)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return full_results()


@pytest.fixture(scope="module")
def outline(results) -> Outline:
    return Outline(render_card(results))


def test_page_is_well_formed_and_loads_nothing(outline):
    assert outline.faults == []
    assert not outline.all("script")
    assert not outline.all("link")
    assert all(
        (img["src"] or "").startswith("data:image/png;base64,") for img in outline.all("img")
    )
    assert all((a["href"] or "").startswith("#") for a in outline.all("a"))
    for _, attributes in outline.tags:
        told = " ".join(f"{key}={value}" for key, value in attributes.items())
        assert "http:" not in told
        assert "https:" not in told
        assert not any(key.startswith("on") for key in attributes)
    policy = next(m["content"] for m in outline.all("meta") if "http-equiv" in m)
    assert (policy or "").startswith("default-src 'none'")


def test_style_loads_nothing(results):
    style = render_card(results).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_every_number_of_every_figure_is_on_the_page(results, outline):
    for found in results["figures"].values():
        for key in ("value", "ci_low", "ci_high"):
            assert found[key] is None or format_value(found[key]) in outline.text
        assert str(found["n"]) in outline.text
        assert str(found["unscored"]) in outline.text


def test_what_was_not_scored_is_told_as_such_and_has_no_drawing():
    page = Outline(render_card(results_of({"part/missing": figure_of(None, 0, unscored=5)})))
    assert "not scored" in page.text
    assert "0.000" not in page.text
    assert not any(svg.get("class") == "whisker" for svg in page.all("svg"))


def test_bars_are_counted_and_the_missed_come_first(outline):
    for told in ("1 met", "1 missed", "1 not scored"):
        assert told in outline.text
    order = [a.get("class") for a in outline.all("span") if "verdict" in (a.get("class") or "")]
    assert order[:3] == ["verdict missed", "verdict not-scored", "verdict met"]


def test_a_bar_without_its_figure_is_not_scored():
    verdicts = {"part/gone": {"sense": "at least", "limit": 0.5, "met": None}}
    page = Outline(render_card(results_of({}, bars=verdicts)))
    assert "part/gone" in page.text
    assert "not scored" in page.text


def test_plots_have_a_name_and_say_in_words_what_they_show(outline):
    drawn = [svg for svg in outline.all("svg") if svg.get("role") == "img"]
    assert len(drawn) == 5  # risk twice, sites, the findings, how the scores spread
    assert all(len(svg["aria-label"] or "") > 20 for svg in drawn)
    assert len(outline.all("desc")) == len(drawn)
    assert "A hologram" in outline.text
    assert "Nothing to draw" in outline.text


def test_a_plot_stands_with_the_part_it_names():
    figures = {"gate/refused": figure_of(0.5, 9), "shift/site A, F1": figure_of(0.5, 9)}
    plot = bar_plot("From site to site", "F1", {"A": figures["shift/site A, F1"]})
    for key in ("shift", "shift/sites"):
        page = Outline(render_card(results_of(figures, suite="all", plots={key: plot}))).text
        assert page.index("Shift\n") < page.index("From site to site")
        assert "All\n" not in page


def test_what_is_not_recorded_is_told_as_such(outline):
    assert "Data hash" in outline.text
    assert "not recorded" in outline.text
    assert "wetread eval mini --backbone toy --seed 3" in outline.text


def test_the_recorded_command_is_the_one_told():
    made = results_of({})
    made["provenance"]["command"] = "wetread eval mini --n 7"
    page = Outline(render_card(made)).text
    assert "wetread eval mini --n 7" in page
    assert "The command was not recorded" not in page


def test_twelve_paintings_and_the_eight_reports_at_the_ends_are_shown(outline):
    assert len(outline.all("img")) == 24
    assert "12 of 15" in outline.text
    shown_cases = [i for i in range(20) if f"Reference {i}." in outline.text]
    assert shown_cases == [0, 1, 2, 3, 16, 17, 18, 19]
    assert outline.text.index("Reference 19.") < outline.text.index("Reference 0.")


def test_errors_are_marked_in_the_draft_and_in_the_reference(results):
    page = render_card(results)
    assert "<mark>small nodule</mark>" in page
    assert '<span class="wrong">A <mark>large</mark> effusion.</span>' in page
    assert "<b>contradicted</b> risk 83%" in page
    assert "effusion right; large" in page


def test_hostile_words_stay_words_wherever_they_stand():
    found = figure_of(0.5, 10, (0.4, 0.6), bar=0.3)
    case = {"reference": HOSTILE, "draft": HOSTILE, "composite": 0.5, "omissions": ["script"]}
    said = [{"text": HOSTILE, "verdict": HOSTILE, "risk": 0.5}]
    made = results_of(
        {f"{HOSTILE}/{HOSTILE}, F1": found, f"{HOSTILE}/b, F1": found},
        suite=HOSTILE,
        bars={f"{HOSTILE}/b, F1": {"sense": HOSTILE, "limit": 0.3, "met": True}},
        notes={HOSTILE: HOSTILE},
        plots={HOSTILE: histogram_plot([1, 2, 2], title=HOSTILE, unit=HOSTILE)},
        cases=[
            {**case, "sentences": said, "fabrications": [HOSTILE], "case": HOSTILE},
            {"prompt": HOSTILE, "picture": FILM, "nearest": f'{FILM}" onload="alert(3)'},
        ],
        provenance={"backbone": HOSTILE, HOSTILE: [HOSTILE], "command": HOSTILE},
    )
    page = Outline(render_card(made))
    assert page.faults == []
    assert not page.all("script")
    assert [img["src"] for img in page.all("img")] == [FILM]
    assert not any(key.startswith("on") for _, told in page.tags for key in told)
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize(
    "picture",
    [
        "https://example.org/film.png",
        "film.png",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,iVBORw0KGgoAAAA=",
        "data:image/png;base64,PHN2Zz4=",
        17,
    ],
)
def test_only_a_png_in_the_page_is_shown(picture):
    cases = [{"prompt": "x", "picture": picture, "nearest": FILM}, {"picture": picture}]
    page = Outline(render_card(results_of({}, cases=cases)))
    assert [img["src"] for img in page.all("img")] == [FILM]


def test_the_same_results_give_the_same_page(results):
    assert render_card(results) == render_card(full_results())


def test_a_card_with_twelve_films_is_small(results):
    assert len(render_card(results).encode()) < 200_000  # the films of these tests weigh nothing


NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda v: float(f"{v:.6g}")))


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=30), st.tuples(NUMBERS, NUMBERS, NUMBERS)))
def test_any_figures_make_a_whole_page(values):
    figures = {name: figure_of(v, 5, (v, high), bar=bar) for name, (v, high, bar) in values.items()}
    page = Outline(render_card(results_of(figures)))
    assert page.faults == []
    assert all(v is None or format_value(v) in page.text for v, _, _ in values.values())


# What plots show.


def test_reliability_puts_each_sentence_into_its_bin():
    plot = reliability_plot([0.05, 0.05, 0.95, 1.0, None], [False, True, True, True, True], bins=10)
    low, high = plot["bins"]
    assert (low["risk"], low["false"], low["n"]) == (0.05, 0.5, 2)
    assert (high["risk"], high["false"], high["n"]) == (0.975, 1.0, 2)
    assert low["ci_low"] < 0.5 < low["ci_high"]
    assert high["ci_low"] == pytest.approx(0.342, abs=0.001)  # Wilson's, by hand, of 2 of 2
    assert plot["unscored"] == 1


def test_risk_coverage_keeps_the_least_risky_first_and_ties_together():
    plot = risk_coverage_plot([0.1, 0.5, 0.5, 0.9], [False, True, False, True])
    assert plot["points"] == [[0.25, 0.0], [0.75, 0.333333], [1.0, 0.5]]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=400))
def test_risk_coverage_ends_at_the_rate_of_all_and_stays_small(pairs):
    risks, false = zip(*pairs, strict=True)
    points = risk_coverage_plot(risks, false)["points"]
    assert points[-1] == [1.0, float(f"{np.mean(false):.6g}")]
    assert len(points) <= 200
    assert points == sorted(points, key=lambda point: point[0])


@given(st.lists(st.one_of(st.none(), st.floats(-5, 5)), max_size=50), st.integers(1, 12))
@example([-5.0, -4.999999999999999], 3)
def test_histogram_counts_every_value_once(values, bins):
    plot = histogram_plot(values, bins)
    assert sum(plot["counts"]) + plot["unscored"] == len(values)
    assert len(plot["edges"]) == len(plot["counts"]) + 1


def test_arrays_that_do_not_fit_are_refused():
    for wrong in (
        lambda: reliability_plot([0.1, 0.2], [True]),
        lambda: reliability_plot([1.7], [True]),
        lambda: risk_coverage_plot([[0.1]], [[True]]),  # type: ignore[list-item]
        lambda: histogram_plot([1.0], 0),
        lambda: histogram_plot([1.0], [3, 1]),
    ):
        with pytest.raises(SettingsError):
            wrong()


# On disk.


def test_results_come_back_as_they_were_written(results, tmp_path):
    path = write_results(results, tmp_path / "run")
    assert path.read_text(encoding="utf-8") == render_card(results)
    assert read_results(tmp_path / "run") == results
    assert read_results(tmp_path / "run" / "results.json") == results
    assert sorted(p.name for p in path.parent.iterdir()) == ["card.html", "results.json"]


def test_a_number_that_is_not_finite_is_written_as_null(tmp_path):
    write_results(results_of({}, cases=[{"composite": float("nan")}]), tmp_path)
    assert "NaN" not in (tmp_path / "results.json").read_text(encoding="utf-8")
    assert read_results(tmp_path)["cases"] == [{"composite": None}]


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_results(results_of({}), tmp_path / "file" / "inside")


WHOLE = figure_of(0.5, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("\x00\xff", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no results file"),
        ('{"figures": {}}', "is no results file"),
        ('{"schema": "wetread.results/99"}', "measure again"),
        (json.dumps({"schema": SCHEMA}), "damaged"),
        (json.dumps(results_of([])), "damaged"),  # type: ignore[arg-type]
        (json.dumps(results_of({"a": {"value": 1}})), "is not whole"),
        (json.dumps(results_of({"a": WHOLE | {"value": "1"}})), "no number"),
        (json.dumps(results_of({"a": WHOLE | {"n": None}})), "not counted"),
        (json.dumps(results_of({}, cases=[7])), "a case"),
        (json.dumps(results_of({}, plots={"a": []})), "plots"),
        (
            json.dumps(
                results_of(
                    {}, counts={"a": {"statistic": "f1", "patients": ["1"], "rows": [[1], [2]]}}
                )
            ),
            "counts",
        ),
    ],
)
def test_what_is_no_results_file_is_refused_in_one_sentence(text, words, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=words) as refused:
        read_results(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_results(tmp_path / "nowhere.json")


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}")
def test_a_browser_opens_the_card_without_a_word_or_a_request(results, tmp_path):
    path, heard, asked = write_results(results, tmp_path), [], []
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        browser.close()
    assert heard == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert width <= 390  # nothing sticks out on a phone
    assert broken == 0
