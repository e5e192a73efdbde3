"""Which films are written about: the gate asked of each, and put right where that is wished.

A film that the gate refuses is not written about, unless someone insists; its report says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.backbones.protocols import Backbone, Encoded
from assistant.gate import judge_film
from assistant.intake.orientation import correct_film
from assistant.types import Film, Gate, Study


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """A study whose film was looked at, and whether it is to be written about."""

    study: Study
    encoded: Encoded
    gate: Gate
    read: bool


def admit(
    backbone: Backbone, studies: Sequence[Study], *, correct: bool, anyway: bool
) -> list[Admitted]:
    """Look at each study's film and ask the gate.

    With `correct` a film that lies wrongly is put right as the gate says and asked about again;
    it bears the flag of what was done. With `anyway` what is refused is written about too.
    """
    admitted = _asked(backbone, studies, anyway)
    wrong = [i for i, one in enumerate(admitted) if correct and one.gate.correction]
    righted = [_put_right(admitted[i]) for i in wrong]
    for i, one in zip(wrong, _asked(backbone, righted, anyway), strict=True):
        admitted[i] = one
    return admitted


def _asked(backbone: Backbone, studies: Sequence[Study], anyway: bool) -> list[Admitted]:
    films = [study.films[0] for study in studies]
    made = []
    for study, film, code in zip(studies, films, backbone.encode(films), strict=True):
        gate = gate_of(backbone, film, code)
        # A writer of another family looks at all films of the study itself.
        code = replace(code, study=study)
        made.append(Admitted(study, code, gate, anyway or gate.answer != "refuse"))
    return made


def gate_of(backbone: Backbone, film: Film, encoded: Encoded) -> Gate:
    """What the gate says of a film that is encoded."""
    knows = str(backbone.card.get("knows", ""))
    return judge_film(backbone.reference, encoded.profile, knows, film)


def _put_right(one: Admitted) -> Study:
    first, *others = one.study.films
    return replace(one.study, films=(correct_film(first, str(one.gate.correction)), *others))
