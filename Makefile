# Everything a developer or a new user does, one word each: `make help`.
# Each target sets up what it needs in its own virtual environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported: most never are.
# pip compiles what it installs: compiled later, in a test, a library's old-fashioned source would be
# a warning, which is an error there.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Where Python may keep nothing compiled, as in many containers, each of the tests' hundreds of
# processes would compile the product again, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE
INPUTS := pyproject.toml constraints.txt
# What the native library is made of, where there is a C compiler.
NATIVE := hatch_build.py $(wildcard src/quest22/native/csrc/*.[ch])

# PyTorch and Transformers, to compare with; `REFERENCES=` leaves them and those tests out.
REFERENCES ?= yes

# Processes that run the tests; 0: one alone. A test may wait, so one more than there are cores is best.
WORKERS ?= 0
PYTEST := $(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist worksteal

comma := ,

.DEFAULT_GOAL := help
.PHONY: help install demo weights browser test test-most test-change test-slow test-fast test-failed torture bench bench-page accuracy-page check check-native docs demo-svg images fix wheels wheels-check verify-hub samples nano-data nano-train nano-eval nano-pack clean

# nano, from data to weights (see recipes/nano/README.md): nano-data, nano-train, nano-pack, nano-eval

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(VENV)/.core: $(INPUTS) $(NATIVE)
	@echo "Setting up $(VENV): the product (about 800 MB) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(INPUTS) $(NATIVE)
	@echo "Setting up $(VENV): the product, test tools$(if $(REFERENCES), and the references$(comma) PyTorch and Transformers) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[test$(if $(REFERENCES),$(comma)reference)]'
# openai-whisper asks for Triton, 190 MB that only a GPU uses.
	@$(if $(REFERENCES),$(PIP) --no-deps openai-whisper)
	@touch $(VENV)/.core $@

# Types depend on which libraries are installed: in an environment of their own, they do not depend on
# what else somebody has set up, and a fresh checkout is checked as an old one is.
LINT_VENV ?= .venv-lint
LINT := $(LINT_VENV)/bin

$(LINT_VENV)/.lint: $(INPUTS) $(NATIVE)
	@echo "Setting up $(LINT_VENV): linters, and the libraries whose types they check …"
	@test -x $(LINT)/python || $(PYTHON) -m venv $(LINT_VENV)
	@$(LINT)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[lint,reference]'
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	@echo "Setting up $(VENV): what makes the documentation site …"
	@$(PIP) -e '.[docs]'
	@touch $@

install: $(VENV)/.core ## set up the product in .venv

demo: $(VENV)/.core ## stream the sample dataset through nano, offline
	@$(BIN)/quest22 demo

weights: $(VENV)/.test ## fetch Whisper's real weights (tiny.en, base: 210 MB) into the user's cache, for tests
	@$(BIN)/python -m tools.weights

browser: ## install Debian's Chromium, for the tests of the server's page (as root)
	@command -v chromium >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

test: test-most test-slow ## all tests, fast ones first

# The slow tests need the clients: they are installed while other tests run.
WITH_CLIENTS = $(BIN)/python -m tools.weights || echo "no real weights here: tests that need them are skipped"; \
	$(BIN)/python -m tests.support.client_environments & clients=$$!;

test-most: $(VENV)/.test
	@$(WITH_CLIENTS) $(PYTEST) -m "not slow"; code=$$?; wait $$clients; exit $$code

test-change: $(VENV)/.test ## what .ci/run runs: all but the long tests, fast and slow ones mixed
	@$(WITH_CLIENTS) $(PYTEST) --durations 40 -m "not long"; code=$$?; wait $$clients; exit $$code

test-slow: $(VENV)/.test ## the slow tests alone
	@$(PYTEST) --durations 25 -m slow

test-fast: $(VENV)/.test ## the fast tests alone
	@$(PYTEST) -m "not slow"

test-failed: $(VENV)/.test ## what failed in the last run, again, one after the other
	@$(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none

torture: $(VENV)/.test ## kills, network faults and damaged checkpoints, by the hundred
	@$(BIN)/python -m tests.torture --kills 300 --storms 200 --real 10
	@folder=$$(mktemp -d); $(BIN)/python -m tests.checkpoint.mutations $$folder 5000; \
		code=$$?; rm -r $$folder; exit $$code

check: $(LINT_VENV)/.lint check-native ## formatting, lint, types, import directions, generated files, warnings of C
	@$(LINT)/ruff format --check .
	@$(LINT)/ruff check .
	@$(LINT)/mypy
	@$(LINT)/lint-imports
	@$(LINT)/python -m tools.options --check
	@$(LINT)/python -m tools.schemas --check
	@$(LINT)/python -m tools.api --check

check-native: build/native/.checked

# What is compiled here is what installations find in build/native.
build/native/.checked: $(NATIVE)
	@$(PYTHON) hatch_build.py --check
	@mkdir -p $(@D) && touch $@

docs: $(VENV)/.docs ## build the documentation site in build/site, notebooks run; broken links are errors
	@$(BIN)/python -m tools.notebooks
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/site/index.html"

demo-svg: $(VENV)/.docs ## record the demo on a terminal again, for docs/demo.svg
	@$(BIN)/python -m tools.recording

images: $(VENV)/.core ## build the container images with buildah, run them with podman (as root)
	@$(BIN)/python -m tools.image $(IMAGES_ARGS)

fix: $(LINT_VENV)/.lint ## format, mend what the linter can, write generated files
	@$(LINT)/ruff check --fix .
	@$(LINT)/ruff format .
	@$(LINT)/python -m tools.options
	@$(LINT)/python -m tools.schemas
	@$(LINT)/python -m tools.api

WHEELS_VENV ?= .venv-wheels

$(WHEELS_VENV)/.wheels: tools/wheels-requirements.txt
	@echo "Setting up $(WHEELS_VENV): what builds wheels …"
	@test -x $(WHEELS_VENV)/bin/python || $(PYTHON) -m venv $(WHEELS_VENV)
	@$(WHEELS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

wheels: $(WHEELS_VENV)/.wheels ## build a release into dist/: wheels and the source distribution
	@$(WHEELS_VENV)/bin/python -m tools.wheels build

wheels-check: $(WHEELS_VENV)/.wheels ## install what `make wheels` built into an empty environment and run it
	@$(WHEELS_VENV)/bin/python -m tools.wheels check

verify-hub: $(VENV)/.test ## whisper-tiny against Transformers on a dataset from the Hub
	@$(BIN)/python -m tools.verify_hub

# What `make bench` measures: shapes of random weights, and other programs.
BENCH_SHAPES ?= tiny,base
BENCH_AGAINST ?= faster-whisper,transformers,openvino-genai,whisper.cpp
BENCH_MEASURES ?= throughput,latency,streamed,start,script
BENCH_ARGS ?=
ACCURACY_ARGS ?=
BENCH_VENV ?= .venv-bench
EXPORT_VENV ?= .venv-export

$(BENCH_VENV)/.bench: $(INPUTS) $(NATIVE)
	@echo "Setting up $(BENCH_VENV): the product and the programs it is measured against …"
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[bench,reference]'
	@$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt --no-deps openai-whisper
	@touch $@

# optimum-intel wants older libraries than the rest; its torchvision is made for another PyTorch.
$(EXPORT_VENV)/.export: $(INPUTS)
	@echo "Setting up $(EXPORT_VENV): what makes models for OpenVINO GenAI …"
	@test -x $(EXPORT_VENV)/bin/python || $(PYTHON) -m venv $(EXPORT_VENV)
	@$(EXPORT_VENV)/bin/python -m pip install --quiet -c benchmarks/export-constraints.txt \
		optimum-intel openvino-tokenizers torch
	@$(EXPORT_VENV)/bin/python -m pip uninstall --quiet --yes torchvision
	@touch $@

bench: $(BENCH_VENV)/.bench $(EXPORT_VENV)/.export ## speed and memory, side by side with other programs
	@$(BENCH_VENV)/bin/python -m quest22 bench --shape $(BENCH_SHAPES) --against $(BENCH_AGAINST) \
		--measures $(BENCH_MEASURES) --also int8 --exporter $(EXPORT_VENV)/bin/python --folder build/bench \
		--json build/bench.json $(BENCH_ARGS)

bench-page: $(BENCH_VENV)/.bench $(EXPORT_VENV)/.export ## measure anew all that docs/performance.md shows
	@$(BENCH_VENV)/bin/python -m benchmarks.page --exporter $(EXPORT_VENV)/bin/python $(BENCH_ARGS)

accuracy-page: $(BENCH_VENV)/.bench ## measure error rates and speed on people's recordings, for docs/accuracy.md
	@$(BENCH_VENV)/bin/python -m tools.weights
	@$(BENCH_VENV)/bin/python -m benchmarks.accuracy $(ACCURACY_ARGS)

nano-data nano-train nano-pack: nano-%: $(VENV)/.test
	@$(BIN)/python -m recipes.nano.$*

nano-eval: $(VENV)/.test
	@$(BIN)/python -m recipes.nano.evaluate

samples: $(VENV)/.test
	@$(BIN)/python -m recipes.nano.samples

clean: ## remove environments and caches
	rm -rf $(VENV) $(LINT_VENV) $(BENCH_VENV) $(EXPORT_VENV) $(WHEELS_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	rm -f src/quest22/native/*.so
