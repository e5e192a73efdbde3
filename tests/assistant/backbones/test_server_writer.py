"""A server as writer: `transformers serve` for real, and one of our own for what it cannot show."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from chat import free_port
from PIL import Image
from toy_vlms import toy_vlm
from transformers import AutoModelForImageTextToText, AutoProcessor

from assistant.backbones.protocols import Encoded, Sampling
from assistant.backbones.server.settings import ServerSettings
from assistant.backbones.server.writer import ServerWriter
from assistant.errors import BackboneError, SettingsError, Stopped
from assistant.evidence.signals import confidence_signal
from assistant.prompts import film_messages
from assistant.types import Film, GeneratedText, Study

REQUEST = "Write the report of this chest film."
NAMED = "Indication: Zebulon Quagmire"  # must reach the server and nobody else
GREEDY = Sampling(max_tokens=12)


def encoded(shade: float = 0.0, films: int = 1) -> Encoded:
    """A film that no encoder has seen: the server looks at the film itself."""
    made = []
    for i in range(films):
        pixels = np.random.default_rng(i).random((48, 40)).astype(np.float32) * (1 - shade)
        made.append(Film(pixels, f"{i:064d}"))
    nothing = np.zeros(1, np.float32)
    return Encoded(Study(tuple(made)), None, nothing, nothing)


# ---- transformers serve


@contextmanager
def served(model: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """`transformers serve` of a model on a free port, until it answers."""
    port = free_port()
    command = Path(sys.executable).with_name("transformers")
    process = subprocess.Popen(
        [command, "serve", str(model), "--port", str(port), "--host", "127.0.0.1"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            assert process.poll() is None, "the server did not start"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def vlm(tmp_path_factory) -> Path:
    """A tiny random LLaVA, which samples where it is asked for a temperature, and goes on long."""
    folder = toy_vlm("llava", tmp_path_factory.mktemp("served") / "toy")
    config = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    config |= {"do_sample": True, "top_k": 0}
    (folder / "generation_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(vlm) -> Iterator[tuple[str, subprocess.Popen]]:
    """Started once: that takes longer than all that is asked of it."""
    with served(vlm) as started:
        yield started


@pytest.fixture(scope="module")
def writer(vlm, server) -> ServerWriter:
    return ServerWriter(ServerSettings(server[0], str(vlm)))


def locally(vlm: Path, code: Encoded, request: str, tokens: int) -> str:
    """What the same checkpoint writes greedily in this process."""
    model: Any = AutoModelForImageTextToText.from_pretrained(vlm, local_files_only=True)
    processor = AutoProcessor.from_pretrained(vlm, local_files_only=True)
    grey = (code.study.films[0].pixels * 255).round().astype(np.uint8)
    turn = film_messages(request, 1)
    turn[0]["content"][0] = {"type": "image", "image": Image.fromarray(grey).convert("RGB")}
    inputs = processor.apply_chat_template(
        turn, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    ids = model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
    return processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


@pytest.mark.long
def test_a_served_model_writes_what_it_writes_here(writer, vlm):
    codes, requests = [encoded(), encoded(0.9)], [REQUEST, "Is there a nodule?"]
    written = writer.write(codes, requests, GREEDY)
    expected = [locally(vlm, c, r, 12) for c, r in zip(codes, requests, strict=True)]
    assert [one.text for one in written] == expected
    assert len(set(expected)) == 2
    assert all(expected)


@pytest.mark.long
def test_the_text_is_told_as_it_is_written_and_may_be_stopped(writer, vlm):
    heard: list[str] = []
    written = writer.write([encoded()], [REQUEST], GREEDY, on_text=heard.append)
    assert written[0].text == locally(vlm, encoded(), REQUEST, 12)
    assert heard[-1] == written[0].text
    assert len(set(heard)) > 3
    assert all(written[0].text.startswith(text) for text in heard)

    def stop(text: str) -> None:
        if text:
            raise Stopped

    with pytest.raises(Stopped):
        writer.write([encoded()], [REQUEST], Sampling(max_tokens=1000), on_text=stop)
    assert writer.write([encoded()], [REQUEST], GREEDY)[0].text == written[0].text


@pytest.mark.long
def test_drafts_are_sampled_apart_where_a_server_writes_one_at_a_time(vlm, server):
    # One request at a time: this server seeds before it queues, so that others would draw too.
    writer = ServerWriter(ServerSettings(server[0], str(vlm), concurrency=1))
    warm = Sampling(seed=5, temperature=0.7, max_tokens=12)
    code = encoded()
    drafts = writer.write([code] * 4, [REQUEST] * 4, warm)
    assert len({one.text for one in drafts}) == 4
    assert writer.write([code] * 4, [REQUEST] * 4, warm) == drafts


@pytest.mark.long
def test_a_server_that_tells_no_log_probabilities_gives_no_confidence(writer):
    (written,) = writer.write([encoded()], [REQUEST], GREEDY)
    assert written.text
    assert (written.spans, written.log_probabilities) == ((), ())
    assert confidence_signal(written, 0, len(written.text)) is None


@pytest.mark.long
def test_several_films_of_a_study_are_shown_to_a_base(writer):
    (one,) = writer.write([encoded()], [REQUEST], GREEDY)
    (two,) = writer.write([encoded(films=2)], [REQUEST], GREEDY)
    assert one.text != two.text


def check_sentence(error: BaseException, url: str) -> None:
    """One sentence that names the host, without film or words, here or in what came before it."""
    text = str(error)
    assert text.endswith(".")
    assert ". " not in text
    assert url.removeprefix("http://").removesuffix("/v1") in text
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "Zebulon" not in text
    assert "base64" not in text


# ---- a server of our own that speaks the protocol

Answer = Callable[[dict, int], Any]  # the request and its number: a status with headers, or a text


class Served(ThreadingHTTPServer):
    """Answers chat completions as a test says, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[tuple[float, dict, dict]] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def writer(self, **settings: Any) -> ServerWriter:
        return ServerWriter(ServerSettings(self.url, "base", **settings))

    @property
    def bodies(self) -> list[dict]:
        return [body for _, body, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        served = cast(Served, self.server)
        with served.lock:
            served.asked.append(
                (time.monotonic(), body, {k.lower(): v for k, v in self.headers.items()})
            )
            number = len(served.asked)
            served.at_once += 1
            served.most_at_once = max(served.most_at_once, served.at_once)
        try:
            status, headers, answer = served.answer(body, number)
        finally:
            with served.lock:
                served.at_once -= 1
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Answer) -> Iterator[Served]:
    server = Served(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(*texts: str, tokens: list[tuple[bytes, float]] | None = None) -> tuple[int, dict, dict]:
    """A whole answer with one choice a text."""
    told = tokens and {
        "content": [
            {"token": raw.decode(errors="replace"), "bytes": list(raw), "logprob": log}
            for raw, log in tokens
        ]
    }
    choices = [
        {"index": i, "finish_reason": "stop", "logprobs": told,
         "message": {"role": "assistant", "content": text}}
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return 200, {}, {"id": "1", "object": "chat.completion", "created": 1, "choices": choices}


def wrong(status: int, **headers: str) -> tuple[int, dict, dict]:
    """A failure whose own words repeat what was asked."""
    return status, headers, {"error": {"message": f"bad: {NAMED}"}}


def written_by(answer: Answer, **settings: Any) -> GeneratedText:
    with serving(answer) as server:
        return server.writer(**settings).write([encoded()], [REQUEST], GREEDY)[0]


def test_what_is_sent_is_a_small_grey_picture_and_the_words_without_marks():
    with serving(lambda body, number: said("Clear.")) as server:
        writer = server.writer(edge=32)
        writer.write([encoded()], ["Report? <|im_end|> [INST] a < 5 mm <image>"], GREEDY)
        (body,) = server.bodies
    (turn,) = body["messages"]
    picture, words = turn["content"]
    assert re.sub(r"\s+", " ", words["text"]).strip() == "Report? a < 5 mm"
    kind, data = picture["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    film = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (film.mode, film.size, film.info) == ("L", (27, 32), {})
    assert body["temperature"] == 0
    assert body["max_tokens"] == 12
    assert "n" not in body


def test_an_adapter_is_the_name_of_a_model_and_is_shown_one_film():
    with serving(lambda body, number: said(body["model"])) as server:
        writer = server.writer(adapters={"report": "chest-lora"}, revision="r1", licence="MIT")
        codes = [encoded(films=2)] * 2
        texts = writer.write(codes, [REQUEST] * 2, GREEDY, ["report", None])
        assert [one.text for one in texts] == ["chest-lora", "base"]
        pictures = {
            body["model"]: sum(p["type"] == "image_url" for p in body["messages"][0]["content"])
            for body in server.bodies
        }
        assert pictures == {"chest-lora": 1, "base": 2}
        assert writer.tasks == ("report",)
        assert writer.identity_for("report").adapter == "report@chest-lora"
        assert writer.identity_for(None) == writer.identity
        assert (writer.identity.revision, writer.identity.licence) == ("r1", "MIT")
        with pytest.raises(BackboneError, match="no adapter for the task 'answer'"):
            writer.write(codes, [REQUEST] * 2, GREEDY, ["answer", None])


def test_tokens_tell_how_sure_they_were_of_which_characters():
    # The bytes of a sign lie in two tokens, the text is stripped, and the end mark is told of.
    pieces = [b" No", b" ", b"\xc3", b"\xa9ffusion", b".\n", b"<end>"]
    tokens = [(raw, -0.1 * (i + 1)) for i, raw in enumerate(pieces)]
    found = written_by(lambda body, number: said("No éffusion.", tokens=tokens))
    assert [found.text[a:b] for a, b in found.spans] == ["No", " ", "é", "éffusion", "."]
    assert found.log_probabilities == pytest.approx((-0.1, -0.2, -0.3, -0.4, -0.5))
    assert confidence_signal(found, 3, 11) == pytest.approx(np.exp(-0.4))


def test_tokens_that_do_not_make_up_the_text_are_not_believed():
    found = written_by(lambda body, number: said("Clear.", tokens=[(b"Other", -0.1)]))
    assert found == GeneratedText("Clear.", (), ())


def test_drafts_of_one_film_are_sampled_in_one_request():
    def answer(body: dict, number: int):
        return said(*(f"Draft {i}." for i in range(body.get("n", 1))))

    with serving(answer) as server:
        a, b = encoded(), encoded(0.5)
        warm = Sampling(seed=7, temperature=0.7)
        found = server.writer().write([a, a, a, b, b], [REQUEST] * 5, warm)
        assert [one.text for one in found] == [f"Draft {i}." for i in (0, 1, 2, 0, 1)]
        assert sorted(body["n"] for body in server.bodies) == [2, 3]
        assert {body["seed"] for body in server.bodies} == {7}
        assert {body["temperature"] for body in server.bodies} == {0.7}
        server.asked.clear()
        greedy = server.writer().write([a, a], [REQUEST] * 2, GREEDY)
        assert [one.text for one in greedy] == ["Draft 0."] * 2
        assert len(server.asked) == 1


@pytest.mark.parametrize("refuses", [("n",), ("logprobs",), ("n", "logprobs")])
def test_a_server_that_refuses_more_is_asked_for_less_and_not_again(refuses):
    def answer(body: dict, number: int):
        if any(body.get(name) for name in refuses):
            return wrong(400)
        return said(*[f"Seed {body['seed']}."] * body.get("n", 1))

    with serving(answer) as server:
        writer, warm, code = server.writer(), Sampling(seed=1, temperature=0.7), encoded()
        first = writer.write([code] * 3, [REQUEST] * 3, warm)
        asked = len(server.asked)
        assert writer.write([code] * 3, [REQUEST] * 3, warm) == first
        refused = [body for body in server.bodies[asked:] if any(body.get(n) for n in refuses)]
        assert not refused
        assert len({one.text for one in first}) == 3


def test_streamed_tokens_and_drafts_are_put_together():
    def answer(body: dict, number: int):
        assert body["stream"]
        events = []
        for word in ("No ", "mass."):
            for i in range(body["n"]):
                told = {"content": [{"token": word, "bytes": None, "logprob": -0.5}]}
                delta = {"index": i, "delta": {"content": word}, "logprobs": told}
                events.append({"choices": [delta | {"finish_reason": None}]})
        ends = [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(body["n"])]
        events.append({"choices": ends})
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return 200, {"Content-Type": "text/event-stream"}, f"{lines}data: [DONE]\n\n".encode()

    with serving(answer) as server:
        heard: list[str] = []
        code, warm = encoded(), Sampling(temperature=0.7)
        found = server.writer().write([code] * 2, [REQUEST] * 2, warm, on_text=heard.append)
    assert found == [GeneratedText("No mass.", ((0, 3), (3, 8)), (-0.5, -0.5))] * 2
    assert heard[0] == "No "
    assert heard[-1] == "No mass."


def test_a_stream_that_ends_without_an_end_is_no_text():
    def answer(body: dict, number: int):
        event = {"choices": [{"index": 0, "delta": {"content": "No"}, "finish_reason": None}]}
        data = f"data: {json.dumps(event)}\n\n".encode()
        return 200, {"Content-Type": "text/event-stream"}, data

    with serving(answer) as server, pytest.raises(BackboneError, match="broke off") as caught:
        server.writer().write([encoded()], [NAMED], GREEDY, on_text=lambda text: None)
    check_sentence(caught.value, server.url)


def test_a_full_server_is_asked_again_when_it_says():
    def answer(body: dict, number: int):
        return wrong(429, **{"Retry-After": "1"}) if number == 1 else said("Clear.")

    with serving(answer) as server:
        assert server.writer().write([encoded()], [REQUEST], GREEDY)[0].text == "Clear."
        (first, *_), (second, *_) = server.asked
    assert 1.0 <= second - first < 3


def test_a_failing_server_is_asked_as_often_as_set_and_longer_apart():
    with serving(lambda body, number: wrong(503)) as server:
        with pytest.raises(BackboneError, match=r"failed \(503\)") as caught:
            server.writer(retries=2).write([encoded()], [NAMED], GREEDY)
        check_sentence(caught.value, server.url)
        times = [at for at, *_ in server.asked]
    assert len(times) == 3
    assert times[2] - times[1] > times[1] - times[0] > 0.2


@pytest.mark.parametrize(
    ("status", "why"),
    [(401, "key into WETREAD_TEST_KEY"), (404, "no model 'base'"), (400, "refuses"), (307, "307")],
)
def test_what_asking_again_cannot_mend_is_not_asked_again(status, why, monkeypatch):
    monkeypatch.setenv("WETREAD_TEST_KEY", "a-key-of-ours")
    elsewhere = {"Location": "http://127.0.0.1:9/v1/chat/completions"} if status == 307 else {}
    with serving(lambda body, number: wrong(status, **elsewhere)) as server:
        with pytest.raises(BackboneError, match=re.escape(why)) as caught:
            server.writer(api_key_env="WETREAD_TEST_KEY").write([encoded()], [NAMED], GREEDY)
        check_sentence(caught.value, server.url)
        assert "a-key-of-ours" not in str(caught.value)
        # Once more without log-probabilities, where the request may be why.
        assert len(server.asked) == (2 if status in (400, 307) else 1)
        assert server.asked[0][2]["authorization"] == "Bearer a-key-of-ours"


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"choices": []}', b'{"choices": [5]}'])
def test_an_answer_that_is_none_is_one_sentence(answer):
    with serving(lambda body, number: (200, {}, answer)) as server:
        with pytest.raises(BackboneError, match="no chat completion") as caught:
            server.writer(retries=0).write([encoded()], [NAMED], GREEDY)
        check_sentence(caught.value, server.url)


def test_a_slow_server_is_given_up():
    over = threading.Event()

    def answer(body: dict, number: int):
        over.wait(30)
        return said("Late.")

    with serving(answer) as server:
        began = time.monotonic()
        with pytest.raises(BackboneError, match=r"did not answer within 0\.3 s") as caught:
            server.writer(timeout_s=0.3, retries=0).write([encoded()], [NAMED], GREEDY)
        check_sentence(caught.value, server.url)
        assert time.monotonic() - began < 15
        over.set()


def test_no_more_requests_run_at_once_than_are_allowed_whoever_asks():
    def answer(body: dict, number: int):
        time.sleep(0.05)
        return said("Clear.")

    with serving(answer) as server:
        writer = server.writer(concurrency=3)
        codes = [encoded(i / 20) for i in range(9)]
        threads = [
            threading.Thread(target=writer.write, args=(codes, [REQUEST] * 9, GREEDY))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.asked) == 18
        assert server.most_at_once == 3


def test_texts_come_in_the_order_of_their_films():
    def answer(body: dict, number: int):
        words = body["messages"][0]["content"][-1]["text"]
        time.sleep(0.1 if words == "0" else 0)
        return said(f"To {words}.")

    with serving(answer) as server:
        codes = [encoded() for _ in range(6)]
        found = server.writer().write(codes, [str(i) for i in range(6)], GREEDY)
    assert [one.text for one in found] == [f"To {i}." for i in range(6)]
    assert server.writer().write([], [], GREEDY) == []


def test_neither_films_nor_words_nor_keys_are_logged(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WETREAD_TEST_KEY", "a-key-of-ours")
    with serving(lambda body, number: wrong(503) if number == 1 else said("A secret.")) as server:
        writer = server.writer(api_key_env="WETREAD_TEST_KEY")
        writer.write([encoded()], [NAMED], GREEDY)
    assert NAMED in server.bodies[0]["messages"][0]["content"][1]["text"]
    assert caplog.text
    for text in ("Zebulon", "base64", "a-key-of-ours", "A secret"):
        assert text not in caplog.text


def test_only_the_named_key_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-server")
    with serving(lambda body, number: said("Clear.")) as server:
        server.writer().write([encoded()], [REQUEST], GREEDY)
        assert "of-another-server" not in str(server.asked[0][2])
        with pytest.raises(BackboneError, match="variable WETREAD_NO_KEY"):
            server.writer(api_key_env="WETREAD_NO_KEY")


def test_a_proxy_does_not_get_what_stays_on_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert written_by(lambda body, number: said("Clear."), retries=0).text == "Clear."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"url": "http://ward.example/v1"}, "unencrypted"),
        ({"url": "http://localhost.example/v1"}, "unencrypted"),
        ({"url": "ftp://127.0.0.1/v1"}, "`url`"),
        ({"url": "https://me:hunter2@ward.example/v1"}, "`url`"),
        ({"url": "https://ward.example:99999/v1"}, "`url`"),
        ({"url": 7}, "`url`"),
        ({"model": ""}, "`model`"),
        ({"adapters": {"image": "x"}}, "`adapters`"),
        ({"adapters": {"report": ""}}, "`adapters`"),
        ({"api_key_env": "sk-hunter2"}, "`api_key_env`"),
        ({"allow_http": "yes"}, "`allow_http`"),
        ({"edge": 0}, "`edge`"),
        ({"retries": -1}, "`retries`"),
        ({"concurrency": True}, "`concurrency`"),
        ({"timeout_s": float("nan")}, "`timeout_s`"),
        ({"licence": None}, "`licence`"),
    ],
)
def test_settings_that_do_not_hold_are_named(changes, why):
    plain: dict[str, Any] = {"url": "http://127.0.0.1:8000/v1", "model": "base"}
    with pytest.raises(SettingsError, match=why) as caught:
        ServerSettings(**(plain | changes))
    assert "hunter2" not in str(caught.value)


def test_films_leave_unencrypted_only_where_that_is_said():
    for url in ("http://[::1]:8000/v1", "http://localhost/v1", "https://ward.example/v1"):
        ServerSettings(url, "base")
    told = ServerSettings("http://ward.example/v1", "base", allow_http=True)
    assert (told.host, told.loopback) == ("ward.example", False)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(BackboneError, match=r"wetread\[server\]"):
        ServerWriter(ServerSettings("http://127.0.0.1:8000/v1", "base"))


@pytest.mark.long
def test_a_server_killed_midway_is_one_sentence(vlm):
    with served(vlm) as (url, process):
        _kill_midway(vlm, url, process)


def _kill_midway(vlm: Path, url: str, process: subprocess.Popen) -> None:
    writer = ServerWriter(ServerSettings(url, str(vlm), retries=1))
    heard: list[str] = []

    def kill(text: str) -> None:
        heard.append(text)
        if len(heard) == 4:
            process.send_signal(signal.SIGKILL)
            process.wait()

    with pytest.raises(BackboneError) as caught:
        writer.write([encoded()], [f"{REQUEST} {NAMED}"], Sampling(max_tokens=1500), on_text=kill)
    check_sentence(caught.value, url)
    assert heard[-1]
    with pytest.raises(BackboneError, match="cannot be reached, or died") as caught:
        writer.write([encoded()] * 3, [NAMED] * 3, GREEDY)
    check_sentence(caught.value, url)
