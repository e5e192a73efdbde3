"""The weights that ours and the peer's runs share: `mini` as a plain Janus checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoTokenizer, GenerationConfig

from assistant.backbones.hashes import HASHES
from assistant.backbones.janus.model import Janus
from assistant.backbones.loading import backbone_folder
from assistant.intake.resize import batch_of
from assistant.prompts import film_prompt, paint_prompt, report_request
from assistant.types import Film
from evals.data.phantoms import as_film, make_phantoms

SEED = 4711
MOST = 192  # tokens of a report, at most: those of `Sampling`


def copy_plain_janus(scratch: Path) -> Path:
    """A copy of `mini` without its probe, so that it drafts as any Janus does: film to text."""
    folder = scratch / "janus"
    if not folder.is_dir():
        left_out = ignore_patterns("probe.safetensors", "measures.safetensors", "risk.json")
        copytree(backbone_folder("mini"), folder, ignore=left_out)
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        card.pop(HASHES, None)  # they name the files that are left out
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class PeerCheckpoint:
    """A checkpoint with transformers' own `generate`, as a plain script has it."""

    model: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path, adapter: str | None = None) -> PeerCheckpoint:
        """Load a checkpoint; an adapter is merged into it, which is its fastest form."""
        model: Any = Janus.from_pretrained(folder, dtype=torch.float32)
        if adapter:
            model = PeftModel.from_pretrained(model, str(folder / "adapters" / adapter))
            model = model.merge_and_unload()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(model.eval().to(device), AutoTokenizer.from_pretrained(folder))

    @torch.inference_mode()
    def write(self, film: Film) -> str:
        """The report of one film, greedily."""
        model, tokenizer = self.model, self.tokenizer
        pixels = torch.from_numpy(batch_of([film], model.config.vision_config.image_size))
        tokens = model.config.vision_config.num_image_tokens
        inputs = tokenizer(
            film_prompt(tokenizer, tokens, report_request()),
            return_tensors="pt",
            add_special_tokens=False,
        )
        out = model.generate(
            **inputs.to(model.device),
            pixel_values=pixels.to(model.device),
            generation_config=GenerationConfig(
                max_length=None,
                max_new_tokens=MOST,
                eos_token_id=tokenizer.eos_token_id,
                bos_token_id=tokenizer.bos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            ),
        )
        return tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    @torch.inference_mode()
    def paint(self, words: str, guidance: float) -> np.ndarray:
        """One painting, greedily: float32 (H, W) in [0, 1]."""
        model, tokenizer = self.model, self.tokenizer
        inputs = tokenizer(
            [paint_prompt(tokenizer, words)], return_tensors="pt", add_special_tokens=False
        ).to(model.device)
        boi = tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
        tokens = model.generate(
            **inputs,
            generation_mode="image",
            generation_config=GenerationConfig(
                do_sample=False,
                guidance_scale=guidance,
                max_length=inputs["input_ids"].shape[1]
                + model.config.vision_config.num_image_tokens,
                bos_token_id=tokenizer.bos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                generation_kwargs={"boi_token_id": boi},
            ),
        )
        picture = model.decode_image_tokens(tokens).mean(dim=-1)[0]
        return picture.add(1).div(2).clamp(0, 1).cpu().numpy()


def make_films(count: int) -> list[Film]:
    """Make films of phantoms that no training has seen."""
    return [as_film(phantom) for phantom in make_phantoms(SEED, range(count))]
