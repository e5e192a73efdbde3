"""The last evaluation's page, as `wetread eval` has written it."""

from __future__ import annotations

from html import escape

from assistant.paths import card_file
from ui.events import Updates, panel
from ui.markup import empty

NO_CARD = empty(
    "No evaluation has been run here yet.",
    "`wetread eval smoke` makes a first page in two minutes.",
)


class CardTab:
    """The card in a frame of its own, in which no script can run."""

    def __init__(self) -> None:
        self.card = panel(NO_CARD, "card")

    def show_card(self) -> Updates:
        """The card that is there now."""
        try:
            page = card_file().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return {self.card: NO_CARD}
        frame = (
            f'<iframe sandbox title="Report card of the last evaluation" srcdoc="{escape(page)}">'
        )
        return {self.card: f"{frame}</iframe>"}
