"""An adapter learnt by two processes together, as on two machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import REPO
from toy_janus import toy_base

from assistant.chest.phantoms import write_phantoms

TOML = """
name = "mine"
task = "report"
base = "mini"
licence = "CC0-1.0"
seed = 3
[lora]
rank = 4
alpha = 8
dropout = 0.0
targets = ["q_proj", "v_proj"]
[data]
cases = {cases}
validation = 0.25
[schedule]
steps = 3
batch = 2
learning_rate = 1e-2
warmup = 1
"""


@pytest.mark.long
def test_two_processes_learn_together_and_write_one_card(tmp_path):
    phantoms = tmp_path / "films"
    write_phantoms(phantoms, 16, seed=77, split="train", workers=1)
    base = toy_base(tmp_path / "base")
    (tmp_path / "mine.toml").write_text(TOML.format(cases=json.dumps(str(phantoms))))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--standalone", "--nproc-per-node", "2"),
            *("-m", "wetread", "train", tmp_path / "mine.toml"),
            *("--base", base, "--out", tmp_path / "out", "--work", tmp_path / "work"),
        ],
        cwd=REPO,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["cases"] + card["data"]["held_out_cases"] == 16
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".out")] == []
    assert done.stderr.count("learning: ") == 2, done.stderr  # both did
    states = list((tmp_path / "work").glob("report-*/checkpoint-*/trainer_state.json"))
    assert [json.loads(s.read_text())["global_step"] for s in states] == [3]
    # One for each process: a step takes the batches of both.
    random = list((tmp_path / "work").glob("report-*/checkpoint-3/rng_state_*.pth"))
    assert len(random) == 2
