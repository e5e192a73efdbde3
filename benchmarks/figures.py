"""A figure measured in turns with its peer, and the ratio of the two with its spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """One figure of ours beside a peer's; the runs were taken in turns, ours first.

    `ours` and `theirs` are in `unit`, one value a run; `theirs` is empty where the bar is a
    plain value. `bar` is the least ratio wanted, as a factor by which ours is better, or the
    value not to be exceeded where there is no peer; None where there is none to meet.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    peer: str = ""
    theirs: tuple[float, ...] = ()
    more_is_better: bool = False
    bar: float | None = None
    note: str = ""  # what else must be known to read it: recall, memory, sameness of output
    failed: str = ""  # why it could not be measured here: never counted as a value

    @property
    def ratios(self) -> tuple[float, ...]:
        """By which factor ours is better than the peer's, for each pair of runs."""
        pairs = zip(self.ours, self.theirs, strict=False)
        return tuple(a / b if self.more_is_better else b / a for a, b in pairs)

    @property
    def met(self) -> bool | None:
        """Whether the median meets the bar; None where there is no bar or no value."""
        if self.bar is None or self.failed or not self.ours:
            return None
        if self.theirs:
            return median(self.ratios) >= self.bar
        value = median(self.ours)
        return value >= self.bar if self.more_is_better else value <= self.bar


def time_call(run: Callable[[], object]) -> float:
    """Wall-clock seconds that one call takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def time_in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], turns: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Take two measurements in turns, so that a busy machine harms both alike."""
    pairs = [(ours(), theirs()) for _ in range(turns)]
    return tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
