"""The table of rooms in the design: who may look into whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from conftest import REPO

from assistant.chest import vocabulary
from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES

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
# The stages of a draft, each importing only those before it.
STAGES = (
    "errors", "types", "iterables", "paths", "prompts", "atomic", "parsing", "intake", "chest",
    "export", "claims", "labeller", "evidence", "backbones", "cases", "provenance", "gate",
    "painting", "drafting", "vqa", "assistant", "batch",
    "datasets",
)  # fmt: skip
# What findings mean to a patient is the evaluation's own judgement, finding by finding.
NAME_FINDINGS = {"evals/report/significance.py"}
# The same words as places, of other things: where padding goes, a style, a side to search from.
HOMONYMS = {
    "adapters/data/cases.py": {"right"},
    "assistant/backbones/vlm/inputs.py": {"left"},
    "evals/card/plots.py": {"small"},
    "ui/read_tab.py": {"right"},
}
VAGUE = {"told", "said", "seen", "one", "some", "look", "looks", "looked"}
# Fields that files hold, where they are defined.
FROZEN = {"assistant/types.py seen"}  # RequestedFinding, in a painting's JSON
# Packages whose names are to be had from the package itself.
GIVE_ON = {
    "retrieval", "assistant", "assistant/intake", "assistant/chest/phantoms", "evals",
    "evals/image", "evals/report",
}  # fmt: skip
HEAVY = ("torch", "faiss", "gradio", "transformers", "ray", "openai", "diffusers", "pyarrow")


def _files(room: str):
    single = REPO / f"{room}.py"
    return [single] if single.exists() else sorted((REPO / room).rglob("*.py"))


def _entries(folder: Path) -> list[Path]:
    """The modules and packages of a folder."""
    return [p for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]


@cache
def _tree(path: Path) -> list[ast.AST]:
    """All nodes of a file's syntax tree."""
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def _nodes(path: Path, *kinds: type) -> list:
    """The nodes of some kinds in a file's syntax tree."""
    return [node for node in _tree(path) if isinstance(node, kinds)]


@cache
def _imports() -> dict[str, set[str]]:
    """Of each module of ours the modules of ours that it imports, for the type checker too."""
    homes = {}
    for room in ROOMS:
        for path in _files(room):
            name = ".".join(path.relative_to(REPO).with_suffix("").parts)
            homes[name.removesuffix(".__init__")] = path
    found: dict[str, set[str]] = {}
    for name, path in homes.items():
        used = {alias.name for node in _nodes(path, ast.Import) for alias in node.names}
        for node in _nodes(path, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            used |= whole & homes.keys() or {node.module}
        found[name] = used & homes.keys() - {name}
    return found


def _types(path: Path) -> set[str]:
    """The classes of a file, and the aliases of types at its top."""
    assigned = [node for node in _nodes(path, ast.Assign) if node.col_offset == 0]
    aliases = {target.id for a in assigned for target in a.targets if isinstance(target, ast.Name)}
    classes = {node.name for node in _nodes(path, ast.ClassDef)}
    return classes | {
        name for name in aliases if re.fullmatch("[A-Z][A-Za-z]*[a-z][A-Za-z]*", name)
    }


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


def test_a_stage_imports_only_stages_below_it():
    """The folders and files of `assistant/` are the stages of a draft, from the ground up."""
    found = {path.stem if path.is_file() else path.name for path in _entries(REPO / "assistant")}
    assert found == {*STAGES, "__init__"}
    for name, imports in _imports().items():
        room, *rest = name.split(".")
        if room != "assistant" or not rest:
            continue
        above = [
            used for used in imports
            if used.startswith("assistant.")
            and STAGES.index(used.split(".")[1]) > STAGES.index(rest[0])
        ]  # fmt: skip
        assert not above, f"{name} imports {above}, which stands above it"


def test_no_module_is_in_an_import_circle():
    graph = {name: set(imports) for name, imports in _imports().items()}
    # What imports nothing of ours that is left can be in no circle: take it away, again and again.
    while free := [name for name, imports in graph.items() if not imports & graph.keys()]:
        for name in free:
            del graph[name]
    assert not graph, f"import circles among {sorted(graph)}"


def test_evidence_knows_no_model_and_fitting_lies_in_adapters():
    for name, imports in _imports().items():
        if name.startswith("assistant.evidence"):
            assert not [used for used in imports if used.startswith("assistant.backbones")], name
    for path in _files("assistant"):
        names = [n.name for n in _nodes(path, ast.FunctionDef)]
        assert not [n for n in names if n.startswith("fit_")], f"{path} fits; adapters/ does that"


def test_findings_are_named_in_chest_alone():
    """Keys of findings, sides, zones and degrees are written in `assistant/chest/`, for once."""
    keys = {finding.key for finding in vocabulary.FINDINGS} | {vocabulary.NORMAL}
    places = {*SIDES, BOTH, *ZONES, *DEGREES}
    for room in ("retrieval", "assistant", "adapters", "evals", "ui", "cli"):
        for path in _files(room):
            name = path.relative_to(REPO).as_posix()
            if name.startswith(("assistant/chest/", "adapters/pretrain/")) or name in NAME_FINDINGS:
                continue
            written = {
                node.value for node in _nodes(path, ast.Constant) if isinstance(node.value, str)
            }
            named = (written & (keys | places)) - HOMONYMS.get(name, set())
            assert not named, f"{name} names {named}"


def test_no_class_name_is_used_twice_and_no_call_hides_its_names():
    homes: dict[str, Path] = {}
    for room in ROOMS:
        for path in _files(room):
            for name in _types(path) if room != "cli" else ():  # its options are named as types
                assert homes.setdefault(name, path) == path, f"{name}: {homes[name]} and {path}"
    for path in (*(p for room in ROOMS for p in _files(room)), *(REPO / "tests").rglob("*.py")):
        for node in _nodes(path, ast.Call):
            hidden = [a for a in node.args if isinstance(a, ast.Starred)]
            assert not any(isinstance(a.value, ast.Tuple) for a in hidden), (path, node.lineno)


def test_assistant_has_few_files_and_every_module_says_what_it_is():
    assert len([p for p in _entries(REPO / "assistant") if p.is_file()]) <= 12
    for path in (p for room in ROOMS for p in _files(room)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path} does not say what it is"
        folder = path.parent.relative_to(REPO).as_posix()
        if path.name == "__init__.py" and folder not in GIVE_ON:
            assert len(tree.body) == 1, f"{path} holds more than one sentence"


def test_files_and_functions_are_short():
    for path in (p for room in ROOMS for p in _files(room)):
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 370, f"{path} has {lines} lines"
        for node in _nodes(path, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= 80, f"{path}: {node.name} has {length} lines"


def test_names_are_nouns_and_verbs_of_the_field():
    """No function, type, parameter, attribute or variable is called by a word for anything."""
    found = set()
    for path in (p for room in ROOMS for p in _files(room)):
        inside = {
            target for node in _nodes(path, ast.comprehension) for target in ast.walk(node.target)
        }  # of one line: `for one in these` is read at a glance
        for node in _nodes(path, ast.FunctionDef, ast.ClassDef, ast.arg, ast.Name, ast.Attribute):
            if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Store):
                continue
            fields = ("name", "arg", "id", "attr")
            name = next(getattr(node, field) for field in fields if hasattr(node, field))
            vague = VAGUE - ({"one", "some"} if node in inside else set())
            file = path.relative_to(REPO).as_posix()
            if name.strip("_").lower() in vague and not {name, f"{file} {name}"} & FROZEN:
                found.add(f"{file}:{node.lineno} {name}")
    assert not found, "\n".join(sorted(found))


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
