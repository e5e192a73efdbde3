"""The rules of evidence, driven with texts that a writer might have given."""

from __future__ import annotations

from assistant.evidence.collect import gather_sources
from assistant.evidence.rules import judge_sentences
from assistant.types import GeneratedText, Neighbour


def judged(text: str, neighbours: tuple[Neighbour, ...] = (), *, has_prior: bool = False):
    spans = tuple((i, i + 1) for i in range(len(text)))
    written = GeneratedText(text, spans, tuple(-0.5 for _ in text))
    return judge_sentences(written, gather_sources(None, neighbours), has_prior=has_prior)


def test_a_neighbour_alone_never_supports_a_sentence():
    cases = tuple(
        Neighbour(f"{i:016x}", 0.99, "There is a right pleural effusion.") for i in range(5)
    )
    sentences, _ = judged("Findings: There is a right pleural effusion.", cases)
    assert len(sentences[0].citations) == 5
    assert sentences[0].verdict == "unchecked"
    assert sentences[0].risk is None


def test_a_case_is_cited_only_where_finding_polarity_and_side_agree():
    reports = {
        "a" * 16: "There is a right pleural effusion.",
        "b" * 16: "There is a left pleural effusion.",
        "c" * 16: "No pleural effusion.",
        "d" * 16: "The heart size is normal.",
        "e" * 16: "There are bilateral pleural effusions.",
    }
    cases = tuple(Neighbour(case, 0.9, text) for case, text in reports.items())
    sentences, _ = judged("Findings: There is a right pleural effusion.", cases)
    assert sentences[0].citations == ("a" * 16, "e" * 16)
    says = {e.where[0]: e.says for e in sentences[0].evidence}
    assert says == {
        "a": "supports", "b": "silent", "c": "contradicts", "d": "silent", "e": "supports",
    }  # fmt: skip


def test_labels_count_as_what_a_case_asserts():
    cases = (Neighbour("a" * 16, 0.9, "", ("Cardiomegaly", "Effusion")),)
    sentences, _ = judged("Findings: The heart is enlarged.", cases)
    assert sentences[0].citations == ("a" * 16,)


def test_a_comparison_without_a_prior_is_removed_and_recorded():
    text = "Findings: The effusion is unchanged. The heart size is normal."
    sentences, removed = judged(text)
    assert [s.text for s in sentences] == ["The heart size is normal."]
    assert removed[0][0] == "The effusion is unchanged."
    assert len(judged(text, has_prior=True)[0]) == 2


def test_a_number_nothing_computed_is_withheld_and_recorded():
    sentences, removed = judged("Findings: There is a 14 mm nodule in the right upper zone.")
    assert "14" not in sentences[0].text
    assert "withheld" in sentences[0].text
    assert "14 mm" in removed[0][0]


def test_a_sentence_carries_the_confidence_of_its_own_tokens():
    text = "Findings: One nodule. Two."
    spans = ((0, 21), (21, len(text)))
    sentences, _ = judge_sentences(
        GeneratedText(text, spans, (-1.0, -3.0)), gather_sources(None, ()), has_prior=False
    )
    assert [s.log_probability for s in sentences] == [-1.0, -3.0]
