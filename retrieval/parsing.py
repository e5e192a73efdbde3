"""Parses text and JSON that come from outside: whatever is wrong with them is a `ValueError`.

Python's own parsers raise three more kinds of error for what a file may hold (an integer of 4,301
digits, lists in lists in lists), leave a byte order mark in the text, and let through numbers and
letters that nothing can store. This module knows no file.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Sequence
from typing import Any

# The longer mark goes first: UTF-32's begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HALF_LETTER = re.compile("[\ud800-\udfff]")


def encoding_of(head: bytes) -> str:
    """The encoding that the first four bytes of a text tell by a byte order mark, else UTF-8."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


def decode_text(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 or UTF-32 with a byte order mark; the mark is no part of the text.

    Raises ValueError for other bytes.
    """
    return data.decode(encoding_of(data[:4])).lstrip("\ufeff")


def parse_json(text: str | bytes, *, unique: bool = False) -> Any:
    """Parse JSON; numbers that are not finite become None, halves of letters become U+FFFD.

    With `unique` an object that has a key twice, but for case and spaces around it, is refused.
    Raises ValueError, which quotes nothing of the text, for whatever cannot be parsed.
    """
    try:
        decoded = decode_text(text) if isinstance(text, bytes) else text.lstrip("\ufeff")
        value = json.loads(
            decoded,
            parse_constant=lambda _: None,
            parse_float=_finite,
            object_pairs_hook=_unique_pairs if unique else None,
        )
        return _with_whole_letters(value) if r"\ud" in decoded.lower() else value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except RepeatedKey:
        raise
    except ValueError:
        raise ValueError("it cannot be parsed") from None


class RepeatedKey(ValueError):  # noqa: N818 - what it is, and an error by its base
    """An object of JSON has a key twice; the message is the key."""


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _unique_pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key.strip().lower() for key, _ in pairs]
    if repeated := repeated_name(keys):
        raise RepeatedKey(repeated)
    return dict(pairs)


def repeated_name(names: Sequence[str]) -> str:
    """The first name that is there twice; empty where there is none."""
    return next((name for n, name in enumerate(names) if name and name in names[:n]), "")


def _with_whole_letters(value: Any) -> Any:
    """A value of JSON whose texts can be written as UTF-8."""
    if isinstance(value, str):
        return _HALF_LETTER.sub("\ufffd", value)
    if isinstance(value, list):
        return [_with_whole_letters(item) for item in value]
    if isinstance(value, dict):
        return {_with_whole_letters(k): _with_whole_letters(v) for k, v in value.items()}
    return value
