"""Files from outside are read, or refused in one sentence, whatever lies in them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.adapter_recipe import read_any_recipe
from assistant.backbones.settings import read_settings
from assistant.errors import BackboneError, SettingsError, WetreadError
from assistant.parsing import parse_json, parse_toml, read_json, read_text, read_toml
from evals.report.pairs import read_predictions
from evals.results_file import read_results

BOTTOMLESS: dict[str, Any] = {
    "json deep": "[" * 200_000,
    "json deep objects": '{"a":' * 200_000,
    "json long integer": '{"a": ' + "7" * 5000 + "}",
    "toml deep": "x = " + "[" * 200_000,
    "toml deep tables": "x = " + "{a = " * 20_000,
    "toml long integer": "x = " + "7" * 5000,
    "toml dots": "a." * 100_000 + "b = 1",
    "toml huge": "# comment\n" * 100_000,
    "no utf-8": b"\xff\xfe\xfa\xfb\x00\xd8",
    "nul": "\0" * 100,
    "empty": "",
}


def placed(tmp_path: Path, case: str) -> Path:
    """A file, or what is none, by the name of its case."""
    path = tmp_path / "odd.toml"
    if case in BOTTOMLESS:
        content = BOTTOMLESS[case]
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    elif case == "folder":
        path.mkdir()
    elif case == "fifo":
        os.mkfifo(path)
    elif case == "link to itself":
        path.symlink_to(path)
    elif case == "device":
        path = Path("/dev/zero")
    elif case == "long name":
        path = tmp_path / ("x" * 400)
    elif case == "nul in the name":
        path = tmp_path / "a\0b"
    elif case == "huge":
        with path.open("wb") as file:
            file.truncate(5_000_000_000)  # sparse: takes no room on the disk
    return path  # "none": there is nothing


NO_FILES = ["folder", "fifo", "link to itself", "device", "long name", "nul in the name", "huge",
            "none"]  # fmt: skip
READERS = {
    "json": read_json,
    "toml": read_toml,
    "settings": read_settings,
    "recipe": lambda path: read_any_recipe(str(path)),
    "predictions": read_predictions,
    "results": read_results,
}


@pytest.mark.parametrize("case", [*NO_FILES, *BOTTOMLESS])
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, case: str, reader: str) -> None:
    if (case, reader) in (("empty", "toml"), ("empty", "settings")) or (
        reader == "toml" and case.startswith("toml huge")
    ):
        pytest.skip("an empty table holds")
    with pytest.raises(SettingsError) as caught:
        READERS[reader](placed(tmp_path, case))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("case", NO_FILES)
def test_the_error_is_of_the_kind_that_is_asked_for_and_names_what_it_is_told(
    tmp_path: Path, case: str
) -> None:
    with pytest.raises(BackboneError, match=r"^The card of x "):
        read_json(placed(tmp_path, case), "The card of x", error=BackboneError)


@given(text=st.text() | st.binary())
def test_parsers_raise_nothing_but_a_value_error(text: str | bytes) -> None:
    for parse in (parse_json, *([parse_toml] if isinstance(text, str) else [])):
        try:
            parse(text)
        except ValueError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON)
def test_what_json_holds_comes_back_but_for_what_cannot_be_written(value: Any) -> None:
    found = parse_json(json.dumps(value))
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # finite, and whole letters
    again = json.dumps(value, sort_keys=True)
    if not any(word in again for word in ("NaN", "Infinity", "\\ud")):
        assert json.dumps(found, sort_keys=True) == again


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes("Größerer Erguss.\n".encode(encoding))
    assert read_text(path) == "Größerer Erguss.\n"
    path.write_bytes(json.dumps({"a": "ü"}, ensure_ascii=False).encode(encoding))
    assert read_json(path) == {"a": "ü"}


# ---- values of the wrong kind ------------------------------------------------------------------

VALUES = ["1", "-1", "0.5", "nan", "inf", '""', '"x"', '"~nobody-here/x"', '"\\u0000"', "true",
          "[]", "[1]", '["x"]', "[[]]", "{}", "{a = 1}", "2020-01-01", "07:32:00", "9" * 400,
          '"' + "x" * 5000 + '"']  # fmt: skip
SETTINGS = """
risk = "risk.json"
[encoder]
kind = "checkpoint"
model = "mini"
adapters = ["x"]
dtype = "float32"
quantise = 8
download = false
max_tokens = 100
[writer]
kind = "server"
url = "http://127.0.0.1:8000/v1"
model = "m"
adapters = {report = "x"}
api_key_env = "KEY"
allow_http = false
edge = 512
timeout_s = 10.0
retries = 1
concurrency = 2
max_tokens = 100
revision = "x"
licence = "x"
[painter]
kind = "diffusion"
model = "x"
steps = 10
dtype = "float32"
device = "cpu"
download = false
adapter = "x"
"""
RECIPES = {
    name: (Path(__file__).parents[2] / "adapters" / "recipes" / f"{name}.toml").read_text()
    for name in ("mini", "report")
}


@settings(max_examples=300, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_a_value_of_any_kind_in_any_place_is_taken_or_told(tmp_path: Path, data: Any) -> None:
    sources = {"settings": SETTINGS, **RECIPES}
    name = data.draw(st.sampled_from(sorted(sources)))
    lines = sources[name].splitlines()
    places = [n for n, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(places))
        lines[place] = f"{lines[place].split('=')[0]}= {data.draw(st.sampled_from(VALUES))}"
    path = tmp_path / "x.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        read_settings(path) if name == "settings" else read_any_recipe(str(path))
    except WetreadError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 700
    assert sys.getrecursionlimit()  # nothing of the process was changed
