"""Which films are written about: the gate asked of each, and put right where that is wished.

A film that the gate refuses is not written about, unless someone insists; its report says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.backbones.base import Encoded
from assistant.backbones.janus import JanusBackbone
from assistant.corrections import correct_film
from assistant.gate import judge_film
from assistant.types import Film, Gate, Study


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """A study whose film was looked at, and whether it is to be written about."""

    study: Study
    encoded: Encoded
    gate: Gate
    read: bool


def admit(
    backbone: JanusBackbone, studies: Sequence[Study], *, correct: bool, anyway: bool
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


def _asked(backbone: JanusBackbone, studies: Sequence[Study], anyway: bool) -> list[Admitted]:
    films = [study.films[0] for study in studies]
    made = []
    for study, film, code in zip(studies, films, backbone.encode(films), strict=True):
        gate = gate_of(backbone, film, code)
        made.append(Admitted(study, code, gate, anyway or gate.answer != "refuse"))
    return made


def gate_of(backbone: JanusBackbone, film: Film, encoded: Encoded) -> Gate:
    """What the gate says of a film that is encoded."""
    return judge_film(backbone.reference, encoded.profile, backbone.card["knows"], film)


def _put_right(one: Admitted) -> Study:
    first, *others = one.study.films
    return replace(one.study, films=(correct_film(first, str(one.gate.correction)), *others))
