"""The page's own HTML: scripts that the policy lets run, and the page that asks for a password."""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from pathlib import Path

import gradio

from ui.events import script, script_key

SCRIPTS = ("buttons.js", "checked.js", "draft.js", "first.js", "viewer.js")
# What gradio calls the scripts of an HTML component with.
_PARAMETERS = "element, trigger, props, server, upload, watch"
_MANIFEST = (
    '<link rel="manifest" href="/manifest.json" />'  # of an app to install, which this is not
)


@cache
def functions_js() -> str:
    """The script that gives gradio the page's scripts: no function is made out of text."""
    parts = [
        f'"{script_key(name)}": function ({_PARAMETERS}) {{\n{script(name)}\n}}' for name in SCRIPTS
    ]
    return script("functions.js").replace("/*scripts*/", ",\n".join(parts))


@cache
def _script_count() -> int:
    """How many scripts gradio's page has, before anybody's data is in it."""
    template = Path(gradio.__file__).parent / "templates" / "frontend" / "index.html"
    return template.read_text("utf-8").lower().count("<script")


def secure_page(html: str, nonce: str) -> str | None:
    """Gradio's page with the nonce on its scripts, and ours before them.

    None where it holds other scripts than gradio's: no nonce is given to what data has brought in.
    """
    if html.lower().count("<script") != _script_count():
        return None
    version = hashlib.sha256(functions_js().encode()).hexdigest()[:12]
    ours = f'<script nonce="{nonce}" src="./wetread.js?{version}"></script>'
    html = html.replace(_MANIFEST, "", 1).replace("<script", f'<script nonce="{nonce}"')
    return html.replace("<script", f"{ours}<script", 1)


def login_page(problem: str = "") -> str:
    """The page that asks for name and password; `problem` says why it does so again."""
    html = script("login.html")
    words = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    return html.replace("<!--problem-->", words)
