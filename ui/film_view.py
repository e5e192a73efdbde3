"""The film viewer and the list of studies as HTML; the viewer's tools are in assets/viewer.js."""

from __future__ import annotations

from html import escape

from assistant.intake.notes import notes_of
from assistant.types import Film
from ui.markup import button, empty, film_url
from ui.session import OpenStudy, Session

NO_FILM = empty("Drop a film, or try a sample.", "It stays in this session.")
TOOLS = (
    ("level", "Window", "Drag on the film to set window and level"),
    ("pan", "Pan", "Drag on the film to move it"),
    ("in", "+", "Larger (key +)"),
    ("out", "\u2212", "Smaller (key -)"),
    ("invert", "Invert", "Dark for bright (key I)"),
    ("boxes", "Boxes", "Where the evidence lies (key B)"),
    ("reset", "Reset", "As it was (key 0)"),
)
STATES = ("level", "pan", "invert", "boxes")  # tools that are on or off


def viewer_html(session: Session) -> str:
    """The viewer of the current study's film."""
    study = session.current
    if study is None:
        return NO_FILM
    film = study.film
    height, width = film.pixels.shape
    width_mm = f"{film.spacing_mm[1] * width:.2f}" if film.spacing_mm else ""
    tools = "".join(
        button(do, words, title, pressed=do in ("level", "boxes") if do in STATES else None)
        for do, words, title in TOOLS
    )
    mark = '<span class="mark">SYNTHETIC</span>' if "synthetic" in film.flags else ""
    # Only the film that was drafted has boxes.
    has_boxes = "yes" if study.film_index == 0 else "no"
    return (
        f'<section class="viewer" data-film="{film.sha256[:16]}" data-wide="{width_mm}"'
        f' data-boxed="{has_boxes}" aria-label="Film viewer">'
        f'<div class="tools" role="toolbar" aria-label="Film tools">{tools}</div>'
        '<div class="stage" tabindex="0" role="group" aria-label="The film. Arrow keys move it, '
        'plus and minus change its size, I inverts, B shows boxes, 0 resets.">'
        f'<div class="plate" style="aspect-ratio:{width}/{height};'
        f'width:min(100%, calc(66vh * {width / height:.4f}))">'
        f'<img src="{film_url(film)}" alt="The film" draggable="false">'
        '<svg class="boxes" preserveAspectRatio="none" aria-hidden="true"></svg></div>'
        f'<div class="ruler" aria-hidden="true"><i></i><span></span></div>{mark}'
        '<figure class="beside" hidden><img alt=""><figcaption></figcaption></figure></div>'
        '<div class="levels"><label>Window <input type="range" data-set="window" min="2" max="200"'
        ' value="100" aria-label="Window, per cent of the grey values"></label>'
        '<label>Level <input type="range" data-set="level" min="0" max="100" value="50"'
        ' aria-label="Level, per cent of the grey values"></label>'
        '<output class="dim"></output></div>'
        f'{_film_buttons(study)}<p class="caption">{escape(_caption_of(study, film))}</p></section>'
    )


def _film_buttons(study: OpenStudy) -> str:
    """Buttons for the films of a study, where it has more than one."""
    if len(study.all_films) < 2:
        return ""
    buttons = []
    uses = {use.sha256: use for use in study.report.provenance.films} if study.report else {}
    for index, film in enumerate(study.all_films):
        prior = index >= len(study.films)
        number = index - len(study.films) + 1 if prior else index + 1
        words = f"Prior {number}" if prior else f"Film {number}"
        use = uses.get(film.sha256)
        kind = film.view or (use.kind if use else None)
        details = [kind or "", "not read" if use and not use.read else ""]
        words += f" ({', '.join(filter(None, details))})" if any(details) else ""
        buttons.append(button("film", words, pressed=index == study.film_index, index=index))
    group = 'role="group" aria-label="Films of this study"'
    return f'<div class="filmstrip" {group}>{"".join(buttons)}</div>'


def _caption_of(study: OpenStudy, film: Film) -> str:
    size = f"{film.pixels.shape[1]} by {film.pixels.shape[0]} pixels"
    spacing = "spacing not known: no scale"
    if film.spacing_mm:
        spacing = f"{film.spacing_mm[0]:.3g} by {film.spacing_mm[1]:.3g} mm a pixel"
    corrections = [flag.partition(": ")[2] for flag in film.flags if flag.startswith("corrected: ")]
    parts = [size, spacing, film.view or "view not stated", f"film {film.sha256[:12]}"]
    parts += [f"put right: {', '.join(corrections)}"] if corrections else []
    parts += [f"painted from: {study.painting_prompt}"] if study.painting_prompt else []
    parts += notes_of(film)
    return " · ".join(parts)


def rail_html(session: Session) -> str:
    """The studies of this session, newest first."""
    if not session.studies:
        return '<p class="dim">No study yet.</p>'
    rows = []
    for study in reversed(session.studies):
        film, number = study.films[0], study.number
        kind = "Painting" if "synthetic" in film.flags and study.painting_prompt else "Study"
        state = _state_of(study)
        current = ' aria-current="true"' if study.number == session.current_number else ""
        rows.append(
            f"<li{current}>"
            + button("study", f"{kind} {number}", "Look at this study", number=number)
            + f'<span class="dim">{escape(state)}</span>'
            + button(
                "drop", "\u00d7", f"Take study {study.number} off the desk", number=study.number
            )
            + "</li>"
        )
    return f'<ul class="rail" aria-label="Studies of this session">{"".join(rows)}</ul>'


def _state_of(study: OpenStudy) -> str:
    """The state of a study in a few words."""
    if study.report is None:
        return "not drafted"
    gate = {"warn": "drafted, warned", "refuse": "refused"}
    state = gate.get(study.report.gate.answer, "drafted")
    return f"{state}, {len(study.answers)} asked" if study.answers else state
