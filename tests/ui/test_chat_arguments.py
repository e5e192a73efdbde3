"""Whatever an endpoint is given, its answer is a result or an error of one sentence."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from chat import free_port, phantom_png
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import app
from assistant import Assistant
from assistant.errors import SettingsError
from ui.web.limits import Limits

# A good call of each endpoint; FILM stands for an uploaded film.
FILM = object()
GOOD: dict[str, tuple[Any, ...]] = {
    "draft": (FILM, "Cough.", "", 0),
    "similar": (FILM, 3),
    "ask": (FILM, "Is there a pleural effusion?", "", 0),
    "paint": ("Cardiomegaly.", 1, 3, "A"),
}
ARGUMENTS = [(name, index) for name, values in GOOD.items() for index in range(len(values))]
DONE = "It is done."
# Of no kind, out of every range, too long, too deep: for whichever argument.
BAD: list[Any] = [
    None, -1, 2**64, 10**400, True, [], {}, [None], "x" * 100_000, "\ud800",
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, 0.5,
    -(2**64), 1e308, -0.5, math.inf, [[]], {"path": None}, {"path": ""}, {"path": "/etc/passwd"},
    {"path": "\0"}, {"path": "a" * 2000}, {"path": 3}, "Q", "NaN",
    {"url": "http://192.0.2.1/film.png", "path": "http://192.0.2.1/film.png"},
    {"__type__": "update", "value": 3}, [{"path": "a"}, {"path": "b"}],
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def done() -> Assistant:
    """An assistant that does at once what reaches it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise SettingsError(DONE)

    return cast(
        Assistant,
        SimpleNamespace(
            library=None, backbone=None, draft=refuse, similar=refuse, ask=refuse, paint=refuse
        ),
    )


@pytest.fixture(scope="module")
def client(done, url):
    """A program; `url` is served first, as servers in one process must end in reverse order."""
    with (
        app.serve_chat(done, free_port(), limits=Limits(waiting_each=1000)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def _film(client) -> dict[str, Any]:
    files = {"files": ("Zebedee.png", phantom_png(0))}
    (path,) = client.post("gradio_api/upload", files=files).json()
    return {"path": path, "orig_name": "Zebedee.png", "meta": {"_type": "gradio.FileData"}}


def _call(client, name: str, values: list[Any]) -> str:
    """The sentence that a call ends with."""
    body = json.dumps({"data": values})
    headers = {"content-type": "application/json"}
    sent = client.post(f"gradio_api/call/{name}", content=body, headers=headers)
    if sent.status_code != 200:
        assert sent.status_code in (400, 413), sent.text
        return _sentence(sent.json()["detail"])
    answer = client.get(f"gradio_api/call/{name}/{sent.json()['event_id']}").text
    event, data = answer.split("\n")[:2]
    assert event == "event: error", answer[:300]
    return _sentence(json.loads(data.removeprefix("data: "))["error"])


def _sentence(words: Any) -> str:
    assert isinstance(words, str)
    assert words[-1] in ".?"
    assert "Traceback" not in words
    assert "inside Wetread" not in words
    assert len(words) < 400
    return words


def _with(client, name: str, index: int, value: Any) -> list[Any]:
    values: list[Any] = [*GOOD[name]]
    values[index] = value
    return [_film(client) if v is FILM else v for v in values]


def test_a_good_call_reaches_the_assistant(client):
    for name, values in GOOD.items():
        assert _call(client, name, _with(client, name, 0, values[0])) == DONE


@pytest.mark.parametrize(
    "count", [12, pytest.param(len(BAD), marks=pytest.mark.long)], ids=["few", "all"]
)
@pytest.mark.parametrize(("name", "index"), ARGUMENTS)
def test_a_bad_argument_is_one_sentence(client, capfd, name, index, count):
    told = []
    for value in [*BAD[:count], math.nan, _deep(10), _deep(300)]:
        told.append(_call(client, name, _with(client, name, index, value)))
    good = GOOD[name][index]
    if not isinstance(good, str):  # any short text is a good text
        taken = [v for v, words in zip(BAD, told, strict=False) if words == DONE]
        assert [v for v in taken if not _is_good(name, index, v)] == []
    assert _call(client, name, _with(client, name, index, None)) != DONE
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err


def _is_good(name: str, index: int, value: Any) -> bool:
    """Whether a number is in the range of guidance, the only one that need not be whole."""
    del index
    return name == "paint" and isinstance(value, float) and 1 <= value <= 100


def _deep(levels: int) -> Any:
    value: Any = "film"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_number_of_arguments_is_one_sentence_that_names_them(client, name):
    for values in ([], [None], [0] * 3, [0] * 5, [0] * 1000):
        if len(values) == len(GOOD[name]):
            continue
        words = _call(client, name, values)
        assert f"{len(GOOD[name])} are needed" in words
        if name == "paint":
            assert "prompt, seed, guidance, site" in words


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30
)
@example(call=("paint", 1), value=2**64)
@example(call=("similar", 1), value=-1)
@given(call=st.sampled_from(ARGUMENTS), value=ANYTHING)
def test_any_argument_gives_a_result_or_one_sentence(client, call, value):
    _call(client, call[0], _with(client, *call, value))


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25
)
@given(index=st.integers(0, 90), values=st.lists(ANYTHING, max_size=8), data=ANYTHING)
def test_any_event_of_the_page_gives_a_result_or_one_sentence(url, capfd, index, values, data):
    """The page's private events can be called by hand as well."""
    config = httpx.get(f"{url}config", timeout=60).json()["dependencies"]
    event, session = config[index % len(config)], uuid4().hex
    values = [*values, *[None] * len(event["inputs"])][: len(event["inputs"])]
    body = {"data": values, "fn_index": event["id"], "session_hash": session, "event_data": data}
    headers = {"content-type": "application/json"}
    join, listen = f"{url}gradio_api/queue/join", f"{url}gradio_api/queue/data"
    sent = httpx.post(join, content=json.dumps(body), headers=headers, timeout=60)
    if sent.status_code != 200:
        assert _sentence(sent.json()["detail"])
        return
    with httpx.stream("GET", listen, params={"session_hash": session}, timeout=60) as lines:
        end = next(line for line in lines.iter_lines() if '"process_completed"' in line)
    output = json.loads(end.removeprefix("data: "))
    if not output["success"]:
        assert _sentence(output["output"]["error"])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err, (event["api_name"], values)


def test_arguments_by_their_names_are_taken_too(client):
    headers = {"content-type": "application/json"}
    named = {"prompt": "Cardiomegaly.", "seed": 1, "guidance": 3, "site": "A"}
    for body, words in ((named, DONE), ({**named, "seed": -1}, "seed must be"), ({}, "are needed")):
        sent = client.post("gradio_api/call/v2/paint", content=json.dumps(body), headers=headers)
        answer = client.get(f"gradio_api/call/v2/paint/{sent.json()['event_id']}").text
        assert words in answer


@pytest.mark.parametrize("path", ["nothing", "refuse", "take_films", "-1", "draft%00", "../draft"])
def test_an_unknown_endpoint_is_one_sentence(client, path):
    answer = client.post(f"gradio_api/call/{path}", json={"data": []})
    assert answer.status_code == 404
    assert _sentence(answer.json()["detail"])
    assert _sentence(client.get("gradio_api/call/draft/unknown").json()["detail"])
    listen = client.get("gradio_api/queue/data", params={"session_hash": "unknown"})
    assert listen.status_code == 404
