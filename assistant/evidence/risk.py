"""How likely a sentence is false for this film, and what is to be done with it.

A logistic model a polarity weighs the signals of each claim; more support never raises the risk.
The riskiest claim makes the sentence's risk, which is calibrated on sentences that the backbone
itself wrote of films whose truth is known. The model is a short table that anyone can read; what
it was fitted on is said in it, and it holds for that backbone and adapter alone. Fitting is the
adapters' room's; this module only applies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.atomic import write_file
from assistant.errors import BackboneError
from assistant.evidence.signals import SIGNALS, Signals
from assistant.types import Action, Assertion

SCHEMA = "wetread.risk/1"
FILE = "risk.json"
CLIP = 0.001  # signals are held this far from 0 and 1, so that none decides alone


@dataclass(frozen=True, slots=True)
class Weights:
    """What one polarity's claims are weighed by."""

    bias: float
    signals: Mapping[str, float]  # a unit of log-odds of support lowers the log-odds of risk so far
    missing: Mapping[str, float]  # added where a signal could not be taken
    findings: Mapping[str, float]  # added for a claim about this finding


@dataclass(frozen=True, slots=True)
class RiskModel:
    """The fitted model, with the thresholds of what to do."""

    backbone: str  # revision whose drafts it was fitted on
    adapter: str | None
    fitted_on: str  # in words
    sentences: int
    samples: int  # other drafts of each film that the agreement was taken from
    error: float  # rate of false sentences allowed among those kept
    keep: float  # the highest risk that is kept
    withhold: float  # the lowest risk that is withheld
    scale: tuple[float, float]  # slope and shift from the riskiest claim's log-odds to the risk's
    polarities: Mapping[str, Weights]
    floor: float | None = None  # a case less alike says no more than any other; None: not known

    def claim(self, claim: Assertion, signals: Signals) -> float | None:
        """The log-odds that one claim is false; None where its polarity was not fitted."""
        weights = self.polarities.get(claim.polarity)
        if weights is None:
            return None
        odds = weights.bias + weights.findings.get(claim.finding, 0.0)
        for name in SIGNALS:
            value = getattr(signals, name)
            if value is None:
                odds += weights.missing.get(name, 0.0)
            else:
                odds -= weights.signals.get(name, 0.0) * log_odds(value)
        return odds

    def sentence(self, claims: Sequence[tuple[Assertion, Signals]]) -> float | None:
        """The calibrated probability that a sentence is false; None where no claim has one."""
        odds = [o for claim, signals in claims if (o := self.claim(claim, signals)) is not None]
        if not odds:
            return None
        return sigmoid(self.scale[0] * max(odds) + self.scale[1])

    def action(self, risk: float) -> Action:
        """What to do with a sentence of this risk."""
        if risk <= self.keep:
            return "keep"
        return "withhold" if risk >= self.withhold else "flag"

    def fits(self, backbone: str, adapter: str | None) -> bool:
        """Whether it was fitted on drafts of this backbone with this adapter."""
        return (self.backbone, self.adapter) == (backbone, adapter)

    def save(self, path: Path) -> None:
        """Write the model as JSON."""
        told = {"schema": SCHEMA, **asdict(self)}
        write_file(path, (json.dumps(told, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> RiskModel:
        """Read what `save` wrote; BackboneError for a file that is damaged or of another form."""
        try:
            told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if told.pop("schema") != SCHEMA:
                raise ValueError(SCHEMA)
            told["scale"] = tuple(float(x) for x in told["scale"])
            told["polarities"] = {k: Weights(**v) for k, v in told["polarities"].items()}
            return cls(**told)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackboneError(
                f"The risk model in {path.parent.name!r} is damaged ({type(error).__name__}); "
                "make it again with `wetread calibrate`."
            ) from None


def log_odds(value: float) -> float:
    """The log-odds of a probability that is held away from 0 and 1."""
    held = min(max(value, CLIP), 1 - CLIP)
    return math.log(held / (1 - held))


def sigmoid(odds: float) -> float:
    """The probability of log-odds, in (0, 1)."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))
