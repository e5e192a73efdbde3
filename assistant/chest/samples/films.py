"""The real films that ship with Wetread: JPEGs, and `samples.json`, which describes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assistant.errors import SettingsError
from assistant.parsing import read_json

_FOLDER = Path(__file__).parent
_LIST = _FOLDER / "samples.json"
_SEXES = {"F": "woman", "M": "man"}


@dataclass(frozen=True, slots=True)
class SampleFilm:
    """A film that ships, as its data set describes it."""

    name: str
    labels: tuple[str, ...]  # in the data set's words
    chosen_for: str  # the one of these that it is shown as an example of
    view: str  # DICOM's view position
    sex: str  # "F" or "M"
    age_group: str  # years: "50 to 59"

    @property
    def file(self) -> Path:
        """Its JPEG, 512 pixels along each edge."""
        return _FOLDER / f"{self.name}.jpg"

    @property
    def words(self) -> str:
        """What it is, in words: "PA film of a woman of 50 to 59 years"."""
        return f"{self.view} film of a {_SEXES[self.sex]} of {self.age_group} years"


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The films that ship, with their source."""

    data_set: str
    source: str  # address
    terms: str  # of its use, in words
    provider: str
    citation: str
    labels: str  # where the labels come from, in words
    films: tuple[SampleFilm, ...]

    @property
    def file(self) -> Path:
        """The file that says all this."""
        return _LIST

    def find(self, name: str) -> SampleFilm:
        """The film of a name; SettingsError where there is none."""
        for film in self.films:
            if film.name == name:
                return film
        names = ", ".join(film.name for film in self.films)
        raise SettingsError(f"There is no sample film {name!r}; name one of {names}.")


@cache
def read_samples() -> SampleSet:
    """Read what is known of the films that ship; SettingsError where they are damaged."""
    data = read_json(_LIST, "The list of the sample films")
    films = (SampleFilm(**{**film, "labels": tuple(film["labels"])}) for film in data.pop("films"))
    return SampleSet(**data, films=tuple(films))
