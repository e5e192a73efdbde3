"""The data sets that can be read, by the names that the command line uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from assistant.datasets import brax, chexpert, mimic, nih, openi, padchest, padchest_gr, rsna, vindr
from assistant.datasets.case import DatasetInfo, OpenedSet

_Open = Callable[[Path, Path | None], OpenedSet]
# The set, and what finds its tables below a root; the second path is where its reports are.
OPENERS: Mapping[str, tuple[DatasetInfo, _Open]] = MappingProxyType(
    {
        info.name: (info, open_set)
        for info, open_set in (
            (openi.INFO, openi.open_openi),
            (nih.INFO, nih.open_nih),
            (chexpert.INFO, chexpert.open_chexpert),
            (chexpert.PLUS, chexpert.open_chexpert_plus),
            (mimic.INFO, mimic.open_mimic),
            (padchest.INFO, padchest.open_padchest),
            (padchest_gr.INFO, padchest_gr.open_padchest_gr),
            (vindr.INFO, vindr.open_vindr),
            (rsna.INFO, rsna.open_rsna),
            (brax.INFO, brax.open_brax),
        )
    }
)
