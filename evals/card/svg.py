"""Small parts of a plot as inline SVG: elements, scales, axes.

This module does not know what is plotted. Markupsafe escapes everything that comes from data.
Colours are classes of the page's style, so that a plot is readable in light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

Span = tuple[float, float]


def element(tag: str, content: object = "", /, **attributes: object) -> Markup:
    """One element; `_` at the end of an attribute's name is dropped, others become hyphens."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _format_number(value))
        for name, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(tag, written, escape(content))


def join_elements(parts: Iterable[Markup]) -> Markup:
    """Join elements one after the other."""
    return Markup("").join(parts)


def draw_svg(width: float, height: float, title: str, desc: str, content: Markup) -> Markup:
    """A whole plot, `width` by `height` of its own units, with its title and description."""
    inner = join_elements([element("title", title), element("desc", desc), content])
    box = f"0 0 {_format_number(width)} {_format_number(height)}"
    return element("svg", inner, viewBox=box, role="img", aria_label=f"{title}. {desc}")


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "middle") -> Markup:
    """A line of text."""
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def line(start: Span, end: Span, class_: str) -> Markup:
    """A straight line from (x, y) to (x, y)."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def rect(x: Span, y: Span, class_: str) -> Markup:
    """A rectangle between two x and two y, in any order."""
    wide, high = abs(x[1] - x[0]), abs(y[1] - y[0])
    return element("rect", x=min(x), y=min(y), width=wide, height=high, class_=class_)


def path(points: Iterable[Span], class_: str) -> Markup:
    """A line through points."""
    coordinates = " L".join(
        f"{_format_number(float(x))} {_format_number(float(y))}" for x, y in points
    )
    return element("path", d=f"M{coordinates}", class_=class_)


@dataclass(frozen=True, slots=True)
class Frame:
    """Maps values to places on a drawing: two ranges of values to two ranges of its units."""

    x_values: Span
    y_values: Span
    left: float
    right: float
    top: float
    bottom: float

    def x(self, value: float) -> float:
        """The place of a value along the drawing; what lies outside is put at the edge."""
        return _map_to_range(value, self.x_values, self.left, self.right)

    def y(self, value: float) -> float:
        """The place of a value down the drawing."""
        return _map_to_range(value, self.y_values, self.bottom, self.top)

    def x_axis(self, values: Iterable[float], label: str) -> Markup:
        """Ticks below the frame, with the label of the axis."""
        at = self.bottom + 16
        ticks = [text(self.x(v), at, format_tick(v)) for v in values]
        middle = (self.left + self.right) / 2
        base = line((self.left, self.bottom), (self.right, self.bottom), "axis")
        return join_elements([base, *ticks, text(middle, at + 19, label, "label")])

    def y_axis(self, values: Iterable[float], label: str) -> Markup:
        """Ticks left of the frame, faint lines across it, and the label of the axis."""
        parts = []
        for value in values:
            at = self.y(value)
            parts.append(line((self.left, at), (self.right, at), "grid"))
            parts.append(text(self.left - 7, at + 4, format_tick(value), anchor="end"))
        x, y = self.left - 38, (self.top + self.bottom) / 2
        turned = f"rotate(-90 {_format_number(x)} {_format_number(y)})"
        parts.append(
            element("text", label, x=x, y=y, transform=turned, text_anchor="middle", class_="label")
        )
        return join_elements(parts)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from `low` or below to `high` or above, by 1, 2 or 5 times a power of ten."""
    if not high > low:
        high = low + 1
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def format_tick(value: float) -> str:
    """Format the number of a tick as short as possible."""
    return f"{value:.6g}"


def _map_to_range(value: float, values: Span, start: float, end: float) -> float:
    low, high = values
    share = (value - low) / (high - low) if high > low else 0.5
    return start + min(max(share, 0.0), 1.0) * (end - start)


def _format_number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
