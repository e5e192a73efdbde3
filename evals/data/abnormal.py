"""Which sentences of a report tell of something abnormal, by its codes and by plain words.

The definition looks at nothing that the labeller knows, so that the labeller's coverage cannot be
bent. A sentence counts as abnormal if

1. its report is coded, and not as normal;
2. no report that is coded as normal holds the same sentence;
3. it has no word of denial or normality ("no", "normal", "clear");
4. it gives no advice and does not tell how the film was read ("recommend", "technique");
5. it has a word besides names of organs, places, degrees, words of no change and of grammar: what
   is left of a sentence whose finding is blacked out, or that calls the heart stable, has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from evals.data.openi import CodedReport

_NORMALITY = re.compile(
    r"\b(?:no|not|non|nor|neither|none|never|without|negative|normal|normally|unremarkable|clear"
    r"|free|intact|absent|within (?:normal )?limits|midline|well|sharp|preserved|maintained"
    r"|nonspecific|nonenlarged|patent)\b|n't\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\b(?:recommend\w*|suggest(?:ed)? (?:follow|ct|clinical)|follow-? ?up|correlat\w*|consider"
    r"|considered|advis\w*|discussed|comparison|compared|views?|technique|dictat\w*|phone"
    r"|notif\w*|communicat\w*|telephone|faxed|message|radiologist|questions?|thanks|opportunity"
    r"|available|helpful|useful|further (?:evaluation|imaging|characteri\w+)"
    r"|(?:would|could|may) (?:be|better|provide|confirm)\b.{0,40}\b(?:eval\w*|confirm|needed"
    r"|performed|warranted|indicated|obtained)|if (?:there|one|clinically|warranted|indicated)"
    r"|please|technologist|examination consists|due to technical)\b",
    re.IGNORECASE,
)
SAYS_NOTHING = frozenset(
    """a about also an and appear appearance appears are as at be been being both but by can change
    changes chronic clinically configuration contour contours could did do due examination exam film
    findings for from give given grossly had has have here however image imaging in interval is it
    its may might moderate more most mild mildly minimal multiple of on one ones or other overall
    patient patients position present prior previous quite region remain remains seen several
    severe severely slight slightly small large larger largest smaller marked markedly since size
    some somewhat still study than that the their them there these they this those to top
    unchanged upon very visible visualized was were when where which while with within would year
    years ago again age also noted note identified demonstrated redemonstrated shown similar stable
    static unchanged persistent continued constant today otherwise is's
    anterior aorta aortic apex apical apices arch area areas atrium base bases basilar bilateral
    bilaterally bone bones bony border borders bowel cardiac cardiomediastinal cardiopulmonary
    cardio central chest clavicle colon contour costophrenic diaphragm diaphragms fissure frontal
    heart hemidiaphragm hemithorax hila hilar hilum knee knees lateral left lobe lobes lower lumbar
    lung lungs mediastinal mediastinum mid middle neck node nodes osseous pleura pleural posterior
    pulmonary retrosternal rib ribs right shoulder shoulders side sided silhouette silhouettes
    soft space spine stomach structures superior svc thoracic thorax tissue tissues trachea
    transverse upper vasculature ventricle vertebra vertebrae vertebral vessel vessels volume
    volumes zone abdomen airways airway kub cm mm dr see above below""".split()  # noqa: SIM905
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s*")
_WORD = re.compile(r"[a-z]+")
_BLACKOUT = "xxxx"


def sentences_of(report: CodedReport) -> Iterator[str]:
    """Yield the sentences of findings and impression, without list numbers."""
    for section in (report.findings, report.impression):
        for sentence in _SENTENCE_END.split(section):
            text = _NUMBER.sub("", sentence).strip()
            if words_of_sentence(text):
                yield text


def words_of_sentence(sentence: str) -> tuple[str, ...]:
    """Return the lower-case words of a sentence, without numbers and blackouts."""
    return tuple(word for word in _WORD.findall(sentence.lower()) if word != _BLACKOUT)


def abnormal_sentences(reports: Iterable[CodedReport], split: str) -> list[tuple[CodedReport, str]]:
    """Return the abnormal sentences of a split with their reports; see the module for which.

    `reports` are those of all splits: their normal ones tell what a normal report says.
    """
    known = tuple(reports)
    normal = {
        words_of_sentence(sentence)
        for report in known
        if report.is_normal
        for sentence in sentences_of(report)
    }
    return [
        (report, sentence)
        for report in known
        if report.split == split and report.is_abnormal
        for sentence in sentences_of(report)
        if words_of_sentence(sentence) not in normal and _tells_of_something(sentence)
    ]


def _tells_of_something(sentence: str) -> bool:
    if _NORMALITY.search(sentence) or _ADVICE.search(sentence):
        return False
    return not SAYS_NOTHING.issuperset(words_of_sentence(sentence))
