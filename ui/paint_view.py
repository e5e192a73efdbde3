"""Painted films as HTML, each with its mark, its prompt, its checks and its nearest film."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from html import escape

from assistant.assistant import Assistant
from assistant.errors import WetreadError
from assistant.painting.painting import caption_of, file_of
from assistant.types import Painting
from ui.markup import busy, button, data_url, download, empty

SITES = ("A", "B", "C", "D")
NO_PAINTING = empty("Painted films appear here,", "each marked as synthetic.")


def paintings_html(
    assistant: Assistant, paintings: Sequence[Painting], total: int = 0, share: float = 1.0
) -> str:
    """The films painted so far, of `total`; `share` of the next one is done."""
    films = "".join(painting_html(assistant, p, i) for i, p in enumerate(paintings))
    progress = ""
    if len(paintings) < total:
        progress = busy(f"Painting film {len(paintings) + 1} of {total}: {share:.0%} …")
        progress += f'<progress max="1" value="{share:.2f}" aria-label="Painting"></progress>'
    return f'{progress}<div class="films">{films}</div>'


def painting_html(assistant: Assistant, painting: Painting, index: int) -> str:
    """One painted film, marked as synthetic on the page and in its file, with its checks."""
    png, p = file_of(painting), painting.provenance
    name = f"synthetic-{p.prompt_sha256[:8]}-seed{p.seed}.png"
    request = painting.request
    details = [
        f"{p.backbone} {p.revision[:12]}",
        f"seed {p.seed}",
        f"guidance {request.guidance:g}",
    ]
    details += [f"site {request.site}"] if request.site else []
    alt = escape(f"Synthetic film {index + 1}: {painting.prompt}")
    return (
        f'<article class="case painting" data-case="{index}">'
        f'<div class="film"><img src="{data_url(png, "image/png")}" alt="{alt}">'
        f'<span class="mark">SYNTHETIC</span></div><p class="asked">{escape(painting.prompt)}</p>'
        f'<p class="found">{escape(caption_of(painting))}</p>{_nearest_html(assistant, painting)}'
        f'<p class="dim">{escape(" · ".join(details))}</p><p class="acts">'
        f"{download(name, png, 'image/png', 'Download PNG')}"
        f"{button('draft', 'Draft this painting', index=index)}</p></article>"
    )


def _nearest_html(assistant: Assistant, painting: Painting) -> str:
    """The known film most similar to the painting, with its similarity."""
    check = painting.copy
    if check.film is None or check.similarity is None:
        return ""
    picture = ""
    with suppress(WetreadError):
        if assistant.library and check.shelf == "library":
            url = data_url(assistant.library.preview(check.film), "image/png")
            picture = f'<img src="{url}" alt="The nearest film of the library">'
    words = f"Nearest of {check.compared} films compared, likeness {check.similarity:.2f} (SSIM)"
    return (
        f'<details class="nearest"><summary>{words}: {check.verdict}</summary>{picture}</details>'
    )
