"""Jinja templates of HTML pages: everything that a template inserts is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


@cache
def html_template(package_folder: Path, name: str) -> Template:
    """The template `name` in a package's folder; a name that it lacks is an error, not empty."""
    environment = Environment(
        loader=FileSystemLoader(package_folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
