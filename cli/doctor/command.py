"""The command that checks an installation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.text import Text

from assistant.errors import SettingsError
from cli.options import OUTPUT, Json, print_json

if TYPE_CHECKING:
    from cli.doctor.diagnosis import ComputeState, Diagnosis, FolderState
    from cli.doctor.packages import ExtraState, PackageState
    from cli.doctor.weights import WeightsState
    from retrieval.contents import LibraryContents

SCHEMA = "wetread.doctor/1"
WRONG = "bold red"  # the style of what is a problem

Row = tuple[str, str, str]  # label, text, style


def doctor(as_json: Json = False) -> None:
    """Check the installation: versions, device, folders, extras, and the weights by their hashes.

    It creates and sends nothing. The JSON is made for bug reports: the home's path is ~ in it.
    """
    from cli.doctor.diagnosis import diagnose
    from cli.doctor.weights import ROOT

    diagnosis = diagnose(ROOT)
    if as_json:
        print_json({"schema": SCHEMA, **asdict(diagnosis)})
    else:
        show_diagnosis(diagnosis)
    if diagnosis.problems:
        raise SettingsError(diagnosis.problems[0])


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """A diagnosis on the terminal; its first problem is left to the error stream."""
    faiss = diagnosis.faiss
    OUTPUT.print(f"Wetread {diagnosis.wetread}", style="bold", markup=False)
    _show_rows(
        ("Python", f"{diagnosis.python} on {diagnosis.platform}", ""),
        _describe_compute(diagnosis.compute),
        ("faiss", faiss or "cannot be loaded", "" if faiss else WRONG),
        _describe_weights(diagnosis.weights),
    )
    _show_heading("Folders")
    _show_rows(
        _describe_folder("library", diagnosis.library, diagnosis.contents),
        _describe_folder("caches", diagnosis.cache),
    )
    _show_heading("Packages")
    packages = [_describe_package(package) for package in diagnosis.packages]
    OUTPUT.print(Columns(packages, padding=(0, 2), equal=True), soft_wrap=False)
    _show_heading("Extras")
    _show_rows(*map(_describe_extra, diagnosis.extras))
    if diagnosis.problems[1:]:
        _show_heading("What else is wrong")
        for problem in diagnosis.problems[1:]:
            OUTPUT.print(f"  {problem}", style=WRONG, markup=False)
    if not diagnosis.problems:
        OUTPUT.print("\nAll is well.", style="green")


def _show_heading(title: str) -> None:
    OUTPUT.print(f"\n{title}", style="bold")


def _show_rows(*rows: Row) -> None:
    for label, text, style in rows:
        OUTPUT.print(f"  {label:<12}", end="")
        OUTPUT.print(text, style=style, markup=False)


def _describe_compute(compute: ComputeState | None) -> Row:
    if compute is None:
        return "torch", "cannot be loaded", WRONG
    place = compute.gpu or f"the processor, {compute.threads} threads"
    speed = "fast" if compute.fast_bfloat16 else "not fast"
    return "torch", f"{compute.torch} on {place}; bfloat16 is {speed} there", ""


def _describe_weights(weights: WeightsState | None) -> Row:
    if weights is None:
        return "weights", "cannot be checked", WRONG
    faults = [
        f"{len(names)} {fault}"
        for names, fault in ((weights.missing, "missing"), (weights.damaged, "damaged"))
        if names
    ]
    text = f"{weights.files} files, {weights.bytes / 1e6:.0f} MB; {', '.join(faults) or 'whole'}"
    return "weights", text, WRONG if faults else ""


def _describe_folder(
    label: str, folder: FolderState, contents: LibraryContents | None = None
) -> Row:
    state = "there" if folder.exists else "not there yet"
    if not folder.writable:
        state += ", and cannot be written"
    if contents is not None:
        vectors = [f"{count.cases} by {count.encoder}" for count in contents.encoders]
        state = f"{contents.cases} cases, encoded: {', '.join(vectors) or 'none'}"
    return label, f"{folder.path}; {state}", "" if folder.writable else WRONG


def _describe_package(package: PackageState) -> Text:
    style = "" if package.fits else WRONG
    return Text(f"  {package.name} {package.version or 'is missing'}", style=style)


def _describe_extra(extra: ExtraState) -> Row:
    if extra.installed:
        return extra.name, "installed", ""
    return extra.name, f"not installed; {extra.install}", "dim"
