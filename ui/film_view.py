"""The film as it is looked at: a viewer whose tools are in assets/viewer.js."""

from __future__ import annotations

from html import escape

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


def viewer_html(desk: Session) -> str:
    """The viewer of the film that is looked at."""
    visit = desk.here
    if visit is None:
        return NO_FILM
    film = visit.film
    height, width = film.pixels.shape
    wide = f"{film.spacing_mm[1] * width:.2f}" if film.spacing_mm else ""
    tools = "".join(
        button(do, words, title, pressed=do in ("level", "boxes") if do in STATES else None)
        for do, words, title in TOOLS
    )
    mark = '<span class="mark">SYNTHETIC</span>' if "synthetic" in film.flags else ""
    # Boxes lie on the film that was read, and on no other.
    boxed = "yes" if visit.shown == 0 else "no"
    return (
        f'<section class="viewer" data-film="{film.sha256[:16]}" data-wide="{wide}"'
        f' data-boxed="{boxed}" aria-label="Film viewer">'
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
        f'{_strip(visit)}<p class="caption">{escape(_caption(visit, film))}</p></section>'
    )


def _strip(visit: OpenStudy) -> str:
    """Buttons for the films of a study, where it has more than one."""
    if len(visit.all_films) < 2:
        return ""
    made = []
    for index, film in enumerate(visit.all_films):
        prior = index >= len(visit.films)
        number = index - len(visit.films) + 1 if prior else index + 1
        words = f"Prior {number}" if prior else f"Film {number}"
        words += f" ({film.view})" if film.view else ""
        made.append(button("film", words, pressed=index == visit.shown, index=index))
    group = 'role="group" aria-label="Films of this study"'
    return f'<div class="filmstrip" {group}>{"".join(made)}</div>'


def _caption(visit: OpenStudy, film: Film) -> str:
    size = f"{film.pixels.shape[1]} by {film.pixels.shape[0]} pixels"
    spacing = "spacing not known: no scale"
    if film.spacing_mm:
        spacing = f"{film.spacing_mm[0]:.3g} by {film.spacing_mm[1]:.3g} mm a pixel"
    done = [flag.partition(": ")[2] for flag in film.flags if flag.startswith("corrected: ")]
    parts = [size, spacing, film.view or "view not stated", f"film {film.sha256[:12]}"]
    parts += [f"put right: {', '.join(done)}"] if done else []
    parts += [f"painted from: {visit.painted}"] if visit.painted else []
    return " · ".join(parts)


def rail_html(desk: Session) -> str:
    """The studies of this session, newest first."""
    if not desk.visits:
        return '<p class="dim">No study yet.</p>'
    rows = []
    for visit in reversed(desk.visits):
        film, number = visit.films[0], visit.number
        kind = "Painting" if "synthetic" in film.flags and visit.painted else "Study"
        state = _state(visit)
        current = ' aria-current="true"' if visit.number == desk.at else ""
        rows.append(
            f"<li{current}>"
            + button("study", f"{kind} {number}", "Look at this study", number=number)
            + f'<span class="dim">{escape(state)}</span>'
            + button(
                "drop", "\u00d7", f"Take study {visit.number} off the desk", number=visit.number
            )
            + "</li>"
        )
    return f'<ul class="rail" aria-label="Studies of this session">{"".join(rows)}</ul>'


def _state(visit: OpenStudy) -> str:
    """What became of a study, in a few words."""
    if visit.report is None:
        return "not drafted"
    gate = {"warn": "drafted, warned", "refuse": "refused"}
    said = gate.get(visit.report.gate.answer, "drafted")
    return f"{said}, {len(visit.talk)} asked" if visit.talk else said
