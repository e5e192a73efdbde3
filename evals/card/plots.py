"""Draws the plots of a card: a whisker for a figure, and the kinds that `evals.plot_data` makes.

This module does not know which figures there are, or what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from evals.card.svg import Frame, draw_svg, element, join_elements, line, path, rect, text, ticks
from evals.results import format_value

PlotData = Mapping[str, Any]
WIDTH = 440.0
LEFT, RIGHT, TOP = 58.0, 424.0, 14.0
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
LONGEST = 27  # letters of a name left of a bar


def draw_plot(plot: PlotData) -> Markup | None:
    """Draw a plot of a known kind that has data; None for any other."""
    renderers = {
        "reliability": (_draw_reliability, "bins"),
        "risk_coverage": (_draw_risk_coverage, "points"),
        "histogram": (_draw_histogram, "counts"),
        "bars": (_draw_bars, "bars"),
    }
    draw, needs = renderers.get(str(plot.get("kind")), (None, ""))
    return draw(plot) if draw is not None and plot.get(needs) else None


def draw_whisker(figure: Mapping[str, float | None], scale: tuple[float, float]) -> Markup:
    """Draw a figure's value, interval and bar on one line, without numbers."""
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
    return element(
        "svg", join_elements(parts), viewBox="0 0 140 18", class_="whisker", aria_hidden="true"
    )


def scale_of(figure: Mapping[str, float | None]) -> tuple[float, float]:
    """The scale of a figure: 0 to 1 where it fits, else from zero to 1.1 times the furthest."""
    keys = ("value", "ci_low", "ci_high", "bar")
    known = [figure[key] for key in keys]
    values = [0.0, *(value for value in known if value is not None)]
    low, high = min(values), max(values)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low * 1.1, high * 1.1


def _draw_reliability(plot: PlotData) -> Markup:
    """Draw predicted risk against the observed rate, and below it the count of each bin."""
    bins, title = plot["bins"], str(plot.get("title", "Reliability"))
    frame = Frame((0, 1), (0, 1), LEFT, RIGHT, TOP, 290)
    parts = [frame.y_axis(SHARES, "rate of what is false")]
    parts.append(
        line((frame.x(0), frame.y(0)), (frame.x(1), frame.y(1)), "ideal")  # risk equals the rate
    )
    for entry in bins:
        x = frame.x(entry["risk"])
        if entry.get("ci_low") is not None and entry.get("ci_high") is not None:
            parts.append(
                line((x, frame.y(entry["ci_low"])), (x, frame.y(entry["ci_high"])), "between")
            )
    parts.append(
        path([(frame.x(entry["risk"]), frame.y(entry["false"])) for entry in bins], "faint")
    )
    parts += [
        element(
            "circle", cx=frame.x(entry["risk"]), cy=frame.y(entry["false"]), r=4.5, class_="dot"
        )
        for entry in bins
    ]
    parts.append(text(frame.x(0.9), frame.y(0.9) - 9, "as predicted", "dim", "end"))
    parts.append(line((LEFT, 290), (RIGHT, 290), "axis"))
    most = max(entry["n"] for entry in bins)
    count_frame = Frame((0, 1), (0, most), LEFT, RIGHT, 318, 366)
    for entry in bins:
        x, y = count_frame.x(entry["risk"]), count_frame.y(entry["n"])
        parts.append(rect((x - 7, x + 7), (y, 366), "count"))
        parts.append(text(x, y - 4, str(entry["n"]), "small"))
    parts.append(count_frame.x_axis(SHARES, "mean predicted risk, and how many sentences"))
    descriptions = [
        f"{format_value(entry['risk'])} said, {format_value(entry['false'])} of {entry['n']} false"
        for entry in bins
    ]
    return draw_svg(
        WIDTH, 406, title, "Risk: " + "; ".join(descriptions) + ".", join_elements(parts)
    )


def _draw_risk_coverage(plot: PlotData) -> Markup:
    """Draw the rate of false sentences among those kept, from the least risky to all."""
    points, title = plot["points"], str(plot.get("title", "Risk and coverage"))
    levels = ticks(0, max([rate for _, rate in points] + [0.01]))
    frame = Frame((0, 1), (0, levels[-1]), LEFT, RIGHT, TOP, 290)
    curve = [(frame.x(share), frame.y(rate)) for share, rate in points]
    all_kept = points[-1][1]
    end = frame.y(all_kept)
    area = [(curve[0][0], frame.bottom), *curve, (curve[-1][0], frame.bottom)]
    parts = [
        frame.y_axis(levels, "rate of what is false"),
        path(area, "area"),
        line((LEFT, end), (RIGHT, end), "ideal"),
        path(curve, "curve"),
        element("circle", cx=curve[-1][0], cy=curve[-1][1], r=4.5, class_="dot"),
        text(LEFT + 8, end - 7, f"all kept: {format_value(all_kept)}", "dim", "start"),
        frame.x_axis(SHARES, "share kept"),
    ]
    descriptions = [
        f"{format_value(_error_rate_at(points, share))} at {share:.0%} kept" for share in SHARES[1:]
    ]
    return draw_svg(
        WIDTH, 330, title, "Rate of what is false: " + ", ".join(descriptions), join_elements(parts)
    )


def _error_rate_at(points: Sequence[Sequence[float]], share: float) -> float:
    """The error rate at the first point where at least this share is kept."""
    return next((rate for kept, rate in points if kept >= share - 1e-9), points[-1][1])


def _draw_histogram(plot: PlotData) -> Markup:
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
    descriptions = [
        f"{format_value(low)} to {format_value(high)}: {count}"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    return draw_svg(WIDTH, 270, title, "; ".join(descriptions) + ".", join_elements(parts))


def _draw_bars(plot: PlotData) -> Markup:
    """Draw a bar with its interval for each name; one without a value is labelled so."""
    bars, title = plot["bars"], str(plot.get("title", "Values"))
    keys = ("value", "ci_low", "ci_high")
    known = [bar[key] for bar in bars for key in keys if bar.get(key) is not None]
    shares = all(0 <= value <= 1 for value in known)
    levels = list(SHARES) if shares else ticks(min([*known, 0]), max([*known, 0]))
    step, left, right = 25, 172.0, 366.0
    bottom = TOP + step * len(bars)
    frame = Frame((levels[0], levels[-1]), (0, 1), left, right, TOP, bottom)
    parts = [line((frame.x(v), TOP), (frame.x(v), bottom), "grid") for v in levels]
    for number, bar in enumerate(bars):
        parts.append(_draw_bar(frame, bar, TOP + step * (number + 0.5)))
    parts.append(frame.x_axis(levels, str(plot.get("unit") or "value")))
    zero = line((frame.x(0), TOP), (frame.x(0), bottom), "axis")
    descriptions = [f"{bar['name']} {_format_score(bar.get('value'))}" for bar in bars]
    desc = ", ".join(descriptions) + "."
    return draw_svg(WIDTH, bottom + 40, title, desc, join_elements([*parts, zero]))


def _draw_bar(frame: Frame, bar: PlotData, y: float) -> Markup:
    name, value = str(bar["name"]), bar.get("value")
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    parts = [text(frame.left - 9, y + 4, short, "name", "end")]
    if value is not None:
        parts.append(rect((frame.x(0), frame.x(value)), (y - 7, y + 7), "count"))
        if bar.get("ci_low") is not None and bar.get("ci_high") is not None:
            low, high = frame.x(bar["ci_low"]), frame.x(bar["ci_high"])
            parts.append(line((low, y), (high, y), "between"))
            parts += [line((x, y - 4), (x, y + 4), "between") for x in (low, high)]
    parts.append(text(frame.right + 10, y + 4, _format_score(value), "number", "start"))
    return join_elements(parts)


def _format_score(value: float | None) -> str:
    return "not scored" if value is None else format_value(value)
