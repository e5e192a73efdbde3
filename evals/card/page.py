"""What a card says, as plain values for its template: facts, bars, parts with rows, plots.

No markup is written here but that of the plots.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from evals.card.examples import Example, PictureExample, examples_of, picture_examples, scores_of
from evals.card.plots import draw_plot, scale_of, whisker
from evals.plot_data import bar_plot, histogram
from evals.results import format_value

NOT_SCORED = "not scored"
WORDS = {True: "met", False: "missed", None: NOT_SCORED}
ORDER = ("missed", NOT_SCORED, "met")
PER_FINDING = ", F1"  # how the name of a finding's figure ends
# What a reader has to be told, even that it was not recorded; the rest is told where it is known.
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
    """A figure, as it is told."""

    name: str
    value: str
    between: str
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
    """What belongs together: the figures whose names begin alike."""

    anchor: str
    title: str
    rows: tuple[CardRow, ...]
    plots: tuple[DrawnPlot, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CardPage:
    """All that the template tells."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    tally: tuple[tuple[str, int], ...]
    bars: tuple[CardRow, ...]
    parts: tuple[CardSection, ...]
    pictures: tuple[PictureExample, ...]
    pictures_of: int
    examples: tuple[Example, ...]
    examples_of: int
    spread: DrawnPlot | None  # how the scores of all reports lie
    command: str
    command_known: bool
    schema: str


def page_of(results: Mapping[str, Any]) -> CardPage:
    """Everything that the card of these results says."""
    figures, verdicts = results["figures"], results.get("bars", {})
    known, cases = results["provenance"], results.get("cases", [])
    rows = {name: _row(name, found, verdicts.get(name)) for name, found in figures.items()}
    rows |= {name: _unmeasured(name, bar) for name, bar in verdicts.items() if name not in figures}
    held = sorted((rows[name] for name in verdicts), key=lambda row: ORDER.index(row.verdict))
    command = known.get("command")
    pictures, examples = picture_examples(cases), examples_of(cases)
    return CardPage(
        title=f"Report card: {known.get('backbone') or results['suite']}",
        subtitle=_subtitle(results["suite"], known),
        facts=tuple(_facts(known)),
        tally=tuple((word, sum(row.verdict == word for row in held)) for word in ORDER[::-1]),
        bars=tuple(held),
        parts=_parts(results, rows),
        pictures=pictures[0],
        pictures_of=pictures[1],
        examples=examples[0],
        examples_of=examples[1],
        spread=_spread(results),
        command=str(command or _command(results["suite"], known)),
        command_known=bool(command),
        schema=results["schema"],
    )


def _subtitle(suite: str, known: Mapping[str, Any]) -> str:
    day = str(known.get("time") or "")[:10]
    return f"Suite {suite}, measured {day}" if day else f"Suite {suite}"


def _row(name: str, found: Mapping[str, Any], bar: Mapping[str, Any] | None) -> CardRow:
    value, low, high = found["value"], found["ci_low"], found["ci_high"]
    limit = found["bar"] if bar is None or bar.get("limit") is None else bar["limit"]
    scale = scale_of({**found, "bar": limit})
    return CardRow(
        name=name,
        value=NOT_SCORED if value is None else format_value(value),
        between=""
        if low is None or high is None
        else f"{format_value(low)} to {format_value(high)}",
        whisker=None if value is None else whisker({**found, "bar": limit}, scale),
        n=f"{found['n']:,}",
        unscored=f"{found['unscored']:,}",
        bar=_limit(bar, limit),
        verdict="" if bar is None else WORDS[bar.get("met")],
    )


def _unmeasured(name: str, bar: Mapping[str, Any]) -> CardRow:
    """The row of a bar whose figure is missing altogether."""
    return CardRow(name, NOT_SCORED, "", None, "0", "0", _limit(bar, bar.get("limit")), NOT_SCORED)


def _limit(bar: Mapping[str, Any] | None, limit: float | None) -> str:
    told = "" if limit is None else f"{limit:.4g}"
    return told if bar is None else f"{bar.get('sense', '')} {told or 'not known'}".strip()


def _parts(results: Mapping[str, Any], rows: Mapping[str, CardRow]) -> tuple[CardSection, ...]:
    """The parts in the order in which their figures, notes and plots come."""
    suite, figures = results["suite"], results["figures"]
    notes, plots = results.get("notes", {}), results.get("plots", {})
    homes = {name: _split(name, suite)[0] for name in (*rows, *notes)}
    # A plot that bears the name of a part belongs there.
    at = {key: key if key in homes.values() else _split(key, suite)[0] for key in plots}
    parts = []
    for number, part in enumerate(dict.fromkeys((*homes.values(), *at.values()))):
        inside = [name for name in rows if homes[name] == part]
        drawn = [_drawn(plots[key]) for key in plots if at[key] == part]
        if by_finding := _by_finding({name: figures.get(name) for name in inside}):
            drawn.insert(0, _drawn(by_finding))
        told = [(name, text) for name, text in notes.items() if homes[name] == part]
        parts.append(
            CardSection(
                anchor=f"part-{number}",
                title=part[:1].upper() + part[1:],
                rows=tuple(_renamed(rows[name], suite) for name in inside),
                plots=tuple(drawn),
                notes=tuple((_split(name, suite)[1], str(text)) for name, text in told),
            )
        )
    return tuple(parts)


def _split(name: str, suite: str) -> tuple[str, str]:
    """A figure's part and its words; the part of a name without one is the suite."""
    part, slash, words = name.partition("/")
    return (part, words) if slash and part and words else (suite, name)


def _renamed(row: CardRow, suite: str) -> CardRow:
    return replace(row, name=_split(row.name, suite)[1])


def _spread(results: Mapping[str, Any]) -> DrawnPlot | None:
    """How the scores of the reports lie, unless a histogram of the results tells it."""
    kinds = {plot.get("kind") for plot in results.get("plots", {}).values()}
    scores = scores_of(results.get("cases", []))
    if len(scores) < 2 or "histogram" in kinds:
        return None
    title = "Composite score, report by report"
    return _drawn(histogram(scores, title=title, unit="composite score"))


def _by_finding(figures: Mapping[str, Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """A plot of the F1 of each finding; None where there are not two."""
    found = {
        name.partition("/")[2].removesuffix(PER_FINDING) or name: f
        for name, f in figures.items()
        if name.endswith(PER_FINDING) and f
    }
    return bar_plot("F1 of each finding", "F1", found) if len(found) > 1 else None


def _drawn(plot: Mapping[str, Any]) -> DrawnPlot:
    title, svg = str(plot.get("title") or "Plot"), draw_plot(plot)
    if svg is None:
        return DrawnPlot(title, Markup(""), "Nothing to draw.")
    unscored = plot.get("unscored")
    return DrawnPlot(title, svg, f"{unscored:,} could not be scored." if unscored else "")


def _facts(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [(label, _said(known.get(key)) or "not recorded") for key, label in FACTS.items()]
    return facts + [
        (key.replace("_", " ").capitalize(), _said(value))
        for key, value in known.items()
        if key not in (*FACTS, "command") and _said(value)
    ]


def _said(value: Any) -> str:
    """A value of the provenance in words; empty where there is none."""
    if isinstance(value, Mapping):
        told = ((name, _said(inner)) for name, inner in value.items())
        return ", ".join(f"{name} {inner}" for name, inner in told if inner) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(filter(None, map(_said, value))) or "none"
    return "" if value is None else str(value)


def _command(suite: str, known: Mapping[str, Any]) -> str:
    """The command as far as it can be told from what was recorded."""
    words = ["wetread", "eval", *suite.split("+")]
    for key in ("backbone", "seed"):
        if known.get(key) is not None:
            words += [f"--{key}", str(known[key])]
    return shlex.join(words)
