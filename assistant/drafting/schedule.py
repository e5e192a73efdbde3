"""Many studies drafted one window after the other, and together those that take equally long.

Knows the order of the work, not how a draft is made. Which studies are written together depends
on the sources alone, never on time: the same sources give the same drafts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from assistant.drafting.draft import DraftOptions
from assistant.drafting.sources import FailedStudy
from assistant.errors import BackboneError, IntakeError, SettingsError
from assistant.gate import GatedStudy
from assistant.iterables import batched
from assistant.labeller.summary import probe_summary
from assistant.types import OnText, ProbeFinding, Report, Study

Order = Literal["input", "completion"]
NumberedOutcome = tuple[int, Report | FailedStudy]


class BatchOptions(TypedDict, total=False):
    """How many studies are drafted: the options of `Assistant.draft`, and how they are taken.

    `batch` studies (16) are written together, chosen among `window` (1) times as many: those
    whose drafts will be of like length. `workers` processes (0) read films ahead; with 0 they are
    read in this one. `order` "input" gives the outcomes in the order of the sources, "completion"
    as they come: a report then tells its study, a `FailedStudy` its number.
    """

    neighbours: int
    seed: int
    exclude: Sequence[str]
    use_adapter: bool
    samples: int | None
    correct: bool
    anyway: bool
    on_text: OnText | None
    batch: int
    window: int
    workers: int
    order: Order


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """`BatchOptions` with what was left out."""

    options: DraftOptions = field(default_factory=DraftOptions)
    batch: int = 16  # studies written together
    window: int = 1  # times as many among which those of like length are found
    workers: int = 0
    order: Order = "input"

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("window", 1), ("workers", 0)):
            if (value := getattr(self, name)) < least:
                raise SettingsError(f"{name} = {value} must be {least} or more.")
        if self.order not in ("input", "completion"):
            raise SettingsError(f'order = {self.order!r} must be "input" or "completion".')

    @property
    def rows(self) -> int:
        """The studies of a window, which are drafted together or not at all."""
        return self.batch * self.window

    @classmethod
    def of(cls, how: BatchOptions) -> BatchPlan:
        """The same with the defaults; SettingsError for a value that does not hold."""
        rest: dict[str, Any] = {**how}
        mine = {name: rest.pop(name) for name in cls.__slots__ if name in rest}
        return cls(DraftOptions(**rest), **mine)


@dataclass(frozen=True, slots=True)
class DraftStages:
    """What is called with the studies of a window, one after the other."""

    gate: Callable[[Sequence[Study]], list[GatedStudy]]
    probe: Callable[[Sequence[GatedStudy]], list[tuple[ProbeFinding, ...]] | None]
    report: Callable[[Sequence[GatedStudy]], list[Report]]


def draft_in_windows(
    studies: Generator[Study | FailedStudy], plan: BatchPlan, stages: DraftStages, *, strict: bool
) -> Iterator[Report | FailedStudy]:
    """The report of each study, or why there is none.

    With `strict` the first failure is raised, where its report would come.
    """
    start = 0
    with closing(studies):
        for window in batched(studies, plan.rows):
            done = _of_window(window, start, plan, stages, strict=strict)
            given = _in_order(done, start) if plan.order == "input" else (one for _, one in done)
            for outcome in given:
                if strict and isinstance(outcome, FailedStudy):
                    raise IntakeError(outcome.why)
                yield outcome
            start += len(window)


def _in_order(done: Iterator[NumberedOutcome], start: int) -> Iterator[Report | FailedStudy]:
    """What was done by number from `start`, each as soon as all before it are there."""
    early: dict[int, Report | FailedStudy] = {}
    for number, outcome in done:
        early[number] = outcome
        while start in early:
            yield early.pop(start)
            start += 1


def _of_window(
    window: Sequence[Study | FailedStudy],
    start: int,
    plan: BatchPlan,
    stages: DraftStages,
    *,
    strict: bool,
) -> Iterator[NumberedOutcome]:
    yield from ((one.number, one) for one in window if isinstance(one, FailedStudy))
    numbered = [(start + i, one) for i, one in enumerate(window) if isinstance(one, Study)]
    asked: list[tuple[int, GatedStudy]] = []
    for some in batched(numbered, plan.batch):
        admitted = stages.gate([study for _, study in some])
        asked += zip((number for number, _ in some), admitted, strict=True)
    refused = [one for one in asked if not one[1].passed]
    yield from zip((n for n, _ in refused), stages.report([a for _, a in refused]), strict=True)
    to_write = [one for one in asked if one[1].passed]
    if len(to_write) > plan.batch:
        to_write = _by_length(to_write, stages)
    for some in batched(to_write, plan.batch):
        yield from _written(some, stages, strict=strict)


def _by_length(
    asked: list[tuple[int, GatedStudy]], stages: DraftStages
) -> list[tuple[int, GatedStudy]]:
    """Studies by how long their drafts will be: a batch takes as long as its longest.

    A draft is about as long as the reading that it is told, where there is a probe.
    """
    read = stages.probe([one for _, one in asked]) or [None] * len(asked)
    lengths = {
        number: (len(probe_summary(seen)), len(one.study.indication))
        for (number, one), seen in zip(asked, read, strict=True)
    }
    return sorted(asked, key=lambda one: lengths[one[0]])


def _written(
    some: Sequence[tuple[int, GatedStudy]], stages: DraftStages, *, strict: bool
) -> Iterator[NumberedOutcome]:
    """The reports of a batch; where the backbone fails, each is tried alone."""
    try:
        reports = stages.report([one for _, one in some])
    except BackboneError:
        if strict:
            raise
    else:
        yield from zip((number for number, _ in some), reports, strict=True)
        return
    tried = [_alone(number, one, stages) for number, one in some]
    failed = [outcome for _, outcome in tried if isinstance(outcome, FailedStudy)]
    if len(failed) == len(tried) > 1:  # not of one film: nothing more would be written
        raise BackboneError(failed[0].why)
    yield from tried


def _alone(number: int, one: GatedStudy, stages: DraftStages) -> NumberedOutcome:
    try:
        return number, stages.report([one])[0]
    except BackboneError as error:
        return number, FailedStudy(number, str(error))
