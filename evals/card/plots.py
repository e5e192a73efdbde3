"""The plots of a card: a whisker for a figure, and the kinds that `evals.plot_data` makes.

Which figures there are, and what they mean, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from evals.card.svg import Frame, drawing, element, joined, line, path, rect, text, ticks
from evals.results import format_value

PlotData = Mapping[str, Any]
WIDTH = 440.0
LEFT, RIGHT, TOP = 58.0, 424.0, 14.0
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
LONGEST = 27  # letters of a name left of a bar


def draw_plot(plot: PlotData) -> Markup | None:
    """A plot of a known kind that shows something; None for any other."""
    kinds = {
        "reliability": (_reliability, "bins"),
        "risk_coverage": (_risk_coverage, "points"),
        "histogram": (_histogram, "counts"),
        "bars": (_bars, "bars"),
    }
    draw, needs = kinds.get(str(plot.get("kind")), (None, ""))
    return draw(plot) if draw is not None and plot.get(needs) else None


def whisker(figure: Mapping[str, float | None], scale: tuple[float, float]) -> Markup:
    """A figure's value, interval and bar on a line of its own; its numbers stand beside it."""
    frame = Frame(scale, (0, 1), 4, 136, 2, 16)
    parts = [line((4, 9), (136, 9), "track")]
    if scale[0] < 0 < scale[1]:
        parts.append(line((frame.x(0), 5), (frame.x(0), 13), "track"))
    value, low, high, bar = (figure[key] for key in ("value", "ci_low", "ci_high", "bar"))
    if bar is not None:
        parts.append(line((frame.x(bar), 1), (frame.x(bar), 17), "bar"))
    if low is not None and high is not None:
        parts.append(line((frame.x(low), 9), (frame.x(high), 9), "between"))
    if value is not None:
        parts.append(line((frame.x(value), 4), (frame.x(value), 14), "value"))
    return element("svg", joined(parts), viewBox="0 0 140 18", class_="whisker", aria_hidden="true")


def scale_of(figure: Mapping[str, float | None]) -> tuple[float, float]:
    """From 0 to 1 where a figure fits in there; else from zero a little past the furthest."""
    keys = ("value", "ci_low", "ci_high", "bar")
    known = [figure[key] for key in keys]
    all_of = [0.0, *(value for value in known if value is not None)]
    low, high = min(all_of), max(all_of)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low * 1.1, high * 1.1


def _reliability(plot: PlotData) -> Markup:
    """Predicted against observed, and below it how many there are in each bin."""
    bins, title = plot["bins"], str(plot.get("title", "Reliability"))
    frame = Frame((0, 1), (0, 1), LEFT, RIGHT, TOP, 290)
    parts = [frame.y_axis(SHARES, "rate of what is false")]
    parts.append(
        line((frame.x(0), frame.y(0)), (frame.x(1), frame.y(1)), "ideal")  # risk as it is said
    )
    for one in bins:
        x = frame.x(one["risk"])
        if one.get("ci_low") is not None and one.get("ci_high") is not None:
            parts.append(line((x, frame.y(one["ci_low"])), (x, frame.y(one["ci_high"])), "between"))
    parts.append(path([(frame.x(one["risk"]), frame.y(one["false"])) for one in bins], "faint"))
    parts += [
        element("circle", cx=frame.x(one["risk"]), cy=frame.y(one["false"]), r=4.5, class_="dot")
        for one in bins
    ]
    parts.append(text(frame.x(0.9), frame.y(0.9) - 9, "as predicted", "dim", "end"))
    parts.append(line((LEFT, 290), (RIGHT, 290), "axis"))
    most = max(one["n"] for one in bins)
    below = Frame((0, 1), (0, most), LEFT, RIGHT, 318, 366)
    for one in bins:
        x, y = below.x(one["risk"]), below.y(one["n"])
        parts.append(rect((x - 7, x + 7), (y, 366), "count"))
        parts.append(text(x, y - 4, str(one["n"]), "small"))
    parts.append(below.x_axis(SHARES, "mean predicted risk, and how many sentences"))
    told = [
        f"{format_value(one['risk'])} said, {format_value(one['false'])} of {one['n']} false"
        for one in bins
    ]
    return drawing(WIDTH, 406, title, "Risk: " + "; ".join(told) + ".", joined(parts))


def _risk_coverage(plot: PlotData) -> Markup:
    """The rate of what is false among what is kept, from the least risky to all."""
    points, title = plot["points"], str(plot.get("title", "Risk and coverage"))
    levels = ticks(0, max([rate for _, rate in points] + [0.01]))
    frame = Frame((0, 1), (0, levels[-1]), LEFT, RIGHT, TOP, 290)
    drawn = [(frame.x(share), frame.y(rate)) for share, rate in points]
    all_kept = points[-1][1]
    end = frame.y(all_kept)
    area = [(drawn[0][0], frame.bottom), *drawn, (drawn[-1][0], frame.bottom)]
    parts = [
        frame.y_axis(levels, "rate of what is false"),
        path(area, "area"),
        line((LEFT, end), (RIGHT, end), "ideal"),
        path(drawn, "curve"),
        element("circle", cx=drawn[-1][0], cy=drawn[-1][1], r=4.5, class_="dot"),
        text(LEFT + 8, end - 7, f"all kept: {format_value(all_kept)}", "dim", "start"),
        frame.x_axis(SHARES, "share kept"),
    ]
    told = [f"{format_value(_at(points, share))} at {share:.0%} kept" for share in SHARES[1:]]
    return drawing(WIDTH, 330, title, "Rate of what is false: " + ", ".join(told), joined(parts))


def _at(points: Sequence[Sequence[float]], share: float) -> float:
    """The error rate where at least so much is kept."""
    return next((rate for kept, rate in points if kept >= share - 1e-9), points[-1][1])


def _histogram(plot: PlotData) -> Markup:
    edges, counts, title = plot["edges"], plot["counts"], str(plot.get("title", "Distribution"))
    levels = ticks(0, max([*counts, 1]), 4)
    if levels[1] < 1:
        levels = [0.0, 1.0]
    frame = Frame((edges[0], edges[-1]), (0, levels[-1]), LEFT, RIGHT, TOP, 230)
    marks = [v for v in ticks(edges[0], edges[-1]) if edges[0] <= v <= edges[-1]]
    parts = [frame.y_axis(levels, "how many")]
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        x = (frame.x(low) + 1, max(frame.x(high) - 1, frame.x(low) + 1.5))
        parts.append(rect(x, (frame.y(count), 230), "count"))
    parts.append(frame.x_axis(marks, str(plot.get("unit") or "value")))
    told = [
        f"{format_value(low)} to {format_value(high)}: {count}"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    return drawing(WIDTH, 270, title, "; ".join(told) + ".", joined(parts))


def _bars(plot: PlotData) -> Markup:
    """A bar a name with its interval; what has no value says so and has no bar."""
    bars, title = plot["bars"], str(plot.get("title", "Values"))
    keys = ("value", "ci_low", "ci_high")
    known = [one[key] for one in bars for key in keys if one.get(key) is not None]
    shares = all(0 <= value <= 1 for value in known)
    levels = list(SHARES) if shares else ticks(min([*known, 0]), max([*known, 0]))
    step, left, right = 25, 172.0, 366.0
    bottom = TOP + step * len(bars)
    frame = Frame((levels[0], levels[-1]), (0, 1), left, right, TOP, bottom)
    parts = [line((frame.x(v), TOP), (frame.x(v), bottom), "grid") for v in levels]
    for number, one in enumerate(bars):
        parts.append(_bar(frame, one, TOP + step * (number + 0.5)))
    parts.append(frame.x_axis(levels, str(plot.get("unit") or "value")))
    zero = line((frame.x(0), TOP), (frame.x(0), bottom), "axis")
    told = [f"{one['name']} {_told(one.get('value'))}" for one in bars]
    desc = ", ".join(told) + "."
    return drawing(WIDTH, bottom + 40, title, desc, joined([*parts, zero]))


def _bar(frame: Frame, one: PlotData, at: float) -> Markup:
    name, value = str(one["name"]), one.get("value")
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    parts = [text(frame.left - 9, at + 4, short, "name", "end")]
    if value is not None:
        parts.append(rect((frame.x(0), frame.x(value)), (at - 7, at + 7), "count"))
        if one.get("ci_low") is not None and one.get("ci_high") is not None:
            low, high = frame.x(one["ci_low"]), frame.x(one["ci_high"])
            parts.append(line((low, at), (high, at), "between"))
            parts += [line((x, at - 4), (x, at + 4), "between") for x in (low, high)]
    parts.append(text(frame.right + 10, at + 4, _told(value), "number", "start"))
    return joined(parts)


def _told(value: float | None) -> str:
    return "not scored" if value is None else format_value(value)
