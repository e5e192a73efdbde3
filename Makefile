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

.PHONY: demo test test-long weights lint clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Wetread needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	@echo "== making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-$(FAISS): pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing Wetread with faiss for the $(FAISS) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS)]'
	@touch $@

$(VENV)/.test-$(FAISS): $(VENV)/.demo-$(FAISS)
	@echo "== installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),dev]'
	@touch $@

$(DEMO)/library/cases.csv: | $(VENV)/.demo-$(FAISS)
	@echo "== making 160 synthetic cases for the demo library"
	@$(BIN)/wetread phantom --n 160 --seed 7 --split train --out $(DEMO)/library

$(DEMO)/sample/cases.csv: | $(VENV)/.demo-$(FAISS)
	@echo "== making films that the backbone has never seen"
	@$(BIN)/wetread phantom --n 8 --seed 11 --split test --out $(DEMO)/sample

demo: $(VENV)/.demo-$(FAISS) $(DEMO)/library/cases.csv $(DEMO)/sample/cases.csv
	@echo "== filing the demo cases"
	@$(BIN)/wetread library add $(DEMO)/library
	@echo "== drafting the report of a sample film"
	@$(BIN)/wetread draft $(DEMO)/sample/images/test-A-11-000003.png
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

# All that ships, trained anew: the base, then its adapters. Run it again to go on after a kill.
WEIGHTS ?= weights/mini
weights: $(VENV)/.demo-$(FAISS)
	$(BIN)/wetread train mini --out $(WEIGHTS) --work $(dir $(WEIGHTS))work
	for task in report answer image; do \
		$(BIN)/wetread train $$task --base $(WEIGHTS) --work $(dir $(WEIGHTS))work || exit; done

lint: $(VENV)/.test-$(FAISS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) .wetread build dist *.egg-info
