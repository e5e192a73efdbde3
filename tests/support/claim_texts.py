"""Texts to label, and what is read from one as short strings."""

from __future__ import annotations

from hypothesis import strategies as st

from assistant.labeller.labeller import find_assertions

WORDS = (  # noqa: SIM905 (a list of forty literals is harder to read)
    "no not without neither nor or and , . ; : / but with possible may represent cannot be "
    "excluded is absent has resolved history of right left bilateral upper lower lobe zone base "
    "small mild large 12 1.2 mm cm x effusion effusions pneumothorax heart enlarged normal lungs "
    "clear consolidation nodule edema XXXX the there unchanged ~ ? | a|b"
).split()
ANY_TEXT = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
)


def read_claims(text: str) -> list[str]:
    """Claims as short strings: "-pneumothorax", "?pneumonia", "nodule left upper small 12.0"."""
    sign = {"present": "", "absent": "-", "uncertain": "?"}
    return [
        " ".join(
            [sign[c.polarity] + c.finding]
            + [str(x) for x in (c.side, c.zone, c.degree, c.measurement_mm) if x is not None]
        )
        for c in find_assertions(text)
    ]
