"""The table of rooms in the design: who may look into whom."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from conftest import REPO

ROOMS = ("retrieval", "assistant", "adapters", "evals", "app", "ui", "cli", "wetread", "benchmarks")
MAY_USE = {
    "retrieval": set(),
    "assistant": {"retrieval"},
    "adapters": {"assistant"},
    "evals": {"assistant", "retrieval"},
    "app": {"assistant", "ui"},
    "ui": {"assistant"},  # the chat's tabs
    "cli": {"assistant", "retrieval", "adapters", "evals", "app", "ui"},  # the commands
    "wetread": {"assistant", "cli"},
    "benchmarks": {"assistant", "retrieval", "evals"},
}
HEAVY = ("torch", "faiss", "gradio", "transformers", "ray", "openai", "diffusers", "pyarrow")


def _files(room: str):
    single = REPO / f"{room}.py"
    return [single] if single.exists() else sorted((REPO / room).rglob("*.py"))


def _imported(path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_table_allows(room):
    files = _files(room)
    assert files
    for path in files:
        ours = _imported(path) & set(ROOMS) - {room}
        assert ours <= MAY_USE[room], f"{path} imports {ours - MAY_USE[room]}"


def test_only_the_chat_imports_gradio():
    for room in ROOMS:
        for path in _files(room):
            assert room == "ui" or "gradio" not in _imported(path), path


def test_anatomy_lives_in_one_place():
    """Only the chest folder names findings in code that draws or measures them."""
    for path in _files("retrieval"):
        text = path.read_text(encoding="utf-8").lower()
        assert not any(word in text for word in ("effusion", "pneumothorax", "cardiomegaly"))


@pytest.mark.parametrize("package", ["assistant", "retrieval", "wetread"])
def test_importing_a_package_alone_loads_nothing_heavy(package):
    code = f"import sys, {package}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["eval", "exec", "__import__"])
def test_nothing_evaluates_text_as_code(name):
    for room in ROOMS:
        for path in _files(room):
            calls = [
                node
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name
            ]
            assert not calls, path


def test_no_pickle_no_remote_code_no_share_and_nothing_catches_everything():
    for room in ROOMS:
        for path in _files(room):
            assert "pickle" not in _imported(path), path
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword):
                    on = isinstance(node.value, ast.Constant) and node.value.value is True
                    assert not (node.arg in ("trust_remote_code", "share") and on), path
                if isinstance(node, ast.ExceptHandler):
                    caught = getattr(node.type, "id", None)
                    assert node.type is not None, path
                    assert caught not in ("Exception", "BaseException"), path
                if isinstance(node, ast.ImportFrom):
                    assert all(alias.name != "*" for alias in node.names), path
