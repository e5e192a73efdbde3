"""How an attempt ends, and what a refusal must be."""

from __future__ import annotations

from typing import Literal

from assistant.errors import WetreadError

Outcome = Literal["read", "refused", "fault"]

PATIENT = "Quizzical^Zebedee"  # stands where a patient's name may stand: no error may repeat it


def check_refusal(error: WetreadError) -> Outcome:
    """A refusal is one printable line that holds nothing of the patient's."""
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) < 2000, f"{len(text)} characters"
    assert PATIENT not in text
    assert text.encode("utf-8", "strict")
    return "refused"
