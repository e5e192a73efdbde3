"""Logging in: how often it may be tried, how long it lasts, and that everything ends with it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from chat import free_port
from hypothesis import given
from hypothesis import strategies as st

import app
from assistant import Assistant
from assistant.errors import SettingsError
from ui.web.limits import Limits
from ui.web.login import MOST_KEPT, Logins, Throttle
from ui.web.server import Access

USER = ("reader", "s3cret")
GOOD, BAD = ({"username": USER[0], "password": word} for word in (USER[1], "guess"))


@pytest.fixture(scope="module")
def nobody() -> Assistant:
    return cast(Assistant, SimpleNamespace(library=None, backbone=None))


def _served(nobody, *, host="127.0.0.1", limits=None, **access):
    return app.serve_chat(nobody, free_port(), host, access=Access(USER, **access), limits=limits)


def test_guessing_gets_slower_and_keeps_no_other_address_out(nobody):
    with _served(nobody) as url:
        answers = [httpx.post(f"{url}login", data=BAD, timeout=60) for _ in range(12)]
        codes = [answer.status_code for answer in answers]
        assert codes[:5] == [401] * 5
        assert set(codes[5:]) == {429}
        assert all(int(a.headers["retry-after"]) >= 1 for a in answers[5:])
        # The right password does not help an address that must wait ...
        assert httpx.post(f"{url}login", data=GOOD, timeout=60).status_code == 429
        # ... and another address logs in.
        other = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=other, timeout=60) as client:
            assert client.post(f"{url}login", data=GOOD).status_code == 200


def test_waits_grow_with_failures_and_what_is_remembered_is_bounded():
    throttle, now, waits = Throttle(Limits()), time.monotonic(), []
    for _ in range(30):
        throttle.fail("192.0.2.1", now)
        waits.append(round(throttle.seconds_to_wait("192.0.2.1", now), 3))
        now += waits[-1] + 3
    assert waits == sorted(waits)
    assert waits[0] == 0
    assert waits[-1] == Limits().longest_wait_seconds
    for number in range(3 * MOST_KEPT):
        throttle.fail(f"address {number}", now)
    assert len(throttle._failures) == MOST_KEPT


def test_many_addresses_share_the_tries_of_a_name_and_lock_no_known_address_out():
    logins, refused = Logins(USER, Limits()), 0
    assert logins.log_in(*USER, "192.0.2.9")[0]
    for number in range(100):
        token, wait = logins.log_in(USER[0], "guess", f"198.51.100.{number}")
        assert token is None
        refused += wait > 0
    assert refused == 100 - Limits().name_tries
    assert logins.log_in(*USER, "192.0.2.9")[0]


@given(st.text(max_size=30), st.text(max_size=30))
def test_only_the_right_name_and_password_log_in(name, password):
    token, _ = Logins(USER, Limits()).log_in(name, password, "192.0.2.1")
    assert (token is not None) == ((name, password) == USER)


@pytest.mark.parametrize(
    ("host", "access", "secure"),
    [
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"behind_proxy": True}, True),
        ("0.0.0.0", {}, True),  # noqa: S104
    ],
)
def test_the_cookie_is_strict_and_goes_by_https_only_beyond_this_machine(
    nobody, host, access, secure
):
    with _served(nobody, host=host, **access) as url:
        cookie = httpx.post(f"{url}login", data=GOOD, timeout=60).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ("secure" in cookie) == secure


def test_a_password_sent_openly_from_another_machine_is_not_taken(nobody):
    with _served(nobody, host="0.0.0.0", allowed_hosts=("reading.example",)) as url:  # noqa: S104
        headers = {"host": "reading.example"}
        answer = httpx.post(f"{url}login", data=GOOD, headers=headers, timeout=60)
        assert answer.status_code == 403
        assert "https" in answer.json()["error"]
        assert "set-cookie" not in answer.headers
    with _served(nobody, behind_proxy=True) as url:
        openly = {"x-forwarded-proto": "http"}
        assert httpx.post(f"{url}login", data=GOOD, headers=openly).status_code == 403


def test_behind_a_proxy_addresses_are_those_that_the_proxy_saw(nobody):
    with _served(nobody, behind_proxy=True) as url:
        for number in range(
            8
        ):  # what a visitor claims himself stands first, and counts for nothing
            headers = {"x-forwarded-for": f"203.0.113.{number}, 198.51.100.1"}
            code = httpx.post(f"{url}login", data=BAD, headers=headers).status_code
        assert code == 429
        other = {"x-forwarded-for": "198.51.100.2"}
        assert httpx.post(f"{url}login", data=GOOD, headers=other).status_code == 200


def _member(url: str) -> dict[str, str]:
    cookie = httpx.post(f"{url}login", data=GOOD, timeout=60).headers["set-cookie"]
    return {"cookie": cookie.partition(";")[0]}


def test_logging_out_ends_the_token_its_open_streams_and_its_sessions(nobody):
    with _served(nobody) as url:
        member, ended = _member(url), threading.Event()

        def listen():
            with httpx.stream(
                "GET", f"{url}gradio_api/heartbeat/mine", headers=member, timeout=60
            ) as r:
                for _ in r.iter_lines():
                    pass
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        assert not ended.wait(1)
        assert httpx.post(f"{url}logout", headers=member).status_code == 303
        assert ended.wait(10)
        assert httpx.get(f"{url}config", headers=member).status_code == 401


@pytest.mark.parametrize(
    "limits", [Limits(login_seconds=2), Limits(login_idle_seconds=2, sweep_seconds=0.2)]
)
def test_a_login_ends_when_it_is_old_or_not_used(nobody, limits):
    with _served(nobody, limits=limits) as url:
        member = _member(url)
        assert httpx.get(f"{url}config", headers=member).status_code == 200
        time.sleep(2.2)
        assert httpx.get(f"{url}config", headers=member).status_code == 401


def test_a_session_of_one_login_is_closed_to_another(nobody):
    with _served(nobody) as url:
        first, second = _member(url), _member(url)
        body = {"data": [], "fn_index": 0, "session_hash": "mine"}
        join = f"{url}gradio_api/queue/join"
        assert httpx.post(join, json=body, headers=first).status_code == 200
        assert httpx.post(join, json=body, headers=second).status_code == 403
        listen = f"{url}gradio_api/queue/data?session_hash=mine"
        assert httpx.get(listen, headers=second).status_code == 404


def test_with_a_certificate_the_chat_is_served_by_https(nobody, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    trust = ssl.create_default_context(cafile=str(certificate))
    with _served(nobody, certificate=certificate, key=key) as url:
        assert url.startswith("https://")
        with httpx.Client(base_url=url, verify=trust, timeout=60) as client:
            answer = client.post("login", data=GOOD, headers={"origin": url.rstrip("/")})
            assert "secure" in answer.headers["set-cookie"].lower()
            assert client.get("config").status_code == 200
            assert "strict-transport-security" in client.get("config").headers


def test_half_a_certificate_or_a_wrong_one_is_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match="both"):
        Access(USER, certificate=tmp_path / "cert.pem")
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(SettingsError, match="cannot be read"):
        Access(USER, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")


@pytest.mark.parametrize("length", [5_000, 50_000])
def test_a_login_form_without_end_is_not_read(nobody, length):
    with _served(nobody) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            head = (
                f"POST /login HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: 100000000"
                "\r\n\r\n"
            )
            raw.sendall(head.encode() + b"a" * length)
            assert raw.recv(100).startswith(b"HTTP/1.1 401")
