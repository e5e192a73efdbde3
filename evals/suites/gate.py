"""Does the gate refuse non-films, name the right correction, and let frontal chest films pass?

Blanks and noise are made here; photographs come from the packages that Wetread needs anyway;
lateral films and other body parts are drawn from a random stream that training never saw. Real
films come from a folder, where one is given.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from assistant import Assistant, WetreadError
from assistant.chest.lateral import make_lateral
from assistant.chest.other_body_parts import make_other_body_part
from assistant.chest.phantoms import SITES
from assistant.gate import judge_film
from assistant.intake import read_film
from assistant.intake.orientation import CORRECTIONS, correct_film
from assistant.intake.resize import restore_shape
from assistant.iterables import batched
from assistant.types import Film, Gate
from evals.bootstrap import ratio
from evals.data.phantoms import as_film, film_of, make_phantoms
from evals.data.real_films import tables_in
from evals.results import Bar, Figure, PartResult, compute_figure, figure_of
from retrieval import read_folder

USUAL, HELD_OUT = 200, 1000  # films of a kind; phantoms of site A
KINDS = ("blank", "noise", "photograph", "non-chest", "lateral")
WRONG, KNOWN = "phantoms of site A/refused", "phantoms of site A/passed"
BARS = {
    **{f"{kind}/refused": Bar("at least", 0.99) for kind in KINDS},
    WRONG: Bar("at most", 0.01),
    KNOWN: Bar("at least", 0.97),
}
TRAINING_MARKS = ("train", "training", "extra")  # of films that a gate may have learnt from
# Pictures in packages: none of them is in the training data.
_PICTURES = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("gradio", "media_assets/images/cheetah.jpg"),
    ("gradio", "media_assets/images/cheetah1.jpg"),
    ("gradio", "media_assets/images/groot.jpeg"),
    ("gradio", "media_assets/images/lion.jpg"),
    ("gradio", "media_assets/images/tower.jpg"),
)
# By correction, the change to a film that the correction reverses.
SPOILS = {
    "rotate 90": "rotate 270",
    "rotate 180": "rotate 180",
    "rotate 270": "rotate 90",
    "invert": "invert",
    "invert and rotate 90": "invert and rotate 270",
    "invert and rotate 180": "invert and rotate 180",
    "invert and rotate 270": "invert and rotate 90",
}
NamedFilm = tuple[str, Film]  # the unit that the interval resamples, and the film


def measure(
    assistant: Assistant,
    *,
    data: Path | None,
    n: int | None,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> PartResult:
    """Judge `n` films of each kind, or the default number of each, and those of `data`.

    `data` is a folder with a table of films, or one that holds such folders.
    """
    usual, held_out = n or USUAL, n or HELD_OUT
    figures: dict[str, Figure] = {}
    notes: dict[str, str] = {}
    cases: list[dict[str, Any]] = []
    films_by_kind: dict[str, Iterator[NamedFilm]] = {
        "blank": _blanks(seed, usual),
        "noise": _noise(seed, usual),
        "photograph": _photographs(seed, usual),
        "non-chest": _other_body_parts(seed, usual),
        "lateral": _laterals(seed, usual),
    }
    folders = [] if data is None else tables_in(data)
    total = len(films_by_kind) + len(SITES) + 1 + len(folders)
    for done, (kind, films) in enumerate(films_by_kind.items(), start=1):
        gates = _judge_films(assistant, films, kind, cases)
        figures[f"{kind}/refused"] = _share(gates, lambda gate: gate.answer == "refuse", usual)
        on_progress(done, total)
    if missing := usual - figures["photograph/refused"]["n"]:
        notes["photograph/refused"] = f"{missing} crops of pictures that are not installed"
    for site in SITES:
        count = held_out if site == "A" else usual
        films = (
            (str(i), as_film(p)) for i, p in enumerate(make_phantoms(seed, range(count), site))
        )
        gates = _judge_films(assistant, films, f"phantoms of site {site}", cases)
        name = f"phantoms of site {site}"
        figures[f"{name}/refused"] = _share(gates, lambda gate: gate.answer == "refuse", count)
        figures[f"{name}/passed"] = _share(gates, lambda gate: gate.answer == "pass", count)
        on_progress(len(films_by_kind) + 1 + list(SITES).index(site), total)
    figures |= _score_corrections(
        assistant, [as_film(p) for p in make_phantoms(seed, range(usual))], cases
    )
    on_progress(len(films_by_kind) + len(SITES) + 1, total)
    for done, folder in enumerate(folders, start=total - len(folders) + 1):
        figures |= _judge_folder(assistant, folder, n, cases)
        on_progress(done, total)
    material = f"{usual} films a kind, {held_out} phantoms of site A"
    return PartResult(figures, cases, notes, material)


def _judge_films(
    assistant: Assistant, films: Iterable[NamedFilm], kind: str, cases: list[dict[str, Any]]
) -> list[tuple[str, Gate]]:
    """Judge films; each gate comes with the unit that the interval resamples."""
    backbone = assistant.backbone
    gates = []
    for block in batched(films):
        for (name, film), code in zip(
            block, backbone.encode([film for _, film in block]), strict=True
        ):
            gate = judge_film(backbone.reference, code.profile, backbone.card["knows"], film)
            gates.append((name, gate))
            cases.append(
                {
                    "part": kind,
                    "film": film.sha256,
                    "gate": gate.answer,
                    "view": gate.view,
                    "score": gate.score,
                    "correction": gate.correction,
                }
            )
    return gates


def _share(gates: list[tuple[str, Gate]], holds: Callable[[Gate], bool], requested: int) -> Figure:
    """The share of films for which `holds` is true; films that are not available are unscored."""
    counts = np.array([[holds(gate), 1] for _, gate in gates], float).reshape(len(gates), 2)
    return compute_figure(
        counts, [name for name, _ in gates], ratio, unscored=requested - len(gates)
    )


def _score_corrections(
    assistant: Assistant, films: list[Film], cases: list[dict[str, Any]]
) -> dict[str, Figure]:
    """Score how often the gate names the right correction of turned and inverted films."""
    figures = {}
    for correction in CORRECTIONS:
        spoiled = [(film.sha256, correct_film(film, SPOILS[correction])) for film in films]
        gates = _judge_films(assistant, spoiled, f"needs: {correction}", cases)
        figures[f"turned/{correction} is named"] = _share(
            gates, lambda gate, right=correction: gate.correction == right, len(films)
        )
        figures[f"turned/{correction}, refused"] = _share(
            gates, lambda gate: gate.answer == "refuse", len(films)
        )
    return figures


def _judge_folder(
    assistant: Assistant, data: Path, n: int | None, cases: list[dict[str, Any]]
) -> dict[str, Figure]:
    """Judge the films of a folder as they are, and again with one of the seven wrong changes.

    Where the table keeps films for measuring, those that it marks for training are left out.
    """
    rows = read_folder(data)
    kept = [row for row in rows if (row.split or "train").lower() not in TRAINING_MARKS]
    rows = (kept or rows)[:n]
    films: list[NamedFilm] = []
    for row in rows:
        try:
            film = read_film(row.image)
            if row.shape:
                film = replace(film, pixels=restore_shape(film.pixels, row.shape))
        except WetreadError as error:
            cases.append({"part": data.name, "refused": str(error)})
            continue
        films.append((row.patient or film.sha256, film))
    gates = _judge_films(assistant, films, data.name, cases)
    corrections = [CORRECTIONS[i % len(CORRECTIONS)] for i in range(len(films))]
    spoiled = (
        (name, correct_film(film, SPOILS[correction]))
        for (name, film), correction in zip(films, corrections, strict=True)
    )
    spoiled_gates = _judge_films(assistant, spoiled, f"{data.name}, turned", cases)
    named_counts = np.array(
        [
            [gate.correction == correction, 1]
            for (_, gate), correction in zip(spoiled_gates, corrections, strict=True)
        ],
        float,
    ).reshape(len(spoiled_gates), 2)
    passed = _share(gates, lambda gate: gate.answer == "pass", len(rows))
    return {
        f"{data.name}/passed": passed,
        f"{data.name}/refused or warned": _share(
            gates, lambda gate: gate.answer in ("refuse", "warn"), len(rows)
        ),
        f"{data.name}/refused": _share(gates, lambda gate: gate.answer == "refuse", len(rows)),
        f"{data.name}/turned, right correction named": compute_figure(
            named_counts,
            [name for name, _ in spoiled_gates],
            ratio,
            unscored=len(rows) - len(spoiled_gates),
        )
        if spoiled_gates
        else figure_of(None, 0, unscored=len(rows)),
    }


def _blanks(seed: int, count: int) -> Iterator[NamedFilm]:
    """Films of one grey with faint detector noise and, at times, the bright box of a marker."""
    for number in range(count):
        rng = np.random.default_rng([seed, 1, number])
        pixels = np.full((256, 256), rng.random()) + rng.normal(0, 0.002, (256, 256))
        if rng.random() < 0.5:
            y, x = rng.integers(4, 230, 2)
            pixels[y : y + 16, x : x + 10] = 1
        yield str(number), film_of(np.clip(pixels, 0, 1))


def _noise(seed: int, count: int) -> Iterator[NamedFilm]:
    """Noise of every grain, from single pixels to clouds a tenth of the film wide."""
    for number in range(count):
        rng = np.random.default_rng([seed, 2, number])
        pixels = rng.normal(0, 1, (256, 256))
        if rng.random() < 0.7:
            pixels = gaussian_filter(pixels, np.exp(rng.uniform(0, np.log(25))))
        spread = rng.uniform(0.05, 0.3) / max(float(pixels.std()), 1e-9)
        yield str(number), film_of(np.clip(0.5 + pixels * spread, 0, 1))


def _photographs(seed: int, count: int) -> Iterator[NamedFilm]:
    """Crops of photographs as grey films, in turn from each of the installed pictures."""
    pictures = [
        (name, path) for package, name in _PICTURES if (path := _packaged_file(package, name))
    ]
    greys = [(name, np.asarray(Image.open(path).convert("L"))) for name, path in pictures]
    for number in range(count):
        # The number of a picture that is missing is left out, not given to another.
        wanted = _PICTURES[number % len(_PICTURES)][1]
        for name, grey in greys:
            if name == wanted:
                yield name, _crop(np.random.default_rng([seed, 3, number]), grey)


def _packaged_file(package: str, name: str) -> Path | None:
    """A file inside an installed package, without loading the package; None if there is none."""
    spec = importlib.util.find_spec(package)
    paths = [Path(path) / name for path in (spec and spec.submodule_search_locations) or ()]
    return next((path for path in paths if path.is_file()), None)


def _crop(rng: np.random.Generator, grey: np.ndarray) -> Film:
    height, width = grey.shape
    share = rng.uniform(0.4, 1, 2)
    rows, columns = max(64, int(height * share[0])), max(64, int(width * share[1]))
    top = int(rng.integers(0, max(1, height - rows + 1)))
    left = int(rng.integers(0, max(1, width - columns + 1)))
    part = grey[top : top + rows, left : left + columns].astype(np.float32) / 255
    return film_of(part[:, ::-1] if rng.random() < 0.5 else part)


def _other_body_parts(seed: int, count: int) -> Iterator[NamedFilm]:
    for number in range(count):
        site = tuple(SITES)[number % len(SITES)]
        part, film = make_other_body_part(seed, number, site, "test")
        yield f"{part}-{number}", film_of(film.astype(np.float32) / 255)


def _laterals(seed: int, count: int) -> Iterator[NamedFilm]:
    for number in range(count):
        site = tuple(SITES)[number % len(SITES)]
        yield str(number), film_of(make_lateral(seed, number, site, "test") / np.float32(255))
