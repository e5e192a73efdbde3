"""Train the small network that classifies the view of a film, and write its weights.

    python -m adapters.view_classifier.train --films OPENI --films HANNOVER --out
    assistant/chest/view.safetensors

`--films` names folders of real films, which are optional; phantoms come from the cache in
`--work`. It takes a few minutes on one core. The figures printed at the end are on held-out films.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from safetensors.torch import save_file
from torch.nn import functional as F

from adapters.view_classifier.films import ViewFilms, gather_films
from assistant.atomic import new_file
from assistant.chest.view_classifier import (
    EDGE,
    FRONTAL,
    LATERAL,
    MIN_CERTAINTY,
    NONE,
    ViewNet,
    prepare_picture,
)
from assistant.paths import cache_folder
from assistant.types import OnMessage

# Films of each kind in a batch, more of the kinds that are harder to tell apart.
SHARES = {
    "phantoms": 18,
    "real": 18,
    "lateral": 16,
    "turned": 18,
    "turned lateral": 6,
    "elsewhere": 12,
    "patterns": 18,
    "pieces": 8,
    "tilted": 6,
}
SENSITIVITY = 0.99  # share of held-out frontal films, phantoms and real, that reach the limit
LIMITS = (0.2, 0.8)  # the lowest and the highest limit


@dataclass(frozen=True, slots=True)
class ViewTrainingSettings:
    """How long to train, how fast, and on how many films."""

    steps: int = 1000
    rate: float = 2e-3
    count: int = 600  # films of each drawn kind
    seed: int = 1


DEFAULTS = ViewTrainingSettings()


def draw_batch(rng: np.random.Generator, sources: ViewFilms) -> tuple[np.ndarray, np.ndarray]:
    """Draw a batch: films (B, 64, 64) in [0, 1] and their kinds (B,)."""
    films, kinds = [], []
    for name, count in SHARES.items():
        for _ in range(count):
            film, kind = _draw_film(rng, sources, name)
            films.append(film)
            kinds.append(kind)
    return np.stack(films), np.array(kinds)


def _draw_film(rng: np.random.Generator, sources: ViewFilms, name: str) -> tuple[np.ndarray, int]:
    real = len(sources.real) > 0 and rng.random() < 0.5
    chest = sources.real if real or (name == "real" and len(sources.real)) else sources.phantoms
    if name in ("lateral", "turned lateral"):
        is_real = len(sources.real_lateral) > 0 and rng.random() < 0.6
        laterals = sources.real_lateral if is_real else sources.lateral
        film, kind = _pick_film(rng, laterals), LATERAL
        film = _warp(rng, film, zoom=(0.65, 1.15))
    elif name in ("elsewhere", "patterns"):
        pictures = sources.elsewhere if name == "elsewhere" else sources.patterns
        return _change_exposure(
            rng, _flip_randomly(rng, _warp(rng, _pick_film(rng, pictures), turn=180))
        ), NONE
    elif name == "pieces":
        return _change_exposure(
            rng, _cut_to_pieces(rng, _pick_film(rng, chest) / np.float32(255))
        ), NONE
    elif name == "tilted":
        tilt = rng.uniform(35, 55) + 90 * rng.integers(4)
        return _change_exposure(rng, _warp(rng, _pick_film(rng, chest), turn=0, tilt=tilt)), NONE
    else:
        film, kind = _warp(rng, _pick_film(rng, chest)), FRONTAL
    film = _change_exposure(rng, film)
    if name.startswith("turned"):
        # Every orientation except the right one: quarter turns, inverted or not.
        orientation = int(rng.integers(1, 8))
        film, kind = np.rot90(1 - film if orientation >= 4 else film, orientation % 4), NONE
    return film, kind


def _pick_film(rng: np.random.Generator, films: np.ndarray) -> np.ndarray:
    film = films[int(rng.integers(len(films)))]
    return film[:, ::-1] if rng.random() < 0.5 else film


def _flip_randomly(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    film = film[::-1] if rng.random() < 0.3 else film
    return 1 - film if rng.random() < 0.3 else film


def _warp(
    rng: np.random.Generator,
    film: np.ndarray,
    *,
    turn: float = 10,
    tilt: float = 0,
    zoom: tuple[float, float] = (0.8, 1.2),
) -> np.ndarray:
    """A film uint8 (96, 96) as float32 (64, 64), slightly turned, shifted and scaled."""
    angle = np.deg2rad(tilt + rng.uniform(-turn, turn))
    scale = rng.uniform(*zoom, size=2) * rng.uniform(0.95, 1.05)
    cos, sin = np.cos(angle), np.sin(angle)
    move = rng.uniform(-0.12, 0.12, 2)
    matrix = np.array(
        [[cos * scale[0], -sin * scale[1], move[0]], [sin * scale[0], cos * scale[1], move[1]]],
        np.float32,
    )
    grid = F.affine_grid(torch.from_numpy(matrix)[None], [1, 1, EDGE, EDGE], align_corners=False)
    picture = torch.from_numpy(film.astype(np.float32) / 255)[None, None]
    edge = "border" if rng.random() < 0.3 else "zeros"
    warped = F.grid_sample(picture, grid, padding_mode=edge, align_corners=False)
    return warped[0, 0].numpy()


def _change_exposure(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """The film with another exposure, contrast, noise and collimation."""
    film = film ** np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.4:
        film = film + rng.normal(0, rng.uniform(0.005, 0.06), film.shape)
    if rng.random() < 0.2:  # a border: black, or white as of a scanned film
        edge = int(rng.integers(1, 9))
        side = int(rng.integers(4))
        film = np.rot90(film, side).copy()
        film[:edge] = rng.choice((0.0, 1.0))
        film = np.rot90(film, -side)
    if rng.random() < 0.3:
        film = film * rng.uniform(0.15, 1)
    return np.clip(film, 0, 1).astype(np.float32)


def _cut_to_pieces(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A radiograph without its anatomy: a small part enlarged, or quarters in another order."""
    size = len(film)
    if rng.random() < 0.5:
        part = int(size * rng.uniform(0.2, 0.42))
        y, x = rng.integers(0, size - part, 2)
        piece = torch.from_numpy(film[y : y + part, x : x + part].copy())[None, None]
        return F.interpolate(piece, (EDGE, EDGE), mode="bilinear")[0, 0].numpy()
    half = size // 2
    parts = [film[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    order = rng.permutation(4)
    while (order == np.arange(4)).all():
        order = rng.permutation(4)
    mixed = [np.rot90(parts[i], int(rng.integers(4))) for i in order]
    whole = np.block([[mixed[0], mixed[1]], [mixed[2], mixed[3]]])
    return F.adaptive_avg_pool2d(torch.from_numpy(whole.copy())[None], EDGE)[0].numpy()


def fit_view_net(
    sources: ViewFilms, settings: ViewTrainingSettings, on_message: OnMessage
) -> ViewNet:
    """Train the network on films of the split train."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net = ViewNet().train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, settings.steps)
    for step in range(1, settings.steps + 1):
        films, kinds = draw_batch(rng, sources)
        logits = net(torch.from_numpy(prepare_picture(films)))
        loss = F.cross_entropy(logits, torch.from_numpy(kinds), label_smoothing=0.01)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            accuracy = float((logits.argmax(dim=1).numpy() == kinds).mean())
            on_message(
                f"step {step} of {settings.steps}: loss {loss.item():.4f}, right {accuracy:.3f}"
            )
    return net.eval()


@torch.inference_mode()
def predict_views(net: ViewNet, films: np.ndarray) -> np.ndarray:
    """Predict the probabilities (N, 3) of the kinds for films uint8 (N, 96, 96)."""
    squares = F.adaptive_avg_pool2d(torch.from_numpy(films.astype(np.float32) / 255), EDGE).numpy()
    return net(torch.from_numpy(prepare_picture(squares))).softmax(dim=1).numpy()


def fit_limit(net: ViewNet, held_out: ViewFilms, on_message: OnMessage) -> None:
    """Set the limit so that nearly all held-out frontal films reach it, and report the result."""
    frontal = [films for films in (held_out.phantoms, held_out.real) if len(films)]
    scores = [predict_views(net, films)[:, FRONTAL] for films in frontal]
    limit = min(float(np.quantile(one, 1 - SENSITIVITY)) for one in scores)
    net.limit.fill_(round(float(np.clip(limit, *LIMITS)), 2))
    on_message(f"limit {float(net.limit):.2f}")
    for name in ("phantoms", "real", "lateral", "real_lateral", "elsewhere", "patterns"):
        films = getattr(held_out, name)
        if len(films):
            views = predict_views(net, films)
            accepted = views[:, FRONTAL] >= float(net.limit)
            lateral = views[:, LATERAL] >= MIN_CERTAINTY
            on_message(
                f"held-out {name}: {accepted.sum()} of {len(films)} taken for frontal chest films, "
                f"{lateral.sum()} for laterals"
            )


def main(
    out: Annotated[Path, typer.Option(help="File of weights to write.")],
    films: Annotated[list[Path] | None, typer.Option(help="Folders of real films.")] = None,
    work: Annotated[Path | None, typer.Option(help="Cache of phantoms.")] = None,
    steps: int = DEFAULTS.steps,
    count: int = DEFAULTS.count,
) -> None:
    """Train the view network and write its weights."""
    console = Console(highlight=False)
    settings = ViewTrainingSettings(steps=steps, count=count)
    work_folder, folders = work or cache_folder() / "train", films or []
    train = gather_films(work_folder, folders, count, "train", settings.seed, console.print)
    net = fit_view_net(train, settings, console.print)
    held_out = gather_films(
        work_folder, folders, max(20, count // 4), "validation", settings.seed, console.print
    )
    fit_limit(net, held_out, console.print)
    weights = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    with new_file(out) as temporary:
        save_file(weights, temporary)


if __name__ == "__main__":
    typer.run(main)
