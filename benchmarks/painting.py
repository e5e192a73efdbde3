"""Paintings beside `JanusForConditionalGeneration.generate`: the same tokens, the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np

from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.loading import backbone_folder
from assistant.types import PaintRequest
from benchmarks.figures import PairedFigure, seconds, time_in_turns
from benchmarks.weights import PeerCheckpoint

WORDS, GUIDANCE = "Small right pleural effusion.", 3.0


def figures(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """One painting and eight, greedily, by the base alone: transformers knows no adapter."""
    base, turns = scratch / "base", 1 if quick else 5
    if not base.is_dir():
        copytree(backbone_folder(), base, ignore=ignore_patterns("adapters"))
    backbone, peer = JanusBackbone(base), PeerCheckpoint.load(base)
    backbone.reference = {}  # no grain is put over them: what is compared is the painting
    for count, bar in ((1, 2.0), (8, 6.0)):

        def paint(count: int = count) -> list[np.ndarray]:
            return backbone.paint(
                PaintRequest(WORDS, count=count, guidance=GUIDANCE, temperature=0.0)
            )

        def theirs(count: int = count) -> list[np.ndarray]:
            return [peer.paint(WORDS, GUIDANCE) for _ in range(count)]

        # Another token is another patch; the same tokens may be rounded another way.
        pairs = zip(paint(), theirs(), strict=True)
        same = sum(np.abs(a - b).max() < 1e-3 for a, b in pairs)
        mine, others = time_in_turns(lambda: seconds(paint), lambda: seconds(theirs), turns)
        note = f"256 tokens each, greedy, guided; the same picture for {same} of {count}"
        yield PairedFigure(
            name=f"{count} painted at once",
            unit="s",
            ours=mine,
            peer="transformers' Janus `generate`, one by one",
            theirs=others,
            bar=bar,
            note=note,
        )
