"""No page of another origin uses the chat: every route, every method, and a real browser."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from chat import free_port, needs_chromium
from hypothesis import example, given
from hypothesis import strategies as st

import app
from assistant import Assistant
from assistant.errors import SettingsError
from ui.web.hosts import find_refusal, hosts_of
from ui.web.server import Access
from ui.web.turns import FairQueue

ROUTES = (
    "", "login", "logout", "config", "config/", "theme.css", "wetread.js", "favicon.ico",
    "manifest.json", "robots.txt", "docs", "openapi.json", "monitoring", "monitoring/summary",
    "static/img/logo.svg", "assets/index.js", "svelte/x.js", "gradio_api/info",
    "gradio_api/openapi.json", "gradio_api/queue/join", "gradio_api/queue/data?session_hash=a",
    "gradio_api/queue/status", "gradio_api/call/draft", "gradio_api/call/v2/draft",
    "gradio_api/call/draft/1", "gradio_api/upload", "gradio_api/upload_progress?upload_id=a",
    "gradio_api/file=/etc/passwd", "gradio_api/file/etc/passwd", "gradio_api/heartbeat/a",
    "gradio_api/cancel", "gradio_api/reset", "gradio_api/startup-events", "gradio_api/app_id",
    "gradio_api/user", "gradio_api/token", "gradio_api/login_check", "gradio_api/theme.css",
    "gradio_api/component_server", "gradio_api/process_recording", "gradio_api/proxy=http://x/",
    "gradio_api/stream/a", "gradio_api/dev/reload", "gradio_api/deep_link?session_hash=a",
    "gradio_api/run/draft", "gradio_api/api/draft", "gradio_api/vibe-code", "nothing",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PUBLIC = {"", "login"}


@pytest.fixture(scope="module")
def nobody() -> Assistant:
    """An assistant that is never asked."""
    return cast(Assistant, SimpleNamespace(library=None, backbone=None))


@pytest.fixture(scope="module")
def chat_of_a_user(nobody):
    """A chat on every address of this machine, with one user."""
    access = Access(("reader", "s3cret"))
    with app.serve_chat(nobody, free_port(), "0.0.0.0", access=access) as url:  # noqa: S104
        yield url.replace("localhost", "127.0.0.1")


@pytest.fixture
def member(chat_of_a_user):
    """A program that has logged in."""
    with httpx.Client(base_url=chat_of_a_user, timeout=60) as client:
        answer = client.post("login", data={"username": "reader", "password": "s3cret"})
        name, _, rest = answer.headers["set-cookie"].partition("=")
        client.headers["cookie"] = f"{name}={rest.partition(';')[0]}"
        yield client


def test_every_route_and_method_refuses_foreign_hosts_origins_and_fetches(member):
    port = member.base_url.port
    foreign = [
        {"host": "evil.example"},
        {"host": f"evil.example:{port}"},
        {"host": f"127.0.0.1.evil.example:{port}"},
        {"host": ""},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": f"http://127.0.0.1:{port + 1}"},
        {"origin": f"http://localhost:{port}"},
        {"origin": f"https://127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    ]
    refused = 0
    for route in ROUTES:
        for method in METHODS:
            for headers in foreign:
                answer = member.request(method, route, headers=headers)
                assert answer.status_code == 403, (method, route, headers)
                assert not [h for h in answer.headers if h.startswith("access-control")]
                refused += 1
    assert refused == len(ROUTES) * len(METHODS) * len(foreign)
    assert member.get("config").status_code == 200  # and with none of these it is answered


def test_every_route_but_the_login_is_closed_to_strangers(chat_of_a_user):
    with httpx.Client(base_url=chat_of_a_user, timeout=60) as stranger:
        for route in ROUTES:
            for method in METHODS:
                if route in PUBLIC and method in ("GET", "HEAD", "POST"):
                    continue
                answer = stranger.request(method, route)
                assert answer.status_code == 401, (method, route)
        page = stranger.get("")
        assert "gradio" not in page.text
        assert "password" in page.text


def test_every_answer_has_the_headers_that_close_the_page(member):
    for route in (*ROUTES[:20], "gradio_api/queue/join"):
        headers = member.get(route, follow_redirects=False).headers
        policy = headers["content-security-policy"]
        assert "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "unsafe-inline" not in scripts
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert headers["permissions-policy"]


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(member):
    headers = {
        "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document",
    }  # fmt: skip
    assert member.get("", headers=headers).status_code == 200
    assert member.post("", headers=headers).status_code == 403
    assert member.get("logout", headers=headers).status_code == 403
    assert member.get("config", headers=headers).status_code == 403


def _scope(**headers: str) -> dict:
    pairs = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]
    return {"method": "POST", "path": "/x", "headers": pairs, "server": ("192.0.2.7", 80)}


@example(origin="http://reader.example:7860.evil.example")
@example(origin="http://reader.example:7860@evil.example")
@example(origin="http://reader.example:7860/")
@example(origin="http://reader.example:7860 ")
@given(
    origin=st.one_of(
        st.text(st.characters(codec="latin-1"), max_size=40),
        st.text("htps:/.readxml7860@ \t", max_size=40),
    )
)
def test_an_origin_is_this_servers_or_refused(origin):
    hosts = hosts_of("reader.example")
    own = "http://reader.example:7860"
    same = origin.strip().lower().replace("example.:", "example:") == own
    refusal = find_refusal(hosts, _scope(host="reader.example:7860", origin=origin))
    assert (refusal is None) == same


def test_named_hosts_are_answered_with_and_without_a_proxy_that_changes_them():
    hosts = hosts_of("127.0.0.1", ["Reading.Hospital.example"], encrypted=True)
    named, inner = "reading.hospital.example", "127.0.0.1:7860"
    for host in (named, inner, f"{named}:443"):
        assert find_refusal(hosts, _scope(host=host, origin=f"https://{named}")) is None
        assert find_refusal(hosts, _scope(host=host, origin=f"http://{named}")) is not None
        assert find_refusal(hosts, _scope(host=host, origin=f"https://{named}:8443")) is not None
    assert find_refusal(hosts, _scope(host="other.example")) is not None
    # Who comes by the machine's address needs no name: an address cannot be rebound.
    assert find_refusal(hosts, _scope(host="192.0.2.7:7860")) is None
    two = _scope(host=named)
    two["headers"].append((b"host", b"evil.example"))
    assert find_refusal(hosts, two) is not None


@given(
    text=st.sampled_from(
        ["http://a.example", "a.example/x", "a b", "", "a.example:port", "*", "[::1"]
    )
)
def test_what_is_no_name_of_a_host_is_one_sentence(text):
    with pytest.raises(SettingsError, match="no name of a host"):
        hosts_of("127.0.0.1", [text])


ATTACK = (Path(__file__).parent / "other_origin.html").read_text(encoding="utf-8")


@needs_chromium
@pytest.mark.parametrize("name", [pytest.param("localhost", marks=pytest.mark.long), "127.0.0.1"])
def test_a_page_of_another_origin_reads_starts_and_stores_nothing(
    visitor, chat_of_a_user, monkeypatch, name
):
    """In Chromium, logged in, from another port of this machine and from another name."""
    page = visitor.new_page()
    page.goto(chat_of_a_user)
    page.get_by_label("Name").fill("reader")
    page.get_by_label("Password").fill("s3cret")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#drop input[type=file]", state="attached")
    (cookie,) = visitor.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")

    started = []
    push = FairQueue.push

    async def counted(self, body, request, username):
        started.append(body.session_hash)
        return await push(self, body, request, username)

    monkeypatch.setattr(FairQueue, "push", counted)
    uploads = Path(os.environ["GRADIO_TEMP_DIR"]) / "uploads"

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACK.replace("CHAT_ADDRESS", chat_of_a_user).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        evil = visitor.new_page()
        evil.goto(f"http://{name}:{server.server_address[1]}/")
        evil.wait_for_function("window.found", timeout=60_000)
        found = evil.evaluate("window.found")
        server.shutdown()
    assert len(found) > 30
    assert {k: v for k, v in found.items() if v not in ("refused", "opaque", "true")} == {}
    # What the attacked page itself did since, its own window's events aside:
    assert "evil" not in started
    assert [*uploads.iterdir()] == []
    page.reload()
    page.wait_for_selector("#drop input[type=file]", state="attached")  # still logged in
