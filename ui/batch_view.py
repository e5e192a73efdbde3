"""A batch of films on its way: how far it is, its drafts by risk, and all of it as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from assistant.export.wording import percent
from ui.markup import button, download, empty

NO_BATCH = empty("Drafts of a whole folder appear here,", "the riskiest first.")
MAX_ROWS = 200  # rows on the page; the file holds them all
TableRow = Mapping[str, Any]


def batch_html(rows: Sequence[TableRow], total: int, seconds: float, ended: str = "") -> str:
    """The batch so far: `total` films in all, `ended` why no more come (empty: it goes on)."""
    if not total:
        return NO_BATCH
    done = len(rows)
    rate = done / seconds if seconds else 0.0
    time_left = f", {(total - done) / rate:.0f} s left" if rate and not ended else ""
    words = f"{done} of {total} films, {rate:.1f} a second{time_left}. {ended}"
    order = sorted(range(done), key=lambda i: -_sort_key(rows[i]))[:MAX_ROWS]
    lines = "".join(_row_html(rows[i], i) for i in order)
    link = ""
    if ended and rows:
        jsonl = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        link = download("drafts.jsonl", jsonl.encode(), "application/jsonl", "Download JSONL")
    more = f'<p class="dim">The {MAX_ROWS} riskiest of {done}.</p>' if done > MAX_ROWS else ""
    return (
        f'<p role="status">{escape(words)}</p><progress max="{total}" value="{done}" '
        f'aria-label="Films drafted"></progress><p class="links">{link}</p>{more}'
        '<div class="wide"><table><thead><tr><th scope="col">Film</th><th scope="col">Gate</th>'
        '<th scope="col">Highest risk</th><th scope="col">Draft</th><th scope="col">Open</th></tr>'
        f"</thead><tbody>{lines}</tbody></table></div>"
    )


def _risks(row: TableRow) -> list[float]:
    sentences = row["draft"]["sentences"] if "draft" in row else []
    return [s["risk"] for s in sentences if s["risk"] is not None]


def _sort_key(row: TableRow) -> float:
    """The table's order: films that cannot be read first, then by the riskiest sentence."""
    if "error" in row:
        return 3.0
    if row["draft"]["gate"]["answer"] == "refuse":
        return 2.0
    return max(_risks(row), default=1.5)


def _row_html(row: TableRow, index: int) -> str:
    name = escape(row["case"])
    if "error" in row:
        cell = f'<td colspan="4" class="contradicts">{escape(row["error"])}</td>'
        return f'<tr><th scope="row">{name}</th>{cell}</tr>'
    draft = row["draft"]
    risks = _risks(row)
    text = " ".join(s["text"] for s in draft["sentences"]) or draft["gate"]["reason"]
    worst = percent(max(risks)) if risks else "not measured"
    gate = draft["gate"]["answer"]
    return (
        f'<tr><th scope="row">{name}</th><td>{gate}</td><td>{worst}</td><td>{escape(text)}</td>'
        f"<td>{button('open', 'Open', 'Look at this film', index=index)}</td></tr>"
    )
