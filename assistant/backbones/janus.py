"""The Janus architecture of transformers, which sees, writes and paints with one model.

It knows nothing of medicine: it is told what to ask, and gives back what the model said.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
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
    LogitsProcessorList,
)

from assistant.backbones.adapters import Adapters, find_adapters
from assistant.backbones.base import Encoded, Identity, Look, Progress, Sampling, Told, Written
from assistant.backbones.grain import add_grain
from assistant.backbones.measures import FILE as MEASURES
from assistant.backbones.measures import Measures
from assistant.backbones.pixels import batch_of
from assistant.backbones.pooling import pool
from assistant.backbones.probe import Probe
from assistant.backbones.telling import Counting, Telling, Unguided
from assistant.backbones.views import label_logits
from assistant.errors import BackboneError
from assistant.prompts import film_prompt, paint_prompt
from assistant.risk import FILE, RiskModel
from assistant.types import Film, Seen

FROZEN = ("model.vision_model", "model.vqmodel")  # what every task shares
FILES = ("config.json", "model.safetensors", "tokenizer.json", "card.json", "reference.safetensors")


class Janus(JanusForConditionalGeneration):
    """Janus whose `generate` is that of every other model where it writes.

    Its own only adds the painting, and warns of its own arguments when it merely writes.
    """

    def generate(self, *inputs: Any, **settings: Any) -> Any:
        """Write, or paint where `generation_mode` is "image"."""
        if settings.get("generation_mode") == "image":
            return super().generate(*inputs, **settings)
        return GenerationMixin.generate(self, *inputs, **settings)  # pyright: ignore


class JanusBackbone:
    """A Janus checkpoint as encoder, writer and painter; one call at a time."""

    def __init__(self, folder: Path, adapters: Sequence[Path] = (), *, own: bool = True) -> None:
        """Load a checkpoint folder with its own adapters, and those of the folders given.

        A given adapter takes the place of the checkpoint's own for its task; with `own` False
        there are none but the given. BackboneError says what is missing, damaged, or made for
        another base.
        """
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BackboneError(
                f"The backbone folder {folder.name!r} lacks {', '.join(missing)}; "
                "name a folder that `wetread train` has written, or `mini`."
            )
        weights = folder / "model.safetensors"
        try:
            self._model: Any = Janus.from_pretrained(
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
        probe = folder / "probe.safetensors"
        self._probe = Probe.load(probe) if probe.is_file() else None
        measures = folder / MEASURES
        self._measures = Measures.load(measures) if measures.is_file() else None
        risk = folder / FILE
        self.risk = RiskModel.load(risk) if risk.is_file() else None
        self._adapters = Adapters(self._model, find_adapters(folder, adapters, own=own), FROZEN)
        self._lock = threading.Lock()
        digest = hashlib.sha256(weights.read_bytes())
        digest.update((folder / "reference.safetensors").read_bytes())
        for told in (probe, measures):
            if told.is_file():
                digest.update(told.read_bytes())
        self.identity = Identity(self.card["name"], digest.hexdigest(), self.card["licence"])

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter: of "report", "answer" and "image"."""
        return self._adapters.tasks

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        return replace(self.identity, adapter=self._adapters.name(task))

    @property
    def encoder_id(self) -> str:
        """Name and weights: the same film has the same embedding as long as this stays."""
        return f"{self.identity.name}@{self.identity.revision[:16]}"

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self._probe.dim if self._probe else len(self.reference["pool_mean"])

    @torch.inference_mode()
    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch; features are float32 (patches, width)."""
        if not films:
            return []
        config = self._model.config.vision_config
        pixels = torch.from_numpy(batch_of(films, config.image_size))
        with self._lock:
            hidden = self._see(pixels)
            logits = None
            if self._probe:
                logits = label_logits(self._probe, self._see, pixels, hidden, config.patch_size)
        pooled = pool(hidden.numpy())
        if self._probe and logits is not None:
            embeddings = self._probe.embed(hidden, logits.mean(dim=1)).numpy()
        else:
            embeddings = (pooled - self.reference["pool_mean"]) / self.reference["pool_scale"]
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True).clip(min=1e-6)
        told = [None] * len(films) if logits is None else logits.numpy()
        return [
            Encoded(hidden[i], embeddings[i].astype(np.float32), pooled[i], told[i])
            for i in range(len(films))
        ]

    def _see(self, pixels: torch.Tensor) -> torch.Tensor:
        """Patch features (B, N, W) of pixels (B, 3, H, W)."""
        vision = self._model.model.vision_model
        return vision(pixel_values=pixels.to(self._model.device)).last_hidden_state.cpu()

    @torch.inference_mode()
    def read_findings(self, films: Sequence[Film]) -> list[tuple[Seen, ...]] | None:
        """What the probe sees in films: each finding at each place it knows, or None without one.

        The probe shares no weights with the writer or the painter.
        """
        return self.read(self.encode(films)) if self._probe else None

    @torch.inference_mode()
    def read(self, encoded: Sequence[Encoded]) -> list[tuple[Seen, ...]] | None:
        """`read_findings` of films that are encoded already."""
        if not encoded:
            return [] if self._probe else None
        if self._probe is None:
            return None
        return self.read_logits(np.stack([np.asarray(c.logits).mean(axis=0) for c in encoded]))

    @torch.inference_mode()
    def read_logits(self, logits: np.ndarray) -> list[tuple[Seen, ...]] | None:
        """`read_findings` of films by what the probe said of them, float (N, L)."""
        if self._probe is None:
            return None
        return self._probe.read(torch.from_numpy(np.asarray(logits, np.float32)))

    @torch.inference_mode()
    def look(self, encoded: Sequence[Encoded]) -> list[Look] | None:
        """All that the probe says of encoded films, patch by patch too; None without one."""
        if self._probe is None:
            return None
        looks = [self._probe.look(c.features, torch.from_numpy(c.logits)) for c in encoded]
        if self._measures is None:
            return looks
        taken = [
            self._measures.take(np.asarray(c.logits).mean(axis=0), c.features.numpy().mean(axis=0))
            for c in encoded
        ]
        return [replace(look, measured=found) for look, found in zip(looks, taken, strict=True)]

    @torch.inference_mode()
    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Films through the picture tokeniser and back, each float32 (H, W) in [0, 1].

        H and W are those of paintings; films are first reduced to that size.
        """
        vision, size = self._model.config.vision_config, self._painting_size
        squares = torch.from_numpy(batch_of(films, vision.image_size))
        pixels = torch.nn.functional.adaptive_avg_pool2d(squares, size).to(self._model.device)
        with self._lock:
            codes = self._model.model.vqmodel.encode(pixels.contiguous()).image_tokens
            made = self._model.decode_image_tokens(codes.view(len(films), -1)).mean(dim=-1)
        return [p.add(1).div(2).clamp(0, 1).cpu().numpy().astype(np.float32) for p in made]

    @property
    def _painting_size(self) -> int:
        """Pixels along one edge of a painting: the grid times what the decoder doubles."""
        config = self._model.config
        grid = round(config.vision_config.num_image_tokens**0.5)
        return grid * 2 ** (len(config.vq_config.channel_multiplier) - 1)

    @torch.inference_mode()
    def write(
        self,
        encoded: Sequence[Encoded],
        requests: Sequence[str],
        sampling: Sampling,
        tasks: Sequence[str | None] | None = None,
        told: Told | None = None,
    ) -> list[Written]:
        """Write one text for each film and its request, in one batch.

        `tasks` names the adapter of each row, None the base alone; they may differ within the
        batch, but not where somebody is told. Greedy at temperature 0; otherwise sampled, and
        the same for the same seed. `told` hears the first row's text so far at every token, in
        this thread; what it raises ends the writing and goes through, and it may not call the
        backbone. Raises BackboneError for a task that has no adapter.
        """
        if not encoded:
            return []
        adapted = tasks if tasks is not None else [None] * len(encoded)
        if told is not None and len(set(adapted)) > 1:  # PEFT would keep its hooks when stopped
            raise BackboneError(
                "Texts of several adapters cannot be told of while they are written; "
                "write those of each adapter apart."
            )
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
            out = self._adapters.generate(
                adapted,
                inputs_embeds=embeds.masked_scatter(place.expand_as(embeds), seen),
                attention_mask=batch["attention_mask"],
                generation_config=self._writing(sampling),
                streamer=told and Telling(told, tokenizer.decode, tokenizer.eos_token_id),
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
        self,
        prompt: str,
        *,
        count: int,
        seed: int,
        guidance: float,
        temperature: float,
        site: str = "",
        progress: Progress | None = None,
    ) -> list[np.ndarray]:
        """Paint `count` films, each float32 (H, W) in [0, 1], air dark; the same for a seed.

        `site` is the letter of the site whose style the films take, empty for none in
        particular. The adapter "image" paints where there is one. `progress` hears of the
        tokens painted, of those of all films, in this thread; what it raises ends the painting
        and goes through, and it may not call the backbone.
        """
        model, tokenizer = self._model, self._tokenizer
        tokens = model.config.vision_config.num_image_tokens
        batch = tokenizer(
            [paint_prompt(tokenizer, prompt, site)], return_tensors="pt", add_special_tokens=False
        ).to(model.device)
        settings = GenerationConfig(
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else None,
            top_k=0 if temperature > 0 else None,
            guidance_scale=guidance,
            num_return_sequences=count,
            max_length=batch["input_ids"].shape[1] + tokens,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            generation_kwargs={
                "boi_token_id": tokenizer.convert_tokens_to_ids(tokenizer.boi_token)
            },
        )
        hooks = LogitsProcessorList([Unguided()] if guidance <= 1 else [])
        if progress is not None:
            hooks.append(Counting(progress, count, tokens))
        with self._lock, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # The rows are doubled for guidance, so that the adapter is chosen for them all.
            with self._adapters.only("image" if "image" in self.tasks else None):
                codes = model.generate(
                    **batch,
                    generation_mode="image",
                    generation_config=settings,
                    logits_processor=hooks,
                )
            if progress is not None:
                progress(count * tokens, count * tokens)
            painted = model.decode_image_tokens(codes).mean(dim=-1)  # (B, H, W)
        films = [p.add(1).div(2).clamp(0, 1).cpu().numpy().astype(np.float32) for p in painted]
        grain = self.reference.get(f"grain.{site}", self.reference.get("grain.A"))
        if grain is None:
            return films
        return [add_grain(p, grain, np.random.default_rng([seed, i])) for i, p in enumerate(films)]
