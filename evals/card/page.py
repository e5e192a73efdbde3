"""The content of a card as plain values for its template: facts, bars, sections, plots.

This module writes no markup but that of the plots.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from evals.card.examples import (
    PictureExample,
    ReportExample,
    composite_scores_of,
    select_picture_examples,
    select_report_examples,
)
from evals.card.plots import draw_plot, draw_whisker, scale_of
from evals.plot_data import bar_plot, histogram_plot
from evals.results import format_value

NOT_SCORED = "not scored"
VERDICTS = {True: "met", False: "missed", None: NOT_SCORED}
ORDER = ("missed", NOT_SCORED, "met")
PER_FINDING = ", F1"  # how the name of a finding's figure ends
# Facts that are always on the card, even as "not recorded"; others only where they are known.
FACTS = {
    "backbone": "Backbone",
    "revision": "Revision",
    "adapters": "Adapters",
    "data": "Data",
    "data_sha256": "Data hash",
    "seed": "Seed",
    "code": "Code version",
    "versions": "Libraries",
    "machine": "Machine",
    "time": "Time",
}


@dataclass(frozen=True, slots=True)
class CardRow:
    """A figure as one row of a table."""

    name: str
    value: str
    interval: str
    whisker: Markup | None
    n: str
    unscored: str
    bar: str
    verdict: str  # a word of ORDER, or empty where there is none


@dataclass(frozen=True, slots=True)
class DrawnPlot:
    """A plot with its heading."""

    title: str
    svg: Markup
    note: str


@dataclass(frozen=True, slots=True)
class CardSection:
    """The figures, plots and notes of one part: those with the same prefix."""

    anchor: str
    title: str
    rows: tuple[CardRow, ...]
    plots: tuple[DrawnPlot, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CardPage:
    """The content of the card."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    tally: tuple[tuple[str, int], ...]
    bars: tuple[CardRow, ...]
    sections: tuple[CardSection, ...]
    pictures: tuple[PictureExample, ...]
    picture_count: int
    examples: tuple[ReportExample, ...]
    example_count: int
    score_plot: DrawnPlot | None  # the distribution of the scores of all reports
    command: str
    command_known: bool
    schema: str


def page_of(results: Mapping[str, Any]) -> CardPage:
    """Build the content of the card of these results."""
    figures, verdicts = results["figures"], results.get("bars", {})
    provenance, cases = results["provenance"], results.get("cases", [])
    rows = {
        name: _figure_row_of(name, figure, verdicts.get(name)) for name, figure in figures.items()
    }
    rows |= {
        name: _missing_row_of(name, bar) for name, bar in verdicts.items() if name not in figures
    }
    barred = sorted((rows[name] for name in verdicts), key=lambda row: ORDER.index(row.verdict))
    command = provenance.get("command")
    pictures, examples = select_picture_examples(cases), select_report_examples(cases)
    return CardPage(
        title=f"Report card: {provenance.get('backbone') or results['suite']}",
        subtitle=_subtitle_of(results["suite"], provenance),
        facts=tuple(_facts_of(provenance)),
        tally=tuple((word, sum(row.verdict == word for row in barred)) for word in ORDER[::-1]),
        bars=tuple(barred),
        sections=_sections_of(results, rows),
        pictures=pictures[0],
        picture_count=pictures[1],
        examples=examples[0],
        example_count=examples[1],
        score_plot=_score_plot_of(results),
        command=str(command or _command_of(results["suite"], provenance)),
        command_known=bool(command),
        schema=results["schema"],
    )


def _subtitle_of(suite: str, provenance: Mapping[str, Any]) -> str:
    day = str(provenance.get("time") or "")[:10]
    return f"Suite {suite}, measured {day}" if day else f"Suite {suite}"


def _figure_row_of(name: str, figure: Mapping[str, Any], bar: Mapping[str, Any] | None) -> CardRow:
    value, low, high = figure["value"], figure["ci_low"], figure["ci_high"]
    limit = figure["bar"] if bar is None or bar.get("limit") is None else bar["limit"]
    scale = scale_of({**figure, "bar": limit})
    return CardRow(
        name=name,
        value=NOT_SCORED if value is None else format_value(value),
        interval=""
        if low is None or high is None
        else f"{format_value(low)} to {format_value(high)}",
        whisker=None if value is None else draw_whisker({**figure, "bar": limit}, scale),
        n=f"{figure['n']:,}" + (f" ({figure['positives']:,} +)" if "positives" in figure else ""),
        unscored=f"{figure['unscored']:,}",
        bar=_format_bar(bar, limit),
        verdict="" if bar is None else VERDICTS[bar.get("met")],
    )


def _missing_row_of(name: str, bar: Mapping[str, Any]) -> CardRow:
    """The row of a bar whose figure is missing altogether."""
    return CardRow(
        name, NOT_SCORED, "", None, "0", "0", _format_bar(bar, bar.get("limit")), NOT_SCORED
    )


def _format_bar(bar: Mapping[str, Any] | None, limit: float | None) -> str:
    text = "" if limit is None else f"{limit:.4g}"
    return text if bar is None else f"{bar.get('sense', '')} {text or 'not known'}".strip()


def _sections_of(
    results: Mapping[str, Any], rows: Mapping[str, CardRow]
) -> tuple[CardSection, ...]:
    """The sections, in the order in which their figures, notes and plots come."""
    suite, figures = results["suite"], results["figures"]
    notes, plots = results.get("notes", {}), results.get("plots", {})
    part_of_name = {name: _split_name(name, suite)[0] for name in (*rows, *notes)}
    # A plot that bears the name of a part belongs there.
    part_of_plot = {
        key: key if key in part_of_name.values() else _split_name(key, suite)[0] for key in plots
    }
    sections = []
    for number, part in enumerate(dict.fromkeys((*part_of_name.values(), *part_of_plot.values()))):
        names = [name for name in rows if part_of_name[name] == part]
        section_plots = [_render_plot(plots[key]) for key in plots if part_of_plot[key] == part]
        if by_finding := _finding_plot_of({name: figures.get(name) for name in names}):
            section_plots.insert(0, _render_plot(by_finding))
        section_notes = [(name, text) for name, text in notes.items() if part_of_name[name] == part]
        sections.append(
            CardSection(
                anchor=f"part-{number}",
                title=part[:1].upper() + part[1:],
                rows=tuple(_remove_part(rows[name], suite) for name in names),
                plots=tuple(section_plots),
                notes=tuple(
                    (_split_name(name, suite)[1], str(text)) for name, text in section_notes
                ),
            )
        )
    return tuple(sections)


def _split_name(name: str, suite: str) -> tuple[str, str]:
    """A figure's part and its words; the part of a name without one is the suite."""
    part, slash, words = name.partition("/")
    return (part, words) if slash and part and words else (suite, name)


def _remove_part(row: CardRow, suite: str) -> CardRow:
    return replace(row, name=_split_name(row.name, suite)[1])


def _score_plot_of(results: Mapping[str, Any]) -> DrawnPlot | None:
    """A histogram of the reports' scores; None where the results have a histogram already."""
    kinds = {plot.get("kind") for plot in results.get("plots", {}).values()}
    scores = composite_scores_of(results.get("cases", []))
    if len(scores) < 2 or "histogram" in kinds:
        return None
    title = "Composite score, report by report"
    return _render_plot(histogram_plot(scores, title=title, unit="composite score"))


def _finding_plot_of(figures: Mapping[str, Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """A plot of the F1 of each finding; None where there are not two."""
    scores = {
        name.partition("/")[2].removesuffix(PER_FINDING) or name: f
        for name, f in figures.items()
        if name.endswith(PER_FINDING) and f
    }
    return bar_plot("F1 of each finding", "F1", scores) if len(scores) > 1 else None


def _render_plot(plot: Mapping[str, Any]) -> DrawnPlot:
    title, svg = str(plot.get("title") or "Plot"), draw_plot(plot)
    if svg is None:
        return DrawnPlot(title, Markup(""), "Nothing to draw.")
    unscored = plot.get("unscored")
    return DrawnPlot(title, svg, f"{unscored:,} could not be scored." if unscored else "")


def _facts_of(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (label, _format_fact(provenance.get(key)) or "not recorded") for key, label in FACTS.items()
    ]
    return facts + [
        (key.replace("_", " ").capitalize(), _format_fact(value))
        for key, value in provenance.items()
        if key not in (*FACTS, "command") and _format_fact(value)
    ]


def _format_fact(value: Any) -> str:
    """Format a value of the provenance; empty where there is none."""
    if isinstance(value, Mapping):
        entries = ((name, _format_fact(inner)) for name, inner in value.items())
        return ", ".join(f"{name} {inner}" for name, inner in entries if inner) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(filter(None, map(_format_fact, value))) or "none"
    return "" if value is None else str(value)


def _command_of(suite: str, provenance: Mapping[str, Any]) -> str:
    """The command, as far as the provenance gives it."""
    words = ["wetread", "eval", *suite.split("+")]
    for key in ("backbone", "seed"):
        if provenance.get(key) is not None:
            words += [f"--{key}", str(provenance[key])]
    return shlex.join(words)
