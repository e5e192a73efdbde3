"""Films to try Wetread with: the real ones that ship, and phantoms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import gradio as gr
import numpy as np

from assistant.chest.phantoms import make_phantom
from assistant.chest.samples.films import SampleFilm, read_samples
from assistant.intake import read_film, read_film_bytes
from assistant.intake.png import png
from assistant.types import Film
from ui.events import panel

PHANTOMS = {"A": 7, "B": 0, "C": 4}  # test phantoms by letter: a normal one, two with findings


class SamplesRow:
    """The buttons of the sample films; each opens a film."""

    def __init__(self) -> None:
        shipped = read_samples()
        panel(
            f'<p class="dim">No film at hand? Try a real one ({shipped.data_set}, '
            f"{shipped.provider}), by its label there:</p>",
            "real-samples",
        )
        with gr.Row():
            real = [gr.Button(film.chosen_for, size="sm", min_width=70) for film in shipped.films]
        panel('<p class="dim">or a synthetic one:</p>', "samples")
        with gr.Row():
            synthetic = [gr.Button(f"Sample {n}", size="sm", min_width=70) for n in PHANTOMS]
        openers: list[Callable[[], Film]] = [partial(open_sample, film) for film in shipped.films]
        openers += [partial(open_phantom, number) for number in PHANTOMS.values()]
        self.openers = tuple(zip((*real, *synthetic), openers, strict=True))


def open_sample(sample: SampleFilm) -> Film:
    """A real film that ships."""
    return read_film(sample.file, "sample")


def open_phantom(number: int) -> Film:
    """A test phantom, marked as synthetic."""
    pixels = make_phantom(7, number, split="test").film.astype(np.float32) / 255
    return read_film_bytes(png(pixels, synthetic=True), "sample")
