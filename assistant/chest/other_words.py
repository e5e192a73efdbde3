"""Ward and intensive care terms that the vocabulary lacks, with vocabulary words for them."""

from __future__ import annotations

import re

OTHER_WORDS = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), words)
    for pattern, words in (
        (
            r"(?<!healed )(?<!prior )(?<!remote )(?<!old )(?<!granulomatous )"
            r"(?:super)?infect(?:ions?|ious)(?: process| etiology)?|aspiration(?: pneumon\w+)?",
            "pneumonia",
        ),
        (
            r"(?:fluid|volume) overload|overhydration|vascular (?:redistribution|plethora)"
            r"|(?:elevated|increased|raised) pulmonary venous pressure"
            r"|pulmonary venous hypertension"
            r"|indistinct\w* (?:of )?(?:the )?pulmonary (?:vessels|vasculature)",
            "vascular congestion",
        ),
        (r"constant(?: in appearance)?", "unchanged"),
        (r"substantial", "marked"),
        (r"extubat(?:ed|ion)", "removal of endotracheal tube"),
        (r"ards|acute respiratory distress syndrome", "alveolar edema"),
    )
)
