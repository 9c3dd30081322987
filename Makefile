# make demo   the main job on the models that ship        make test   all that CI runs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
OUT := results/quick

.PHONY: help demo test export notebooks readme process site study checkpoints benchmarks lock clean

help:
	@echo "make demo         analyze the shipped models and write $(OUT)/report.html"
	@echo "make test         everything CI runs; test-sync, test-notebooks, test-engines, test-front, test-zoo, test-fuzz, test-site, test-browser, test-wheel: one step of it; test-nbdev: nbdev_test"
	@echo "make export       export the package from the notebooks and clean them"
	@echo "make notebooks    run all notebooks in place (NAMES='05 06' for some), clean, export, write the README"
	@echo "make readme       write README.md from nbs/index.ipynb"
	@echo "make site         render the site (needs Quarto)"
	@echo "make study        the reference study: train and analyze its models, or what is missing (hours; the trained models are in study/)"
	@echo "make checkpoints  put the study's trained models into the package"
	@echo "make benchmarks   print the measured rates"
	@echo "make lock         resolve requirements.lock anew"
	@echo "make clean        remove what was made, the environment included"

# The environment follows from the lock file; the package itself is installed in place.
.venv/ready: requirements.lock settings.ini setup.py
	@echo "setting up .venv with $(PYTHON) (a few minutes the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -r requirements.lock | grep --line-buffered -E '^(Collecting|Installing)' || true
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

demo: .venv/ready
	@$(BIN)/vae-circuits paper --preset quick --out $(OUT) $(if $(wildcard $(OUT)/results.json),--overwrite)

test: .venv/ready
	@$(BIN)/python tools/test.py

test-%: .venv/ready
	@$(BIN)/python tools/test.py $*

export: .venv/ready
	@$(BIN)/python tools/notebooks.py colab && $(BIN)/nbdev_clean && $(BIN)/nbdev_export
	@$(BIN)/python tools/notebooks.py options

notebooks: .venv/ready
	@$(BIN)/python tools/notebooks.py run $(NAMES)

readme: .venv/ready
	@$(BIN)/python tools/notebooks.py readme

process: .venv/ready
	@$(BIN)/python tools/notebooks.py process

# nbdev_docs would write README.md its own way if that looked older than index.ipynb: hence readme first.
site: readme process
	@command -v quarto > /dev/null || { echo "the site needs Quarto (https://quarto.org)"; exit 1; }
	@$(BIN)/python tools/links.py
	@PATH="$(abspath $(BIN)):$$PATH" PYTHONPATH="$(abspath tools)" $(BIN)/nbdev_docs

study: .venv/ready
	@$(BIN)/python tools/fleet.py --unpack study
	@$(BIN)/vae-circuits sweep --preset study --out runs/study
	@cp runs/study/table.parquet vae_circuits/results/study.parquet
	@$(BIN)/vae-circuits sweep --preset capacity --out runs/capacity
	@cp runs/capacity/table.parquet vae_circuits/results/capacity.parquet

checkpoints: .venv/ready
	@$(BIN)/python tools/checkpoints.py

benchmarks: .venv/ready
	@for f in benchmarks/[a-z]*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

lock:
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0
	@build/lock/bin/python -m pip install -q --disable-pip-version-check ".[dev]"
	@(echo "# Made by 'make lock' with Python 3.11. The exact versions used in development and tests."; build/lock/bin/python -m pip freeze --all --exclude pip --exclude vae_circuits | sed 's/+cpu//') > requirements.lock
	@rm -rf build/lock

clean:
	rm -rf .venv _proc _docs build dist results *.egg-info nbs/nbdev.yml
