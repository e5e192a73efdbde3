"""The bars of the default backbone, measured on phantoms that it has never seen.

Each part is a module with a function `measure` that drives the assistant through its public
methods and returns figures; this module lists the parts and the bars of their figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType

from assistant.errors import SettingsError
from evals.mini import answers, copies, painting, report, retrieval, speed, tokeniser
from evals.options import MeasurePart
from evals.results import Bar

PARTS: Mapping[str, MeasurePart] = MappingProxyType(
    {
        "size": speed.weight_megabytes,
        "speed": speed.measure,
        "report": report.measure,
        "answers": answers.measure,
        "painting": painting.measure,
        "tokeniser": tokeniser.measure,
        "retrieval": retrieval.measure,
    }
)
BARS: Mapping[str, Bar] = MappingProxyType(
    {
        "report/present findings with side, micro-F1": Bar("at least", 0.95),
        "report/present findings with side, macro-F1": Bar("at least", 0.90),
        "report/wrong side among correct findings": Bar("at most", 0.01),
        "report/device recall": Bar("at least", 0.95),
        "report/device precision": Bar("at least", 0.95),
        "report/adapter minus base, micro-F1": Bar("at least", 0.0),
        "gate/false warnings on known films": Bar("at most", 0.03),
        answers.ALL: Bar("at least", 0.95),
        answers.NOT_SHOWN: Bar("at least", 0.95),
        painting.READ: Bar("at least", 0.90),
        painting.KID: Bar("at most"),
        copies.COPIES: Bar("at most"),
        tokeniser.PSNR: Bar("at least", 32.0),
        tokeniser.SSIM: Bar("at least", 0.92),
        retrieval.NAME: Bar("at least", 0.85),
        "speed/one draft, median seconds": Bar("at most", 2.0),
        "speed/one painting, median seconds": Bar("at most", 4.0),
        "size/all weights, MB": Bar("at most", 60.0),
    }
)


def check_libraries(parts: Sequence[str]) -> None:
    """SettingsError where a library that a part needs is not installed."""
    # Raised before an hour's work and not after it.
    if {"painting", "tokeniser"} & set(parts) and find_spec("torchmetrics") is None:
        raise SettingsError(
            "The parts painting and tokeniser need torchmetrics; install it with "
            "`pip install torchmetrics`, or name other parts with --only."
        )
