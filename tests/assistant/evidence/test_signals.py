"""What a probe says of a claim: labels of its place speak first, those of elsewhere never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.evidence.signals import probe_signal
from assistant.types import Assertion, LabelProbability, ProbeOutput

CHANCES = st.floats(0, 1)
FINDING = "nodule"


def output(chances: dict[tuple[str | None, str | None], float]) -> ProbeOutput:
    """A probe's output with one label for each side and zone."""
    labels = [
        LabelProbability(FINDING, side, zone, (), chance, 0.0)
        for (side, zone), chance in chances.items()
    ]
    return ProbeOutput(tuple(labels), {})


@pytest.mark.parametrize("polarity", ["present", "absent"])
@given(anywhere=CHANCES, left=CHANCES, right=CHANCES, upper=CHANCES)
def test_what_is_read_elsewhere_says_nothing_of_a_claims_place(
    polarity, anywhere, left, right, upper
):
    probe = output(
        {
            (None, None): anywhere,
            ("left", None): left,
            ("right", None): right,
            ("left", "upper"): upper,
        }
    )

    def said(side: str | None = None, zone: str | None = None) -> float | None:
        value = probe_signal(Assertion(FINDING, polarity, side, zone), probe)
        return value if value is None or polarity == "present" else 1 - value

    assert said("right") == pytest.approx(right)
    assert said("left") == pytest.approx(max(left, upper))
    assert said("left", "upper") == pytest.approx(upper)
    assert said() == pytest.approx(max(anywhere, left, right, upper))


@given(anywhere=CHANCES)
def test_a_finding_without_labels_of_sides_is_asked_as_a_whole(anywhere):
    claim = Assertion(FINDING, "present", "left", "upper")
    assert probe_signal(claim, output({(None, None): anywhere})) == pytest.approx(anywhere)
    assert probe_signal(claim, output({})) is None
