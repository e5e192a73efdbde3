"""Paintings beside `JanusForConditionalGeneration.generate`: the same tokens, the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np

from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.loading import backbone_folder
from assistant.types import PaintRequest
from benchmarks.figures import PairedFigure, time_call, time_in_turns
from benchmarks.weights import PeerCheckpoint

PROMPT, GUIDANCE = "Small right pleural effusion.", 3.0


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """One painting and eight, greedily, by the base alone: transformers knows no adapter."""
    base, turns = scratch / "base", 1 if quick else 5
    if not base.is_dir():
        copytree(backbone_folder(), base, ignore=ignore_patterns("adapters"))
    backbone, peer = JanusBackbone(base), PeerCheckpoint.load(base)
    backbone.reference = {}  # no grain is put over them: what is compared is the painting
    for count, bar in ((1, 2.0), (8, 6.0)):

        def paint(count: int = count) -> list[np.ndarray]:
            return backbone.paint(
                PaintRequest(PROMPT, count=count, guidance=GUIDANCE, temperature=0.0)
            )

        def paint_by_peer(count: int = count) -> list[np.ndarray]:
            return [peer.paint(PROMPT, GUIDANCE) for _ in range(count)]

        # Another token is another patch; the same tokens may be rounded another way.
        pairs = zip(paint(), paint_by_peer(), strict=True)
        same = sum(np.abs(a - b).max() < 1e-3 for a, b in pairs)
        our_seconds, peer_seconds = time_in_turns(
            lambda: time_call(paint), lambda: time_call(paint_by_peer), turns
        )
        note = f"256 tokens each, greedy, guided; the same picture for {same} of {count}"
        yield PairedFigure(
            name=f"{count} painted at once",
            unit="s",
            ours=our_seconds,
            peer="transformers' Janus `generate`, one by one",
            theirs=peer_seconds,
            bar=bar,
            note=note,
        )
