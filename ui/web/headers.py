"""The headers of every answer, and the policy of the page: nothing of another host, no eval."""

from __future__ import annotations

import re
from typing import Any

# No powerful feature of a browser is used.
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "usb",
    )
)  # fmt: skip
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": _PERMISSIONS,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_NEVER = re.compile(rb"access-control-.*|server|x-powered-by", re.IGNORECASE)
_KEPT = ("/assets/", "/static/", "/svelte/")  # of gradio's package: the same for everybody


def policy(nonce: str = "") -> str:
    """The content security policy, for a page whose inline scripts bear the nonce.

    Styles may be inline: gradio writes them, and so do the views (aspect ratios of films).
    """
    scripts = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


def secure_headers(
    headers: list[tuple[bytes, bytes]], path: str, *, encrypted: bool, nonce: str = ""
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those of every answer, and without any that opens a door."""
    ours: dict[str, Any] = {**_ALWAYS, "content-security-policy": policy(nonce)}
    if path in ("/", "/login"):  # whose forms would be sent with the origin "null" otherwise
        ours["referrer-policy"] = "same-origin"
    if not path.startswith(_KEPT):
        ours["cache-control"] = "no-store"
    if encrypted:
        ours["strict-transport-security"] = "max-age=31536000"
    names = {name.encode() for name in ours}
    kept = [(k, v) for k, v in headers if k.lower() not in names and not _NEVER.fullmatch(k)]
    return kept + [(name.encode(), value.encode()) for name, value in ours.items()]
