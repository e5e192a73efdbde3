"""How long one draft and one painting take on this machine, and how large the weights are."""

from __future__ import annotations

import time
from collections.abc import Callable

from assistant import Assistant
from assistant.types import OnProgress
from evals.data.phantoms import as_film, make_phantoms
from evals.options import SuiteOptions
from evals.results import PartResult, figure_of, median_of

TIMES = 9
MEGABYTE = 1_000_000


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Median seconds for a draft and for a painting, each after a first one that does not count."""
    times = min(TIMES, options.film_count(TIMES))
    test_phantoms = list(make_phantoms(options.seed, range(times + 1), options.site))
    draft_seconds, painting_seconds = [], []
    for number, phantom in enumerate(test_phantoms):
        film, prompt = as_film(phantom), phantom.impression
        draft_seconds.append(_time_call(lambda f=film: assistant.draft(f, neighbours=0)))
        painting_seconds.append(
            _time_call(lambda p=prompt, s=number: assistant.paint(p, seed=s, site=options.site))
        )
        on_progress(number + 1, len(test_phantoms))
    figures = {
        "speed/one draft, median seconds": median_of(draft_seconds[1:]),
        "speed/one painting, median seconds": median_of(painting_seconds[1:]),
    }
    return PartResult(figures, (), {}, f"{times} phantoms")


def _time_call(job: Callable[[], object]) -> float:
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
