"""From packed films and blocks of phantoms to a folder with the generator: two stages by the clock.

    python -m adapters.generator.films --data DATA --out films.zip
    python -m adapters.generator.scenes --folder SCENES &
    python -m adapters.generator.train autoencoder --films films.zip --scenes SCENES --out OUT
    python -m adapters.generator.train flow --films films.zip --scenes SCENES --out OUT

A stage that finds its weights in OUT/vae or OUT/transformer goes on with them under `--go-on`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from PIL import Image

from adapters.generator.autoencoder import (
    TINY,
    AutoencoderRecipe,
    LatentEncoder,
    load_autoencoder,
    restoration_figures,
    set_latent_scale,
    train_autoencoder,
)
from adapters.generator.blocks import Blocks, from_unit, to_unit, wait_for_blocks
from adapters.generator.conditions import (
    DEBONE,
    ENHANCE,
    Condition,
    PlacedClaim,
)
from adapters.generator.degradations import spoil
from adapters.generator.examples import FlowExamples, build_examples
from adapters.generator.films import RealFilms, unpack
from adapters.generator.flow import TINY_FLOW, FlowRecipe, train_flow
from adapters.generator.networks import ClaimEncoder, build_scheduler
from adapters.generator.pipeline import FilmPipeline
from adapters.generator.scenes import FILM
from assistant.chest.places import SIDES, ZONES
from assistant.chest.probe_labels import LABEL_KEYS, ZONED
from assistant.chest.vocabulary import NORMAL, PHANTOM_FINDINGS
from assistant.types import Assertion

VAE, TRANSFORMER, CLAIMS = "vae", "transformer", "claims"
SIDED = {finding for finding, side, _, _ in LABEL_KEYS if side}


def _say(text: str) -> None:
    sys.stdout.write(f"[{time.strftime('%H:%M:%S')}] {text}\n")
    sys.stdout.flush()


def _load(given: argparse.Namespace, device: torch.device) -> tuple[RealFilms, Blocks, Blocks]:
    """Real films, blocks to learn from, and the block that is kept apart."""
    real = unpack(given.films)
    _say(f"{len(real.films)} real films")
    held_out = Blocks(given.scenes, device, first=0, last=1)
    wait_for_blocks(held_out, 1)
    blocks = Blocks(given.scenes, device, first=1)
    return real, blocks, held_out


def run_autoencoder(given: argparse.Namespace, device: torch.device) -> None:
    """Train the autoencoder, measure it and write it."""
    real, blocks, held_out = _load(given, device)
    recipe = TINY if given.tiny else AutoencoderRecipe()
    films = torch.from_numpy(real.films[:, None]).to(device)
    folder = given.out / VAE
    begun = load_autoencoder(folder, device) if given.go_on and folder.is_dir() else None
    model: Any = train_autoencoder(recipe, films, blocks, given.minutes, _say, begun)
    model.eval()
    known = blocks.arrays["films"]
    probe = known[torch.randperm(len(known), device=device)[:1024]]
    set_latent_scale(model, torch.cat([films[torch.randperm(len(films))[:1024]], probe]))
    model.to(memory_format=torch.contiguous_format)
    model.save_pretrained(folder)
    fresh = held_out.arrays["films"][held_out.of_kind(FILM)]
    for name, some_films in (("phantoms kept apart", fresh), ("real, learnt from", films[:256])):
        psnr, ssim = restoration_figures(model, some_films)
        _say(f"{name} ({len(some_films)}): PSNR {psnr:.2f} dB, SSIM {ssim:.4f}")
    spreads = np.round(np.array(model.config.latents_std), 2).tolist()
    _say(f"spread of the latents: {spreads}")


def run_flow(given: argparse.Namespace, device: torch.device) -> None:
    """Train the flow on the autoencoder's latents, write the pipeline and a page of samples."""
    real, blocks, held_out = _load(given, device)
    blocks.last = given.blocks
    wait_for_blocks(blocks, 64 if given.tiny else 1500)
    model: Any = load_autoencoder(given.out / VAE, device)
    begin = time.monotonic()
    spoilt = 96 if given.tiny else given.spoilt
    examples: FlowExamples = build_examples(
        blocks, real, LatentEncoder(model), copies=2 if given.tiny else given.copies, spoilt=spoilt
    )
    sizes = {name: len(group.target) for name, group in examples.groups.items()}
    _say(f"{len(examples.latents)} latents in {time.monotonic() - begin:.0f} s; examples {sizes}")
    begun = None
    if given.go_on and (given.out / TRANSFORMER).is_dir():
        begun = (
            PixArtTransformer2DModel.from_pretrained(
                given.out / TRANSFORMER, local_files_only=True, torch_dtype=torch.float32
            ),
            ClaimEncoder.from_pretrained(
                given.out / CLAIMS, local_files_only=True, torch_dtype=torch.float32
            ),
        )
    recipe = TINY_FLOW if given.tiny else FlowRecipe()
    if given.batch:
        recipe = FlowRecipe(batch=given.batch)
    flow, claims = train_flow(recipe, examples, given.minutes, _say, begun)
    model.to(memory_format=torch.contiguous_format)
    pipeline = FilmPipeline(model, flow, claims, build_scheduler())
    write_pipeline(pipeline, given.out)
    pipeline = pipeline.to(torch.bfloat16 if device.type == "cuda" else torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pages = given.pages or given.out
    sample_page(pipeline, pages / "samples.png")
    task_page(pipeline, held_out, pages / "tasks.png")
    _say("pages written")


def write_pipeline(pipeline: FilmPipeline, folder: Path) -> None:
    """Write the pipeline with weights of 16 bits."""
    halves = FilmPipeline(
        _half(pipeline.vae),
        _half(pipeline.transformer),
        _half(pipeline.claims),
        pipeline.scheduler,
    )
    halves.save_pretrained(folder)


def _half(part: Any) -> Any:
    copy = type(part).from_config(part.config)
    copy.load_state_dict(part.state_dict())
    return copy.to(torch.float16)


def _wanted(style: str) -> list[Condition]:
    """A healthy film of a style and one with each of a few findings, each with a place."""
    claims = [Assertion(NORMAL)]
    for number, finding in enumerate(PHANTOM_FINDINGS[:8]):
        zoned = finding in ZONED
        sided = zoned or finding in SIDED
        side = SIDES[number % 2] if sided else None
        claims.append(Assertion(finding, "present", side, ZONES[number % 3] if zoned else None))
    return [Condition(style=style, claims=(PlacedClaim(claim),)) for claim in claims]


def sample_page(pipeline: FilmPipeline, path: Path, guidance: float = 2.5) -> None:
    """A page of films: a column a condition, a row a style."""
    styles = ("A", "B", "C", "D", "openi", "openi", "openi", "nih")
    wanted = [condition for style in styles for condition in _wanted(style)]
    generator = torch.Generator().manual_seed(0)
    films = pipeline(wanted, guidance_scale=guidance, generator=generator, output_type="np").images
    rows = films.reshape(len(styles), -1, *films.shape[1:])
    page = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    Image.fromarray((page * 255).astype(np.uint8)).save(path)


def task_page(pipeline: FilmPipeline, held_out: Blocks, path: Path) -> None:
    """A page of films, what the tasks made of them, and what was to be made."""
    films = held_out.arrays["films"][held_out.of_kind(FILM)[: len(ENHANCE)]]
    unit = to_unit(films)
    spoilt = torch.cat([spoil(unit[i : i + 1], task) for i, task in enumerate(ENHANCE)])
    wanted = [Condition(task) for task in ENHANCE]
    generator = torch.Generator().manual_seed(0)
    restored = pipeline(
        wanted, (spoilt + 1) / 2, guidance_scale=1.0, generator=generator, output_type="pt"
    ).images
    soft = pipeline(
        [Condition(DEBONE)] * len(ENHANCE), (unit + 1) / 2, guidance_scale=1.0,
        generator=generator, output_type="pt",
    ).images  # fmt: skip
    rows = [from_unit(spoilt), from_unit(restored.float() * 2 - 1), films]
    rows.append(from_unit(soft.float() * 2 - 1))
    page = np.concatenate([np.concatenate(list(row[:, 0].cpu().numpy()), axis=1) for row in rows])
    Image.fromarray(page).save(path)


def main(arguments: list[str] | None = None) -> int:
    """Run one stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("autoencoder", "flow"))
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--spoilt", type=int, default=36_000, help="films to be restored")
    parser.add_argument("--copies", type=int, default=10, help="of each real film")
    parser.add_argument("--blocks", type=int, default=100_000, help="the first is kept apart")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--go-on", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args(arguments)
    torch.manual_seed(given.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    # SSIM is a difference of squares: ten bits of mantissa would drown it.
    torch.backends.cudnn.allow_tf32 = False
    given.out.mkdir(parents=True, exist_ok=True)
    (run_autoencoder if given.stage == "autoencoder" else run_flow)(given, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
