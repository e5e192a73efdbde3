"""The Janus architecture of transformers, which encodes, writes and paints with one model.

This module knows nothing of medicine: it takes requests and returns what the model answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from assistant.backbones.adapters import Adapters, find_adapters, sha256_of, weights_sha256
from assistant.backbones.decoding.llama import Decoders
from assistant.backbones.decoding.packed_linear import pack_linear
from assistant.backbones.device import Dtype, device, dtype_of
from assistant.backbones.hashes import check_hashes
from assistant.backbones.hearer import Hearer
from assistant.backbones.hub import CheckpointLocation
from assistant.backbones.janus.film_encoder import FilmEncoder
from assistant.backbones.janus.grain import add_grain
from assistant.backbones.janus.loading import load_probe, read_card, read_reference
from assistant.backbones.janus.model import Janus
from assistant.backbones.janus.painter import JanusPainter
from assistant.backbones.janus.writer import MISMATCH, JanusWriter
from assistant.backbones.memory import keep_freed_memory
from assistant.backbones.probe.measurements import MEASUREMENTS_FILE
from assistant.backbones.probe.pooling import pool_patches
from assistant.backbones.probe.test_time import label_logits_of_views
from assistant.backbones.protocols import Encoded, Identity, Sampling
from assistant.backbones.vlm.processor import load_processor
from assistant.backbones.whole import Refusal, load_whole
from assistant.errors import BackboneError
from assistant.evidence.risk import FILE, RiskModel
from assistant.intake.resize import batch_of, processed
from assistant.types import (
    Film,
    GeneratedText,
    OnProgress,
    OnText,
    PaintRequest,
    ProbeFinding,
    ProbeOutput,
    Study,
)

_ENCODER_BATCH = 8  # films: about what a core's cache holds of their layers
FROZEN_PARTS = ("model.vision_model", "model.vqmodel")  # the parts that all tasks share
BACKBONE_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "card.json",
    "reference.safetensors",
)


Pixels = Callable[[Sequence[Film]], np.ndarray]  # films to (B, 3, H, W)


def is_trained_here(folder: Path) -> bool:
    """Whether a checkpoint is a complete backbone that `wetread train` has written."""
    return any((folder / name).is_file() for name in BACKBONE_FILES[-2:])


def _make_contiguous(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return output.contiguous()


class JanusBackbone:
    """A Janus checkpoint as encoder, writer and painter; one call at a time."""

    def __init__(
        self,
        folder: Path,
        adapters: Sequence[Path] = (),
        *,
        include_own: bool = True,
        location: CheckpointLocation | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        """Load a checkpoint folder with its own adapters and those of the folders `adapters`.

        An adapter of `adapters` replaces the checkpoint's own for its task; with `include_own`
        False only these are loaded. A published checkpoint of others has no probe, no reference
        and no card, and takes its name from `location`. BackboneError says what is missing,
        damaged, or made for another base.
        """
        trained_here = is_trained_here(folder)
        missing = (
            [name for name in BACKBONE_FILES if not (folder / name).is_file()]
            if trained_here
            else []
        )
        if missing:
            raise BackboneError(
                f"The backbone folder {folder.name!r} lacks {', '.join(missing)}; "
                "name a folder that `wetread train` has written, or `mini`."
            )
        self.card: Mapping[str, Any] = {}
        self.reference: Mapping[str, np.ndarray] = {}
        probe_file, measurement_file = folder / "probe.safetensors", folder / MEASUREMENTS_FILE
        files = [folder / name for name in BACKBONE_FILES if name.endswith(".safetensors")]
        files += [path for path in (probe_file, measurement_file) if path.is_file()]
        processor, verified = None, False
        if trained_here:
            self.card = read_card(folder)
            verified = check_hashes(folder, self.card, [path.name for path in files])
        else:
            processor = load_processor(folder)
        model_dtype = torch.float32 if trained_here and dtype is None else dtype_of(dtype)
        self._model: Any = load_whole(Janus, folder, verified=verified, dtype=model_dtype).eval()
        vision = self._model.config.vision_config
        if processor is None:
            self.reference = read_reference(folder, 4 * vision.hidden_size)
            with Refusal(
                f"The tokenizer of {folder.name!r} cannot be loaded ({{}}); get its files again."
            ):
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._pixels: Pixels = partial(batch_of, size=vision.image_size)
        else:
            self._tokenizer = processor.tokenizer
            self._tokenizer.chat_template = processor.chat_template
            self._pixels = partial(processed, processor.image_processor)
        self._model.to(device())
        encoder = self._model.model.vision_model
        if isinstance(encoder, FilmEncoder):
            encoder.fuse()
            keep_freed_memory()
        else:
            # The patch convolution yields a transposed layout, which every layer would keep.
            encoder.embeddings.register_forward_hook(_make_contiguous)
        self._probe, self._measurement_model = load_probe(
            probe_file, measurement_file, vision.hidden_size
        )
        risk_file = folder / FILE
        self.risk = RiskModel.load(risk_file) if risk_file.is_file() else None
        found = find_adapters(folder, adapters, include_own=include_own)
        self._adapters = Adapters(self._model, found, FROZEN_PARTS)
        inner = self._model.model
        for part in (inner.vision_model, inner.aligner, inner.generation_head):
            pack_linear(part)
        decoders = Decoders(self._model.model.language_model, self._adapters)
        parts = (self._model, self._tokenizer, self._adapters, decoders)
        self._writer, self._painter = JanusWriter(*parts), JanusPainter(*parts)
        self._lock = threading.Lock()
        if trained_here:
            self.identity = Identity(self.card["name"], sha256_of(files), self.card["licence"])
        else:
            checkpoint = location or CheckpointLocation(folder, folder.resolve().name)
            revision = checkpoint.commit or weights_sha256(folder)
            self.identity = Identity(checkpoint.name, revision, checkpoint.licence)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have an adapter, out of "report", "answer" and "image"."""
        return self._adapters.tasks

    def identity_for(self, task: str | None) -> Identity:
        """The identity with the adapter of a task; BackboneError if there is none."""
        return replace(self.identity, adapter=self._adapters.name_for(task))

    @property
    def painter_identity(self) -> Identity:
        """The identity with the adapter that paints, where there is one."""
        return self.identity_for("image" if "image" in self.tasks else None)

    @property
    def instructed(self) -> bool:
        """Whether it is a published chat model, which is not trained on a probe's findings."""
        return not self.card

    @property
    def encoder_id(self) -> str:
        """Name and hash of the weights: with the same id a film has the same embedding."""
        return f"{self.identity.name}@{self.identity.revision[:16]}"

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return self._probe.dim if self._probe else 4 * self._model.config.vision_config.hidden_size

    @torch.inference_mode()
    def encode(self, films: Sequence[Film]) -> list[Encoded]:
        """Encode films in one batch; features are (patches, width) in the model's dtype."""
        if not films:
            return []
        config = self._model.config.vision_config
        with self._lock, Refusal(MISMATCH):
            pixels = torch.from_numpy(self._pixels(films))
            hidden = self._encode_patches(pixels)
            logits = None
            if self._probe:
                logits = label_logits_of_views(
                    self._probe,
                    self._encode_patches,
                    pixels,
                    hidden,
                    config.patch_size,
                    views=getattr(config, "views", 8),
                )
        pooled = embeddings = pool_patches(hidden.float().numpy())
        if self._probe and logits is not None:
            embeddings = self._probe.embed(hidden, logits.mean(dim=1)).numpy()
        else:
            if self.reference:
                embeddings = (pooled - self.reference["pool_mean"]) / self.reference["pool_scale"]
            norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
            embeddings = embeddings / norms.clip(min=1e-6)
        film_logits = [None] * len(films) if logits is None else logits.numpy()
        return [
            Encoded(
                study=Study((film,)),
                features=hidden[i],
                embedding=embeddings[i].astype(np.float32),
                profile=pooled[i],
                logits=film_logits[i],
            )
            for i, film in enumerate(films)
        ]

    def _encode_patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """Patch features (B, N, W) of pixels (B, 3, H, W)."""
        vision, model = self._model.model.vision_model, self._model
        parts = [part.to(model.device, model.dtype) for part in pixels.split(_ENCODER_BATCH)]
        return torch.cat([vision(pixel_values=part).last_hidden_state.cpu() for part in parts])

    @property
    def lateral_weights(self) -> np.ndarray | None:
        """What a lateral film adds to each label, float32 (L, 2); None where it adds nothing."""
        if self._probe is None or not self._probe.lateral_weights.any():
            return None
        return self._probe.lateral_weights.numpy()

    @torch.inference_mode()
    def probe_findings(self, films: Sequence[Film]) -> list[tuple[ProbeFinding, ...]] | None:
        """The probe's findings in films, at each place that it knows; None without a probe.

        The probe shares no weights with the writer or the painter.
        """
        return self.probe_encoded(self.encode(films)) if self._probe else None

    @torch.inference_mode()
    def probe_encoded(self, encoded: Sequence[Encoded]) -> list[tuple[ProbeFinding, ...]] | None:
        """`probe_findings` for films that are encoded already."""
        if not encoded:
            return [] if self._probe else None
        if self._probe is None:
            return None
        return self.probe_findings_of_logits(
            np.stack([np.asarray(film.logits).mean(axis=0) for film in encoded])
        )

    @torch.inference_mode()
    def probe_findings_of_logits(self, logits: np.ndarray) -> list[tuple[ProbeFinding, ...]] | None:
        """`probe_findings` for films by their label logits, float (N, L)."""
        if self._probe is None:
            return None
        return self._probe.findings_of(torch.from_numpy(np.asarray(logits, np.float32)))

    @torch.inference_mode()
    def probe_details(self, encoded: Sequence[Encoded]) -> list[ProbeOutput] | None:
        """The probe's full output for encoded films, with maps of patches; None without one."""
        if self._probe is None:
            return None
        outputs = [
            self._probe.details_of(film.features, torch.from_numpy(film.logits)) for film in encoded
        ]
        if self._measurement_model is None:
            return outputs
        # From the first frontal alone: a study's logits also have what its other films say.
        measured = [
            self._measurement_model.measure(
                self._probe(film.features[None])[0][0].numpy(), film.features.numpy().mean(axis=0)
            )
            for film in encoded
        ]
        return [
            replace(output, measurements=measurements)
            for output, measurements in zip(outputs, measured, strict=True)
        ]

    @torch.inference_mode()
    def reconstruct(self, films: Sequence[Film]) -> list[np.ndarray]:
        """Pass films through the picture tokeniser, each float32 (H, W) in [0, 1].

        H and W are those of paintings; films are first resized to them.
        """
        vision, size = self._model.config.vision_config, self._painting_size
        squares = torch.from_numpy(batch_of(films, vision.image_size))
        pixels = torch.nn.functional.adaptive_avg_pool2d(squares, size).to(self._model.device)
        with self._lock:
            codes = self._model.model.vqmodel.encode(pixels.contiguous()).image_tokens
            return self._painter.decode_films(codes.view(len(films), -1))

    @property
    def _painting_size(self) -> int:
        """Pixels along one edge of a painting: tokens along it times the decoder's upsampling."""
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
        on_text: OnText | None = None,
    ) -> list[GeneratedText]:
        """Write one text for each film and its request, in one batch.

        `tasks` names the adapter of each row, None the base alone; they may differ within the
        batch. Greedy at temperature 0; otherwise sampled: the n-th text of a film and its
        request is the same for the same seed, whatever else is in the batch. `on_text` receives
        the first row's text so far at every token, in this thread; an error that it raises ends
        the writing and is passed on, and it may not call the backbone. Raises BackboneError for
        a task that has no adapter and for a request that is too long.
        """
        if not encoded:
            return []
        adapted = tasks if tasks is not None else [None] * len(encoded)
        with self._lock:
            return self._writer.write(encoded, requests, sampling, adapted, on_text)

    @torch.inference_mode()
    def paint(
        self, request: PaintRequest, on_progress: OnProgress | None = None
    ) -> list[np.ndarray]:
        """Paint films, each float32 (H, W) in [0, 1], air dark; the same for a seed.

        The adapter "image" paints where there is one. `on_progress` receives the number of
        tokens painted and of all tokens of all films, in this thread; an error that it raises
        ends the painting and is passed on, and it may not call the backbone.
        """
        hearer = Hearer(on_progress)
        with self._lock, Refusal(MISMATCH, hearer.has_raised):
            tokens = self._painter.generate_tokens(request, on_progress and hearer.hear)
            films = self._painter.decode_films(tokens)
        grain = self.reference.get(f"grain.{request.site}", self.reference.get("grain.A"))
        if grain is None:
            return films
        return [
            add_grain(film, grain, np.random.default_rng([request.seed, i]))
            for i, film in enumerate(films)
        ]
