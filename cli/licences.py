"""The command that lists what Wetread installs, each package with its licence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated, Any

import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.table import Table

from assistant.chest.samples.films import read_samples
from assistant.errors import SettingsError
from cli.options import OUTPUT, Json, print_json
from cli.samples import source_of

SCHEMA = "wetread.licences/1"


@dataclass(frozen=True, slots=True)
class LicensedPackage:
    """An installed package as its own metadata states it."""

    name: str
    version: str
    licence: str  # an SPDX expression where the package gives one
    requires: tuple[str, ...]  # names of installed packages


def licences(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of docs/licences.md.")
    ] = False,
    sbom: Annotated[
        bool, typer.Option("--sbom", help="Print a bill of materials: CycloneDX 1.6, JSON.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the packages that Wetread needs to run, and what these need, with their licences.

    Extras are left out: what you add to an installation is yours to look at. A licence is what the
    package's own metadata says. The films that ship are named with their source and its terms.
    """
    packages, films = required_packages(), read_samples()
    if sbom:
        OUTPUT.print(bill_of_materials(packages), markup=False, highlight=False, soft_wrap=True)
        return
    if as_json:
        print_json(
            {
                "schema": SCHEMA,
                "packages": [asdict(package) for package in packages],
                "films": asdict(films),
            }
        )
        return
    source = f"The {len(films.films)} sample films: {source_of(films)}"
    if markdown:
        lines = ["| package | version | licence |", "|---|---|---|"]
        lines += [
            f"| {package.name} | {package.version} | {package.licence} |" for package in packages
        ]
        lines += ["", source]
        OUTPUT.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    else:
        table = Table("package", "version", "licence", box=None)
        for package in packages:
            table.add_row(package.name, package.version, package.licence)
        OUTPUT.print(table)
        OUTPUT.print(f"\n{source}", markup=False)


def required_packages(
    root: str = "wetread", extras: tuple[str, ...] = ("cpu",)
) -> tuple[LicensedPackage, ...]:
    """All that `root` requires on this machine with its `extras`, step by step; by name.

    A package that is required and not installed is left out: `wetread doctor` names it.
    """
    found: dict[str, LicensedPackage] = {}
    waiting = [(root, extras)]
    known: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        step = waiting.pop()
        if step in known:
            continue
        known.add(step)
        name, wanted = step
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        needed = [*_needs(package, wanted)]
        waiting += needed
        earlier = found[name].requires if name in found else ()
        requires = tuple(sorted({*earlier, *(other for other, _ in needed)}))
        found[name] = LicensedPackage(name, package.version, _licence_of(package), requires)
    found.pop(root, None)
    return tuple(found[name] for name in sorted(found))


def _needs(
    package: metadata.Distribution, extras: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a package with these extras needs on this machine: names, each with its extras."""
    for line in package.requires or ():
        needed = Requirement(line)
        marker = needed.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(needed.name), tuple(sorted(needed.extras))


def _licence_of(package: metadata.Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the licence field."""
    fields: Any = package.metadata
    if expression := fields.get("License-Expression"):
        return expression
    classifiers = [line.split(" :: ") for line in fields.get_all("Classifier") or ()]
    named = [parts[-1] for parts in classifiers if parts[0] == "License" and len(parts) > 2]
    text = (fields.get("License") or "").strip()
    return ", ".join(named) or text.partition("\n")[0] or "not stated"


def bill_of_materials(packages: tuple[LicensedPackage, ...]) -> str:
    """A software bill of materials of Wetread with `packages`: CycloneDX 1.6 as JSON.

    Raises `SettingsError` without the package that writes it.
    """
    try:
        from cyclonedx.contrib.license.factories import LicenseFactory
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
        from packageurl import PackageURL
    except ModuleNotFoundError:
        raise SettingsError(
            "a bill of materials needs cyclonedx-python-lib: pip install 'wetread[sbom]'"
        ) from None
    licences = LicenseFactory()
    component_of: Any = Component  # the decorators of these two hide their types
    program = component_of(
        name="wetread",
        version=metadata.version("wetread"),
        type=ComponentType.APPLICATION,
        licenses=[licences.make_from_string("Apache-2.0")],
    )
    components = {
        package.name: component_of(
            name=package.name,
            version=package.version,
            purl=PackageURL("pypi", None, package.name, package.version),
            licenses=[licences.make_from_string(package.licence)],
        )
        for package in packages
    }
    bom_of: Any = Bom
    bom = bom_of(components=components.values())
    bom.metadata.component = program
    for package in packages:
        needed = [components[name] for name in package.requires if name in components]
        bom.register_dependency(components[package.name], needed)
    direct = {name for name, _ in _needs(metadata.distribution("wetread"), ("cpu",))}
    bom.register_dependency(program, [components[name] for name in direct if name in components])
    return json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=2)
