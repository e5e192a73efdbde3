"""The snapshot of the index on the disk: its card, which names its file, and if both are whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from retrieval.parsing import parse_json

CARD = "current.json"


def sealed_card(card: dict[str, int | str]) -> bytes:
    """A card with the SHA-256 of itself, as JSON."""
    return json.dumps({"card": card, "seal": _seal_of(card)}, sort_keys=True, indent=1).encode()


def read_card(data: bytes) -> dict | None:
    """The card of `sealed_card`, or None where it is damaged."""
    try:
        whole = parse_json(data)
    except ValueError:
        return None
    card = whole.get("card") if isinstance(whole, dict) else None
    return card if isinstance(card, dict) and whole.get("seal") == _seal_of(card) else None


def snapshot_fault(folder: Path) -> str:
    """What is wrong with the snapshot in a folder, in words; empty where it is whole or absent."""
    try:
        if not (folder / CARD).is_file():
            return ""
        card = read_card((folder / CARD).read_bytes())
        if card is None:
            return "has a damaged card"
        data = (folder / f"{card['index']}.faiss").read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if hashlib.sha256(data).hexdigest() == card["index"] else "is damaged"


def _seal_of(card: dict) -> str:
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
