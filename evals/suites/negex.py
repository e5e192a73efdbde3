"""The baseline of the labeller: keywords, and NegEx as negspacy implements it.

It needs the package negspacy (extra `labeller`), on a blank English
pipeline of spaCy; no trained model. Chapman et al. 2001, doi:10.1006/jbin.2001.1029.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from assistant.chest.keywords import KEYWORDS

UNAVAILABLE = "unavailable: install negspacy (pip install 'wetread[labeller]')"


def is_available() -> bool:
    """Whether the package is installed."""
    return find_spec("negspacy") is not None


def findings_in(texts: Sequence[str]) -> list[frozenset[str]]:
    """The findings that each text names without denying them; call it only if `is_available()`."""
    # Importing `negation` registers the component "negex".
    import spacy  # pyright: ignore[reportMissingImports]
    from negspacy import negation  # noqa: F401 # pyright: ignore[reportMissingImports]
    from negspacy.termsets import termset  # pyright: ignore[reportMissingImports]

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    ruler.add_patterns(  # pyright: ignore[reportAttributeAccessIssue]
        [{"label": key, "pattern": word} for key, words in KEYWORDS.items() for word in words]
    )
    terms = termset("en_clinical").get_patterns()
    nlp.add_pipe("negex", config={"ent_types": list(KEYWORDS), "neg_termset": terms})
    return [
        frozenset(entity.label_ for entity in document.ents if not entity._.negex)
        for document in nlp.pipe(texts)
    ]
