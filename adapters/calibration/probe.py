"""A backbone with its probe taught anew on one's own films, as a folder beside the old one.

Language model, painter and adapters stay as they are. What was fitted to the former probe goes:
its risk, which `wetread calibrate` fits again, and its measurements, which need films whose
lengths are known.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adapters.data.cases import CaseSet, TrainingCase, split_by_patient
from adapters.data.phantom_arrays import CHANNELS, FILM_LABELS
from adapters.pretrain.embedding import fit_thresholds, set_embedding_labels
from adapters.pretrain.probe import (
    ProbeDataset,
    cache_probe_features,
    logits_of,
    loss_of,
    train_probe,
)
from assistant.atomic import new_folder
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.backbones.probe.measurements import FILE as MEASURES
from assistant.backbones.probe.probe import Label, Probe
from assistant.chest.phantoms import FINDINGS
from assistant.chest.places import BOTH
from assistant.chest.truth_check import is_false
from assistant.errors import SettingsError
from assistant.evidence.risk import FILE as RISK
from assistant.types import Assertion, Film, OnMessage

HELD = 0.3  # share of the patients that say where the probe decides, and whether it got better
PROBE = "probe.safetensors"
BLOCK = 16
NEVER_LIT = -6.0
FEWEST = 5  # films with a finding, below which its threshold stays


def teach_half(
    folder: Path, cases: CaseSet, out: Path, on_message: OnMessage, seed: int = 0
) -> CaseSet:
    """Teach the probe from half of the patients (`refit_probe`); gives the cases of the others.

    What its sentences are worth is to be asked of films that it has not learnt from.
    """
    patients = [case.patient for case in cases.cases]
    learn, rest = split_by_patient(patients, [None] * len(patients), 0.5, seed)
    refit_probe(folder, cases.of(learn), out, seed + 1, on_message)
    return cases.of(rest)


def refit_probe(folder: Path, cases: CaseSet, out: Path, seed: int, on_message: OnMessage) -> bool:
    """Teach the probe of the backbone in `folder` from `cases`, and write the whole to `out`.

    True where films held out are told better than before, by cross-entropy; otherwise the
    backbone is copied with its probe as it was. One without a probe gets one. Raises
    SettingsError where `out` exists already, or the cases say nothing of any finding.
    """
    if out.exists() and any(out.iterdir()):
        raise SettingsError(f"{out} exists already; name a new folder with --out.")
    backbone = JanusBackbone(folder)
    patients = [case.patient for case in cases.cases]
    learn, held = split_by_patient(patients, [None] * len(patients), HELD, seed)
    old = Probe.load(folder / PROBE) if (folder / PROBE).is_file() else None
    probe = old or _empty(backbone)
    lessons, apart = (_lessons(backbone, probe, cases.of(part)) for part in (learn, held))
    if not np.nanmax(lessons.truth, initial=0) or not np.nanmax(apart.truth, initial=0):
        raise SettingsError(
            "The cases name no finding that the probe knows; add reports or labels."
        )
    before = loss_of(probe, apart)
    taught = Probe(probe.heads.weight.shape[1], probe.labels, probe.channels, probe.learnt)
    taught.load_state_dict(probe.state_dict())
    train_probe(taught, lessons, seed=seed)
    after = loss_of(taught, apart)
    better = old is None or after < before
    on_message(
        f"probe: cross-entropy {before:.4f} before and {after:.4f} after, on {len(held)} films of "
        f"patients that it has not learnt from; {'it is taken' if better else 'it stays as it was'}"
    )
    if better:
        fit_thresholds(taught, logits_of(taught, apart), apart.truth, FEWEST)
    _copy(folder, out, taught if better else None)
    return better


def _empty(backbone: JanusBackbone) -> Probe:
    """A probe that has learnt nothing, whose patches never light up."""
    blank = Film(np.zeros((64, 64), np.float32), "0" * 64)
    probe = Probe(backbone.encode([blank])[0].features.shape[1], FILM_LABELS, CHANNELS)
    nn.init.zeros_(probe.patches.weight)
    nn.init.constant_(probe.patches.bias, NEVER_LIT)
    set_embedding_labels(probe, FINDINGS)
    return probe.eval()


def _lessons(backbone: JanusBackbone, probe: Probe, cases: CaseSet) -> ProbeDataset:
    def features(films: Sequence[Film]) -> torch.Tensor:
        return torch.stack([code.features for code in backbone.encode(films)])

    def shown() -> Iterator[tuple[torch.Tensor, torch.Tensor, np.ndarray]]:
        for start in range(0, len(cases), BLOCK):
            part = range(start, min(start + BLOCK, len(cases)))
            films = [cases.film(i) for i in part]
            mirror = [replace(f, pixels=np.ascontiguousarray(f.pixels[:, ::-1])) for f in films]
            truth = np.array([truth_of(cases.cases[i], probe.labels) for i in part])
            yield features(films), features(mirror), truth

    return cache_probe_features(len(cases), shown())


def truth_of(case: TrainingCase, labels: Sequence[Label]) -> list[float]:
    """Of each label 1 where a case says that it is so, 0 where it is not so, NaN where unknown.

    What a report does not mention is unknown, unless it is the whole truth of its film.
    """
    told = []
    for label in labels:
        degrees = label.degrees or (None,)
        claims = [Assertion(label.finding, "present", label.side, label.zone, d) for d in degrees]
        wrong = [is_false(claim, case.claims, complete=case.complete) for claim in claims]
        if False in wrong:
            told.append(1.0 if _told_so(label, case.claims) else float("nan"))
        else:
            told.append(float("nan") if None in wrong else 0.0)
    return told


def _told_so(label: Label, claims: Sequence[Assertion]) -> bool:
    """Whether a claim names the label's side, zone and degree, and does not merely allow them."""
    there = [c for c in claims if c.finding == label.finding and c.polarity == "present"]
    return any(
        (label.side is None or c.side in (label.side, BOTH))
        and (label.zone is None or c.zone == label.zone)
        and (not label.degrees or c.degree in label.degrees)
        for c in there
    )


def _copy(folder: Path, out: Path, taught: Probe | None) -> None:
    """The backbone's folder as `out`, with a probe of its own and without what no longer fits."""
    with new_folder(out) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        if taught is not None:
            for name in (RISK, MEASURES):
                (temporary / name).unlink(missing_ok=True)
            taught.save(temporary / PROBE)
