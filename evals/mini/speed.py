"""How long one draft and one painting take on this machine, and how large the weights are."""

from __future__ import annotations

import time
from collections.abc import Callable

from assistant import Assistant
from assistant.types import OnProgress
from evals.data.phantoms import as_film, phantoms
from evals.options import SuiteOptions
from evals.results import PartResult, figure_of, median

TIMES = 9
MEGABYTE = 1_000_000


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Median seconds for a draft and for a painting, each after one that does not count."""
    times = min(TIMES, options.films(TIMES))
    made = list(phantoms(options.seed, range(times + 1), options.site))
    drafting, painting = [], []
    for number, phantom in enumerate(made):
        film, prompt = as_film(phantom), phantom.impression
        drafting.append(_seconds(lambda f=film: assistant.draft(f, neighbours=0)))
        painting.append(
            _seconds(lambda p=prompt, s=number: assistant.paint(p, seed=s, site=options.site))
        )
        on_progress(number + 1, len(made))
    figures = {
        "speed/one draft, median seconds": median(drafting[1:]),
        "speed/one painting, median seconds": median(painting[1:]),
    }
    return PartResult(figures, (), {}, f"{times} phantoms")


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def weight_megabytes(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """The size of all files of a backbone, its adapters among them."""
    files = [path for path in options.folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / MEGABYTE
    on_progress(1, 1)
    name = "size/all weights, MB"
    return PartResult({name: figure_of(size, len(files))}, (), {name: "n counts the files"})
