"""The endpoints that a program may call: what they give, and what they cannot be made to do."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from chat import PATIENT, phantom_png
from conftest import REPO

from assistant.chest.lateral import make_lateral
from assistant.intake.png import png


def test_only_the_named_endpoints_are_public_and_no_path_of_the_server_can_be_named(url):
    info = httpx.get(f"{url}gradio_api/info", timeout=60).json()
    assert set(info["named_endpoints"]) == {
        "/draft", "/draft_study", "/similar", "/ask", "/paint"
    }  # fmt: skip
    assert info["unnamed_endpoints"] == {}
    secret = str(REPO / "README.md")
    for told in (secret, {"path": secret}, {"path": secret, "meta": {"_type": "gradio.FileData"}}):
        said = _called(url, "draft", [told, "", "", 0])
        assert '"success":false' in said.replace(" ", "")
        # Not even its kind is told: it was never opened.
        assert "DICOM" not in said


def _called(url: str, name: str, told: list) -> str:
    """What the server answers to a call of an endpoint that is made by hand."""
    config = httpx.get(f"{url}config", timeout=60).json()
    index = next(d["id"] for d in config["dependencies"] if d["api_name"] == name)
    with httpx.Client(base_url=url, timeout=60) as client:
        asked = {"data": told, "fn_index": index, "session_hash": "byhand"}
        client.post("gradio_api/queue/join", json=asked).raise_for_status()
        with client.stream(
            "GET", "gradio_api/queue/data", params={"session_hash": "byhand"}
        ) as lines:
            return next(line for line in lines.iter_lines() if '"process_completed"' in line)


def test_the_client_example_of_the_docs_runs(url, tmp_path, monkeypatch):
    text = (REPO / "docs" / "chat.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "film.png").write_bytes(phantom_png(0))
    monkeypatch.chdir(tmp_path)
    shown: list[str] = []
    port = urlsplit(url).port
    code = code.replace("http://127.0.0.1:7860", f"http://127.0.0.1:{port}").replace(
        "print(", "say("
    )
    exec(compile(code, "docs/chat.md", "exec"), {"say": lambda *a: shown.append(str(a))})  # noqa: S102
    assert len(shown) >= 3
    assert (tmp_path / "painted.png").read_bytes().startswith(b"\x89PNG")


def test_a_wrong_call_of_an_endpoint_is_one_sentence(url):
    from gradio_client import Client

    with pytest.raises(Exception, match="nothing to paint"):
        Client(url, verbose=False).predict("", 0, 3, "", api_name="/paint")


def test_a_study_is_drafted_whole_for_a_program(url, tmp_path):
    from gradio_client import Client, handle_file

    lateral = make_lateral(7, 0, split="test").astype(np.float32) / 255
    files = {"lateral": png(lateral), "front": phantom_png(0), "before": phantom_png(1)}
    for name, data in files.items():
        (tmp_path / f"{PATIENT}_{name}.png").write_bytes(data)
    lateral, front, before = (handle_file(tmp_path / f"{PATIENT}_{name}.png") for name in files)
    client = Client(url, verbose=False)
    draft = client.predict([lateral, front], [before], "", "", 0, api_name="/draft_study")
    kinds = [(film["kind"], film["prior"]) for film in draft["provenance"]["films"]]
    assert kinds == [("frontal", False), ("lateral", False), ("frontal", True)]
    assert all(film["read"] for film in draft["provenance"]["films"])
    assert PATIENT not in str(draft)
    with pytest.raises(Exception, match="no film"):
        client.predict([], [before], "", "", 0, api_name="/draft_study")
