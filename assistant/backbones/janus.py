"""The Janus architecture of transformers, which sees, writes and paints with one model.

It knows nothing of medicine: it is told what to ask, and gives back what the model said.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    GenerationMixin,
    JanusForConditionalGeneration,
)

from assistant.backbones.base import Encoded, Identity, Sampling, Written
from assistant.backbones.pixels import batch_of
from assistant.backbones.pooling import pool
from assistant.errors import BackboneError
from assistant.prompts import film_prompt, paint_prompt
from assistant.types import Film

FILES = ("config.json", "model.safetensors", "tokenizer.json", "card.json", "reference.safetensors")


class JanusBackbone:
    """A Janus checkpoint as encoder, writer and painter; one call at a time."""

    def __init__(self, folder: Path) -> None:
        """Load a checkpoint folder; BackboneError says what is missing from it."""
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BackboneError(
                f"The backbone folder {folder.name!r} lacks {', '.join(missing)}; "
                "name a folder that `wetread train` has written, or `mini`."
            )
        weights = folder / "model.safetensors"
        try:
            self._model: Any = JanusForConditionalGeneration.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            ).eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.reference = load_file(folder / "reference.safetensors")
            self.card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise BackboneError(
                f"The backbone in {folder.name!r} cannot be loaded ({type(error).__name__}); "
                "its files do not belong together or are damaged, so get them again."
            ) from None
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._lock = threading.Lock()
        digest = hashlib.sha256(weights.read_bytes())
        digest.update((folder / "reference.safetensors").read_bytes())
        self.identity = Identity(self.card["name"], digest.hexdigest(), self.card["licence"])

    @property
    def encoder_id(self) -> str:
        """Name and weights: the same film has the same embedding as long as this stays."""
        return f"{self.identity.name}@{self.identity.revision[:16]}"

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return len(self.reference["pool_mean"])

    @torch.inference_mode()
    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch; features are float32 (patches, width)."""
        vision = self._model.model.vision_model
        pixels = torch.from_numpy(batch_of(films, vision.config.image_size))
        with self._lock:
            hidden = vision(pixel_values=pixels.to(self._model.device)).last_hidden_state.cpu()
        pooled = pool(hidden.numpy())
        embeddings = (pooled - self.reference["pool_mean"]) / self.reference["pool_scale"]
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True).clip(min=1e-6)
        return [
            Encoded(hidden[i], embeddings[i].astype(np.float32), pooled[i])
            for i in range(len(films))
        ]

    @torch.inference_mode()
    def write(
        self, encoded: Sequence[Encoded], requests: Sequence[str], sampling: Sampling
    ) -> list[Written]:
        """Write one text for each film and its request, in one batch.

        Greedy at temperature 0; otherwise sampled, and the same for the same seed.
        """
        if not encoded:
            return []
        model, tokenizer = self._model, self._tokenizer
        tokens = encoded[0].features.shape[0]
        prompts = [film_prompt(tokenizer, tokens, request) for request in requests]
        batch = tokenizer(
            prompts,
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        ).to(model.device)
        features = torch.stack([e.features for e in encoded]).to(model.device)
        with self._lock, torch.random.fork_rng(devices=[]):
            torch.manual_seed(sampling.seed)
            embeds = model.get_input_embeddings()(batch["input_ids"])
            place = (batch["input_ids"] == model.config.image_token_id).unsqueeze(-1)
            seen = model.model.aligner(features).to(embeds.dtype)
            # Janus's own `generate` only adds the painting, and warns when it merely writes.
            out = GenerationMixin.generate(  # pyright: ignore[reportAttributeAccessIssue]
                model,
                inputs_embeds=embeds.masked_scatter(place.expand_as(embeds), seen),
                attention_mask=batch["attention_mask"],
                generation_config=self._writing(sampling),
            )
            scores = model.compute_transition_scores(
                out.sequences, out.scores, normalize_logits=True
            )
        return [
            self._written(ids, logs)
            for ids, logs in zip(out.sequences.tolist(), scores.tolist(), strict=True)
        ]

    def _writing(self, sampling: Sampling) -> GenerationConfig:
        sampled = sampling.temperature > 0
        tokenizer = self._tokenizer
        return GenerationConfig(
            max_length=None,
            max_new_tokens=sampling.max_tokens,
            do_sample=sampled,
            temperature=sampling.temperature if sampled else None,
            top_k=0 if sampled else None,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            return_dict_in_generate=True,
            output_scores=True,
        )

    def _written(self, ids: list[int], logs: list[float]) -> Written:
        """The text of one row, up to its end mark, with the characters of every token."""
        end = self._tokenizer.eos_token_id
        stop = ids.index(end) if end in ids else len(ids)
        lengths = [len(self._tokenizer.decode(ids[:n])) for n in range(stop + 1)]
        spans = tuple(pairwise(lengths))
        return Written(self._tokenizer.decode(ids[:stop]), spans, tuple(logs[:stop]))

    @torch.inference_mode()
    def paint(
        self, prompt: str, *, count: int, seed: int, guidance: float, temperature: float
    ) -> list[np.ndarray]:
        """Paint `count` films, each float32 (H, W) in [0, 1], air dark; the same for a seed."""
        model, tokenizer = self._model, self._tokenizer
        batch = tokenizer(
            [paint_prompt(tokenizer, prompt)], return_tensors="pt", add_special_tokens=False
        ).to(model.device)
        settings = GenerationConfig(
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else None,
            top_k=0 if temperature > 0 else None,
            guidance_scale=guidance,
            num_return_sequences=count,
            max_length=batch["input_ids"].shape[1] + model.config.vision_config.num_image_tokens,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            generation_kwargs={
                "boi_token_id": tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
            },
        )
        with self._lock, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            codes = model.generate(**batch, generation_mode="image", generation_config=settings)
            painted = model.decode_image_tokens(codes).mean(dim=-1)  # (B, H, W)
        return [p.add(1).div(2).clamp(0, 1).cpu().numpy().astype(np.float32) for p in painted]
