"""Cuts the thoughts of reasoning writers out of what they write: they are no part of a report.

A thought stands between two marks (`<think>` of DeepSeek and Qwen, `<unused94>` of MedGemma,
`[THINK]` of Mistral and others), or in a channel of its own (gpt-oss's harmony). Where the chat
template has put the opening mark into the prompt, only the closing one is in the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.backbones.decoding.sampling import RowText
from assistant.errors import BackboneError
from assistant.types import GeneratedText

TextSpan = tuple[int, int]  # characters from and to
Decode = Callable[[Sequence[int]], str]

_NAME = (
    r"(?:[\w-]+:|inner_)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis)"
)
_OPEN = re.compile(
    rf"<\|?(?P<angle>{_NAME})\|?>|\[(?P<square>THINK(?:ING)?)\]|(?P<kimi>◁think▷)"
    r"|(?P<cohere><\|START_THINKING\|>)|(?P<open><\|begin_of_thought\|>)"
    r"|(?P<gemma><unused94>)|(?P<gemma4><\|channel>thought)|(?P<bare>\A\s*thought\n)",
    re.IGNORECASE,
)
_CLOSING = {
    "kimi": "◁/think▷",
    "cohere": "<|END_THINKING|>",
    "open": "<|end_of_thought|>",
    "gemma": "<unused95>",
    "gemma4": "<channel|>",
    "bare": "<unused95>",  # a server may leave out the opening mark as a special token
}
_CLOSE = re.compile(
    rf"<\|?/{_NAME}\|?>|<\|/?end_?(?:of_)?think(?:ing)?\|>|\[/THINK(?:ING)?\]|◁/think▷"
    r"|<\|end_of_thought\|>|<unused95>|<channel\|>",
    re.IGNORECASE,
)
# Marks around the answer that follows a thought.
_AROUND = re.compile(
    r"</?(?:answer|response|solution|final)>|<\|(?:START|END)_RESPONSE\|>"
    r"|<\|(?:begin|end)_of_solution\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>")
_MESSAGE = re.compile(r"<\|channel\|>\s*(?P<name>\w*)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_MESSAGE_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
# Harmony without its marks, as a server writes it that leaves out special tokens.
_BARE_CHANNEL = re.compile(r"\A\s*(?:analysis|commentary)(?=[^\s\w]|[A-Z])")
_BARE_FINAL = "assistantfinal"
_OPENED = re.compile(
    rf"(?:{_OPEN.pattern}|<\|channel\|>analysis<\|message\|>)(?:thought)?\s*\Z", re.IGNORECASE
)
# A text whose end may be the first part of a mark.
_HALF_MARK = re.compile(
    r"(?:<[|/]{0,2}[\w:|-]{0,24}|<\|channel>\w{0,7}|\[/?[A-Za-z]{0,8}|◁/?\w{0,5})\Z"
)
_HALF_START = ("thought\n", "analysis", "commentary")
# How models begin to think aloud, and no report begins. Where only a closing mark will come, such
# a text is not shown before it has come.
_ALOUD = re.compile(
    r"\s*(?:ok(?:ay)?|alright|hmm+|wait|let\W?s|let me|the user|user|got it|so,|first,|thinking"
    r"|(?:i|we) (?:need|should|will|have|must|am|are|can|want|see|think)|i\W(?:m|ll)"
    r"|to (?:write|answer|begin|start))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SplitText:
    """The parts of a text that are no thoughts, as spans of characters."""

    kept: tuple[TextSpan, ...]
    has_thought: bool
    unfinished: bool  # it ends within a thought


@dataclass(frozen=True, slots=True)
class Prompted:
    """What a rendered prompt and its template say of the thoughts that follow."""

    opened: bool = False  # the prompt has opened a thought
    suspected: bool = False  # the model may think up to a closing mark without an opening one


def prompted_thoughts(prompt: str, template: object) -> Prompted:
    """What to expect after a prompt that a chat template has rendered."""
    end = prompt[-80:].rstrip()
    closings = [*_CLOSE.finditer(end)]
    is_closed = bool(closings) and closings[-1].end() == len(end)
    knows = isinstance(template, str) and _CLOSE.search(template) is not None
    return Prompted(_OPENED.search(end) is not None, knows and not is_closed)


def closes_unopened(text: str) -> bool:
    """Whether a text has a closing mark without an opening one, which was in the prompt."""
    opening, closing = _OPEN.search(text), _CLOSE.search(text)
    return closing is not None and (opening is None or closing.start() < opening.start())


def split_thoughts(text: str, *, opened: bool = False) -> SplitText:
    """Find what of a text is no thought; `opened` where the prompt has opened one."""
    if _CHANNEL.search(text):
        return _split_channels(text)
    if bare := _BARE_CHANNEL.match(text):
        final = text.find(_BARE_FINAL, bare.end())
        if final < 0:
            return SplitText((), True, True)
        return _trimmed(text, [(final + len(_BARE_FINAL), len(text))])
    kept: list[TextSpan] = []
    position, has_thought = 0, opened
    if opened:
        first = _CLOSE.search(text)
        if first is None:
            return SplitText((), True, True)
        position = first.end()
    while True:
        opening, closing = _OPEN.search(text, position), _CLOSE.search(text, position)
        if closing and (opening is None or closing.start() < opening.start()):
            kept, position = [], closing.end()  # its opening mark was in the prompt
            has_thought = True
            continue
        if opening is None:
            kept.append((position, len(text)))
            break
        has_thought = True
        kept.append((position, opening.start()))
        end_mark = _closing_of(opening)
        end = text.lower().find(end_mark.lower(), opening.end())
        if end < 0:
            return SplitText(_trimmed(text, kept).kept, True, True)
        position = end + len(end_mark)
    return _trimmed(text, kept) if has_thought else SplitText(((0, len(text)),), False, False)


def _closing_of(opening: re.Match[str]) -> str:
    """The mark that closes the thought that a mark opens."""
    kind = str(opening.lastgroup)
    if kind in ("angle", "square"):
        return opening[0][0] + "/" + opening[0][1:]
    return _CLOSING[kind]


def _split_channels(text: str) -> SplitText:
    """The final channel of a text in harmony's form, or nothing while it has not begun."""
    final = [head for head in _MESSAGE.finditer(text) if head["name"].lower() == "final"]
    if not final:
        return SplitText((), True, True)
    start = final[-1].end()
    end = _MESSAGE_END.search(text, start)
    return _trimmed(text, [(start, end.start() if end else len(text))])


def _trimmed(text: str, kept: Sequence[TextSpan]) -> SplitText:
    """Spans without the marks around an answer and the white space before it."""
    spans: list[TextSpan] = []
    for start, end in kept:
        for mark in _AROUND.finditer(text, start, end):
            spans.append((start, mark.start()))
            start = mark.end()
        spans.append((start, end))
    trimmed: list[TextSpan] = []
    for start, end in spans:
        if not trimmed:  # white space before the answer parts it from the thought
            start += len(text[start:end]) - len(text[start:end].lstrip())
        if start < end:
            trimmed.append((start, end))
    return SplitText(tuple(trimmed), True, False)


def cut_spans(written: GeneratedText, kept: Sequence[TextSpan]) -> GeneratedText:
    """Keep only some spans of a text, with the tokens that wrote them.

    A token that wrote parts on both sides of a border keeps its log-probability. The tokens that
    wrote nothing of what is kept are counted as `thought_tokens`.
    """
    places: list[tuple[TextSpan, float]] = []
    for (start, end), log in zip(written.spans, written.log_probabilities, strict=True):
        inside = [
            _shift((start, end), kept, number, len(written.text)) for number in range(len(kept))
        ]
        pieces = [piece for piece in inside if piece is not None]
        if pieces:
            places.append(((pieces[0][0], pieces[-1][1]), log))
    return GeneratedText(
        "".join(written.text[start:end] for start, end in kept),
        tuple(span for span, _ in places),
        tuple(log for _, log in places),
        written.thought_tokens + len(written.spans) - len(places),
    )


def _shift(span: TextSpan, kept: Sequence[TextSpan], number: int, length: int) -> TextSpan | None:
    """Where a token's characters in one of the kept spans lie in the text of these spans."""
    start, end = kept[number]
    first, last = max(span[0], start), min(span[1], end)
    # A token that is only part of a character has no length, and belongs to what follows it.
    is_before_next = first == end and end < length
    if first > last or is_before_next or (first == last and span[0] != span[1]):
        return None
    offset = sum(b - a for a, b in kept[:number]) - start
    return first + offset, last + offset


def cut_thoughts(
    written: GeneratedText,
    writer: str,
    *,
    prompted: Prompted = Prompted(),
    ended: bool = True,
    hidden: Sequence[TextSpan] = (),
) -> GeneratedText:
    """Cut the thoughts out of a text, and with them their tokens; without any it stays as it is.

    `ended` is False for a text that its token limit has cut short, `hidden` are spans that are not
    shown beside a thought. Raises BackboneError, naming the `writer`, for a text that ends within
    a thought: there is no report in it.
    """
    split = split_thoughts(written.text, opened=prompted.opened)
    is_aloud = prompted.suspected and not ended and _ALOUD.match(written.text) is not None
    if not split.has_thought and not is_aloud:
        return written
    answer = cut_spans(written, _without(split.kept, hidden))
    if split.unfinished or is_aloud or not answer.text.strip():
        raise make_unfinished_error(writer)
    return answer


def make_unfinished_error(writer: str) -> BackboneError:
    """The error for a text that holds nothing but a thought."""
    return BackboneError(
        f"{writer} was still thinking when its text ended, and has written nothing else; raise "
        "max_tokens in the settings, or name a model that does not think aloud."
    )


def _without(spans: Sequence[TextSpan], hidden: Sequence[TextSpan]) -> list[TextSpan]:
    """Spans without the parts that are hidden; both in order."""
    left: list[TextSpan] = []
    for start, end in spans:
        for first, last in hidden:
            if start < last and first < end:
                left.append((start, max(start, first)))
                start = min(last, end)
        left.append((start, end))
    return [(start, end) for start, end in left if start < end]


def visible_text(text: str, prompted: Prompted = Prompted()) -> str:
    """What of a text that is still being written may be shown: nothing that may be a thought."""
    split = split_thoughts(text, opened=prompted.opened)
    if split.unfinished:
        return ""
    shown = "".join(text[start:end] for start, end in split.kept)
    if not split.has_thought:
        beginning = shown.lstrip().lower()
        may_open = any(word.startswith(beginning) for word in _HALF_START)
        if prompted.suspected or may_open or _ALOUD.match(shown):
            return ""
    half = _HALF_MARK.search(shown)
    return shown[: half.start()] if half else shown


def token_spans(
    decode: Decode, ids: Sequence[int], text: str, window: int = 128
) -> tuple[TextSpan, ...]:
    """The characters of `text`, which is `decode(ids)`, that each of its tokens wrote.

    The text of a token depends on those before it; of a long text only the last tokens are
    decoded each time. A character that takes several tokens belongs to the last of them.
    """
    spans: list[TextSpan] = []
    first = offset = end = 0
    for number in range(1, len(ids) + 1):
        piece = decode(ids[first:number])
        start = end
        end = min(max(end, offset + len(piece.rstrip("\ufffd"))), len(text))
        spans.append((start, end))
        if number - first >= 2 * window and not piece.endswith("\ufffd"):
            first += window
            offset += len(piece) - len(decode(ids[first:number]))
    return tuple(spans)


class TokenReader:
    """Turns the tokens that a model has written into texts without thoughts."""

    def __init__(self, tokenizer: Any, writer: str, *, skip_special: bool) -> None:
        """`writer` names the model in an error; `skip_special` leaves special tokens out."""
        self._tokenizer = tokenizer
        self._writer = writer
        self._skip_special = skip_special

    def show(self, ids: Sequence[int], prompted: Prompted) -> str:
        """What may be shown of a text while it is written; an incomplete character is held back."""
        raw = self._decode_raw(ids).rstrip("\ufffd")
        visible = visible_text(raw, prompted)
        if visible == raw:  # as it will be without special tokens
            return self._decode(ids).rstrip("\ufffd")
        for mark in self._tokenizer.all_special_tokens if self._skip_special else ():
            visible = visible.replace(mark, "")
        return visible

    def read(self, written: RowText, prompted: Prompted) -> GeneratedText:
        """The text of a row with the characters of every token, without its thoughts.

        Raises BackboneError for a text that ends within a thought, and for one that was chosen
        by numbers that are none.
        """
        ids, logs = written.ids, tuple(written.log_probabilities)
        if not all(map(math.isfinite, logs)):
            raise BackboneError(
                f"{self._writer} computes NaN; get its files again, or name another dtype."
            )
        raw = self._decode_raw(ids)
        split = split_thoughts(raw, opened=prompted.opened)
        if not split.has_thought:
            text = self._decode(ids)
            plain = GeneratedText(text, token_spans(self._decode, ids, text), logs)
            return cut_thoughts(plain, self._writer, prompted=prompted, ended=written.ended)
        spans = token_spans(self._decode_raw, ids, raw)
        special = set(self._tokenizer.all_special_ids) if self._skip_special else set()
        return cut_thoughts(
            GeneratedText(raw, spans, logs),
            self._writer,
            prompted=prompted,
            ended=written.ended,
            hidden=[span for span, token in zip(spans, ids, strict=True) if token in special],
        )

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=self._skip_special)

    def _decode_raw(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)
