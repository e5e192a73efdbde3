"""Applies the risk model: how likely a sentence is false for this film, and what to do with it.

One logistic model for each polarity weighs the signals of each claim; more support never raises
the risk. The riskiest claim sets the sentence's risk, which is calibrated on sentences that the
backbone itself wrote about films of known truth. The model is a short readable table that names
what it was fitted on, and it holds for that backbone and adapter only. `adapters.calibration`
fits it; this module only applies it.
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
from assistant.parsing import parse_json
from assistant.types import Action, Assertion

SCHEMA = "wetread.risk/1"
FILE = "risk.json"
CLIP = 0.001  # signals are clipped this far from 0 and 1, so that none decides alone


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the logistic model for claims of one polarity."""

    bias: float
    signals: Mapping[str, float]  # log-odds of risk that one log-odds of support takes off
    missing: Mapping[str, float]  # added where a signal could not be taken
    findings: Mapping[str, float]  # added for a claim about this finding


@dataclass(frozen=True, slots=True)
class RiskModel:
    """The fitted risk model with its action thresholds."""

    backbone: str  # revision whose drafts it was fitted on
    adapter: str | None
    fitted_on: str  # in words
    sentences: int
    samples: int  # other drafts of each film that the agreement was taken from
    error: float  # allowed rate of false sentences among those kept
    keep: float  # the highest risk that is kept
    withhold: float  # the lowest risk that is withheld
    scale: tuple[float, float]  # slope and shift from the riskiest claim's log-odds to the risk's
    polarities: Mapping[str, Weights]
    floor: float | None = None  # similarity below which a case tells nothing; None: not known

    def log_odds_of(self, claim: Assertion, signals: Signals) -> float | None:
        """Return the log-odds that a claim is false; None where its polarity was not fitted."""
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

    def risk_of(self, claims: Sequence[tuple[Assertion, Signals]]) -> float | None:
        """Return the calibrated probability that a sentence is false; None if no claim has one."""
        odds = [
            o for claim, signals in claims if (o := self.log_odds_of(claim, signals)) is not None
        ]
        if not odds:
            return None
        return sigmoid(self.scale[0] * max(odds) + self.scale[1])

    def action_for(self, risk: float) -> Action:
        """Return what to do with a sentence of this risk."""
        if risk <= self.keep:
            return "keep"
        return "withhold" if risk >= self.withhold else "flag"

    def fits(self, backbone: str, adapter: str | None) -> bool:
        """Return whether it was fitted on drafts of this backbone with this adapter."""
        return (self.backbone, self.adapter) == (backbone, adapter)

    def save(self, path: Path) -> None:
        """Write the model as JSON."""
        values = {"schema": SCHEMA, **asdict(self)}
        write_file(path, (json.dumps(values, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> RiskModel:
        """Read what `save` wrote; raises BackboneError for a damaged file or another schema."""
        try:
            values: dict[str, Any] = parse_json(path.read_bytes())
            if values.pop("schema") != SCHEMA:
                raise ValueError(SCHEMA)
            values["scale"] = tuple(float(x) for x in values["scale"])
            values["polarities"] = {k: Weights(**v) for k, v in values["polarities"].items()}
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackboneError(
                f"The risk model in {path.parent.name!r} is damaged ({type(error).__name__}); "
                "make it again with `wetread calibrate`."
            ) from None


def log_odds(value: float) -> float:
    """Return the log-odds of a probability, clipped away from 0 and 1."""
    clipped = min(max(value, CLIP), 1 - CLIP)
    return math.log(clipped / (1 - clipped))


def sigmoid(odds: float) -> float:
    """Return the probability, in (0, 1), of log-odds."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))
