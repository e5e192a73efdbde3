"""Drafts any number of studies in windows, and writes drafts of similar length together.

This module knows the order of the work, not how a draft is made. Which studies are written
together depends on the sources alone, never on time: the same sources give the same drafts.
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
    """Options of drafting many studies: those of `Assistant.draft`, and those of the batches.

    `batch` studies (16) are written together, chosen from `window` (1) times as many by the
    expected length of their drafts. `workers` processes (0) read films ahead; with 0 they are
    read in this process. `order` "input" gives the outcomes in the order of the sources,
    "completion" as they come: a report then holds its study, a `FailedStudy` its number.
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
    """`BatchOptions` with the defaults filled in, checked."""

    options: DraftOptions = field(default_factory=DraftOptions)
    batch: int = 16  # studies written together
    window: int = 1  # how many batches are read and sorted by length together
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
        """The number of studies in a window, which are drafted together or not at all."""
        return self.batch * self.window

    @classmethod
    def from_options(cls, options: BatchOptions) -> BatchPlan:
        """The plan with the defaults filled in; SettingsError for a value out of range."""
        draft_options: dict[str, Any] = {**options}
        plan_options = {
            name: draft_options.pop(name) for name in cls.__slots__ if name in draft_options
        }
        return cls(DraftOptions(**draft_options), **plan_options)


@dataclass(frozen=True, slots=True)
class DraftStages:
    """The stages that are called with the studies of a window, one after the other."""

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
            outcomes = _draft_window(window, start, plan, stages, strict=strict)
            ordered = (
                _sort_outcomes(outcomes, start)
                if plan.order == "input"
                else (outcome for _, outcome in outcomes)
            )
            for outcome in ordered:
                if strict and isinstance(outcome, FailedStudy):
                    raise IntakeError(outcome.reason)
                yield outcome
            start += len(window)


def _sort_outcomes(
    outcomes: Iterator[NumberedOutcome], start: int
) -> Iterator[Report | FailedStudy]:
    """The outcomes by number from `start`, each as soon as all before it have come."""
    pending: dict[int, Report | FailedStudy] = {}
    for number, outcome in outcomes:
        pending[number] = outcome
        while start in pending:
            yield pending.pop(start)
            start += 1


def _draft_window(
    window: Sequence[Study | FailedStudy],
    start: int,
    plan: BatchPlan,
    stages: DraftStages,
    *,
    strict: bool,
) -> Iterator[NumberedOutcome]:
    yield from ((study.number, study) for study in window if isinstance(study, FailedStudy))
    numbered = [(start + i, study) for i, study in enumerate(window) if isinstance(study, Study)]
    gated: list[tuple[int, GatedStudy]] = []
    for batch in batched(numbered, plan.batch):
        batch_gated = stages.gate([study for _, study in batch])
        gated += zip((number for number, _ in batch), batch_gated, strict=True)
    refused = [(number, study) for number, study in gated if not study.passed]
    yield from zip((n for n, _ in refused), stages.report([s for _, s in refused]), strict=True)
    to_write = [(number, study) for number, study in gated if study.passed]
    if len(to_write) > plan.batch:
        to_write = _sort_by_length(to_write, stages)
    for batch in batched(to_write, plan.batch):
        yield from _report_batch(batch, stages, strict=strict)


def _sort_by_length(
    gated: list[tuple[int, GatedStudy]], stages: DraftStages
) -> list[tuple[int, GatedStudy]]:
    """Sort studies by the expected length of their drafts: a batch takes as long as its longest.

    A draft is about as long as the probe's summary in its prompt, where there is a probe.
    """
    findings = stages.probe([study for _, study in gated]) or [None] * len(gated)
    lengths = {
        number: (len(probe_summary(labels)), len(study.study.indication))
        for (number, study), labels in zip(gated, findings, strict=True)
    }
    return sorted(gated, key=lambda numbered: lengths[numbered[0]])


def _report_batch(
    batch: Sequence[tuple[int, GatedStudy]], stages: DraftStages, *, strict: bool
) -> Iterator[NumberedOutcome]:
    """The reports of a batch; where the backbone fails, each study is tried alone."""
    try:
        reports = stages.report([study for _, study in batch])
    except BackboneError:
        if strict:
            raise
    else:
        yield from zip((number for number, _ in batch), reports, strict=True)
        return
    outcomes = [_report_alone(number, study, stages) for number, study in batch]
    failed = [outcome for _, outcome in outcomes if isinstance(outcome, FailedStudy)]
    if len(failed) == len(outcomes) > 1:  # not one film's fault: no other would work
        raise BackboneError(failed[0].reason)
    yield from outcomes


def _report_alone(number: int, gated: GatedStudy, stages: DraftStages) -> NumberedOutcome:
    try:
        return number, stages.report([gated])[0]
    except BackboneError as error:
        return number, FailedStudy(number, str(error))
