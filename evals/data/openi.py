"""The reports of the Indiana University collection (Open-i) with NegBio's labels of their findings.

Demner-Fushman et al. 2016, doi:10.1093/jamia/ocv080; labels: Peng et al. 2018, arXiv:1712.05898.
The reports are read where they lie and never kept.
"""

from __future__ import annotations

import csv
import hashlib
import tarfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from assistant.chest.vocabulary import finding_of_label
from assistant.errors import SettingsError

ARCHIVE, TABLE, CASES = "NLMCXR_reports.tgz", "gold_labels.csv", "cases.csv"
NOT_CODED = frozenset(("", "no indexing"))
_LARGEST = 1_000_000  # bytes; a report has a few thousand


@dataclass(frozen=True, slots=True)
class LabelledReport:
    """One report, and the findings that its annotators found in it."""

    name: str
    text: str  # findings and impression; empty where the report has neither
    findings: frozenset[str]  # keys of the vocabulary

    @property
    def held_out(self) -> bool:
        """Whether it is in the half that developers do not read, by a hash of its name."""
        return hashlib.sha256(self.name.encode()).digest()[0] >= 128


@dataclass(frozen=True, slots=True)
class Collection:
    """The labelled reports, and the columns of their labels."""

    reports: tuple[LabelledReport, ...]
    labels: tuple[tuple[str, str], ...]  # (the column's name, the key of the vocabulary)
    empty: tuple[str, ...]  # columns without one report, which cannot be scored
    missing: int  # rows of the table whose report is not in the archive, or cannot be read


def read_openi(folder: Path) -> Collection:
    """Read the labelled reports of a folder with the archive and the table of labels.

    Raises SettingsError where either is missing or cannot be read.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            rows = {row["filename"]: row for row in csv.DictReader(file)}
        texts = _read_texts(folder / ARCHIVE)
    except (OSError, KeyError, UnicodeDecodeError, csv.Error, tarfile.TarError):
        raise SettingsError(
            f"{folder} has no readable {TABLE} and {ARCHIVE}; name the Open-i folder with --data."
        ) from None
    columns = [
        (name, key)
        for name in next(iter(rows.values()), {})
        if name not in ("filename", "normal") and (key := finding_of_label(name)) is not None
    ]
    used = [c for c in columns if any(row[c[0]] == "1" for row in rows.values())]
    reports = tuple(
        LabelledReport(
            name, texts[name], frozenset(key for column, key in used if row[column] == "1")
        )
        for name, row in rows.items()
        if name in texts
    )
    return Collection(
        reports,
        tuple(used),
        tuple(name for name, _ in columns if name not in dict(used)),
        len(rows) - len(reports),
    )


@dataclass(frozen=True, slots=True)
class CodedReport:
    """One report with the MeSH codes that librarians gave it, and its split."""

    name: str
    patient: str
    split: str
    findings: str
    impression: str
    codes: tuple[str, ...]  # as "Opacity/lung/upper lobe/right"

    @property
    def is_normal(self) -> bool:
        """Whether it is coded as normal and nothing else."""
        return [code.lower() for code in self.codes] == ["normal"]

    @property
    def is_abnormal(self) -> bool:
        """Whether its codes name an abnormality; a report without codes is neither."""
        return not self.is_normal and not NOT_CODED.issuperset(c.lower() for c in self.codes)


def read_coded(folder: Path) -> tuple[CodedReport, ...]:
    """Read the reports with their MeSH codes and splits from `cases.csv`; () without that file.

    A report with several films is read once. Raises SettingsError where the file cannot be read.
    """
    if not (folder / CASES).is_file():
        return ()
    reports: dict[str, CodedReport] = {}
    try:
        with (folder / CASES).open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                name = row["report_id"]
                codes = tuple(code.strip() for code in row["mesh"].split(";") if code.strip())
                texts = (row["findings"] or "", row["impression"] or "")
                reports.setdefault(
                    name, CodedReport(name, row["patient"], row["split"], texts[0], texts[1], codes)
                )
    except (OSError, KeyError, AttributeError, UnicodeDecodeError, csv.Error):
        raise SettingsError(
            f"{folder.name}/{CASES} cannot be read; it needs the columns report_id, patient, "
            "split, findings, impression and mesh."
        ) from None
    return tuple(reports.values())


def _read_texts(archive: Path) -> dict[str, str]:
    """Read findings and impression of every readable report, by its id."""
    texts = {}
    with tarfile.open(archive) as files:
        for member in files:
            file = files.extractfile(member) if member.name.endswith(".xml") else None
            if file is None or member.size > _LARGEST:
                continue
            try:
                root = ElementTree.parse(file).getroot()  # noqa: S314 (the user's own archive)
            except ElementTree.ParseError:
                continue
            name = root.find("uId")
            if name is not None:
                parts = {a.get("Label"): a.text or "" for a in root.iter("AbstractText")}
                sections = (parts.get("FINDINGS", ""), parts.get("IMPRESSION", ""))
                texts[name.get("id", "")] = "\n".join(sections).strip()
    return texts
