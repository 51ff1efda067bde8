# Everything runs in .venv, installed from the hash-locked files in requirements/. Nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QUIET_PIP := -m pip -qq --disable-pip-version-check
# Its progress is shown: a first installation takes a while.
PIP := $(BIN)/python -m pip --disable-pip-version-check
SERVERS := .venv-servers
PIPECAT := .venv-pipecat
AUDIT := .venv-audit
SECONDS ?= 60
LONG_TESTS := $(wildcard tests/long/test_*.py)
# They take as long as all others, and none of them is disturbed by another process.
FLOODS := tests/long/test_floods.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-integration test-long servers pipecat fuzz lint types dashboards kubernetes man check-dashboards pictures page-pictures lock lock-diff audit dist sbom clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

# Speech recognition is installed for those alone who ask for it: it is compiled where it has no wheel.
demo: $(VENV)/.$(if $(findstring --voice,$(ARGS)),voice,demo)  ## Real LLM and TTS servers here, measured a few times (ARGS=--voice: asked by voice)
	$(BIN)/probe demo $(ARGS)

# Each worker and each program that a test starts would compile all of the project again.
test-unit test-integration test-long: export PYTHONDONTWRITEBYTECODE :=

test: test-unit test-integration  ## Unit tests, then integration tests

# A worker gets the tests of a file together, as far as it goes: what they share is made once.
test-unit: $(VENV)/.dev  ## Tests without a network, in seconds
	@echo '== unit tests'
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal tests/unit

test-integration: $(VENV)/.dev  ## Tests against loopback servers and real engines
	@echo '== integration tests'
	@$(BIN)/pytest --numprocesses 2 --dist loadfile -m 'not servers and not long' tests/integration

test-long: $(VENV)/.dev $(SERVERS)/.installed  ## Soak and fault tests that take minutes, and those against servers of others
	@echo '== servers of others'
	@$(BIN)/pytest -m servers tests/integration
	@echo '== integration tests that take long'
	@$(BIN)/pytest --numprocesses 2 --dist loadfile --timeout 600 -m 'long and not servers' tests/integration
	@echo '== unit tests of properties, with more examples'
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --timeout 600 -m hypothesis --hypothesis-profile thorough tests/unit
	@echo '== long tests, and beside them the floods, whose output comes last'
ifeq ($(LONG_TESTS),)
	@echo 'tests/long holds none'
else
	@mkdir -p build; $(BIN)/pytest --timeout 900 $(FLOODS) > build/floods.txt 2>&1 & floods=$$!; \
	  $(BIN)/pytest --timeout 900 $(filter-out $(FLOODS),$(LONG_TESTS)); others=$$?; \
	  wait $$floods; code=$$?; cat build/floods.txt; test $$others -eq 0 && test $$code -eq 0
endif

servers: $(SERVERS)/.installed  ## Servers of others that tests measure, in .venv-servers

pipecat: $(PIPECAT)/.installed  ## pipecat, for the bench of its measurement beside ours, in .venv-pipecat

fuzz: $(VENV)/.dev $(VENV)/.fuzz  ## Frames, answers, conversations and configurations, mutated (SECONDS=60 for each corpus)
	@echo '== hypothesis'
	@$(BIN)/pytest -q --timeout 1800 --hypothesis-profile=fuzz tests/unit/engine/test_conversations.py tests/unit/protocols/test_protocols.py \
	  tests/unit/protocols/openai_chat/test_conversation.py tests/unit/protocols/openai_speech/test_properties.py \
	  tests/unit/protocols/ollama/test_ollama.py tests/unit/protocols/wyoming/test_wyoming.py tests/unit/protocols/riva/test_riva.py \
	  tests/unit/protocols/openai_realtime/test_realtime.py tests/unit/protocols/vllm_speech/test_vllm_speech.py \
	  tests/unit/protocols/test_said.py tests/unit/protocols/test_http_answers.py \
	  tests/unit/transport/test_http1.py tests/unit/transport/test_http2.py \
	  tests/unit/protocols/magpie/test_attribution.py tests/unit/config/test_config.py
	@for target in frames answers events configuration; do \
	  echo "== atheris: $$target"; mkdir -p build/fuzz/$$target; \
	  PYTHONPATH=tests/support $(BIN)/python tests/fuzz/$$target.py build/fuzz/$$target tests/fuzz/corpus/$$target \
	    -artifact_prefix=build/fuzz/$$target- -max_total_time=$(SECONDS) -verbosity=0 || exit 1; \
	done

lint: $(VENV)/.dev  ## Lint rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## Static types, strict
	$(BIN)/mypy $(wildcard src tests bench grafana)
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin src

# The stamps remember what was installed, so that a second call does nothing. dev.txt holds all of demo.txt and voice.txt at the
# same versions (`make lock` sees to that): one venv serves both, and the demo downloads no test tools.
$(VENV)/.demo $(VENV)/.voice $(VENV)/.dev $(VENV)/.fuzz: $(VENV)/.%: requirements/%.txt pyproject.toml $(VENV)/.created
	@echo 'Installing requirements/$*.txt into $(VENV)'
	@$(PIP) install --require-hashes --no-deps -r requirements/$*.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.created:
	$(if $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),,\
	  $(error Python 3.11 or newer is needed and "$(PYTHON)" is not: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)))
	$(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(1)' 2>/dev/null),,\
	  $(error "$(PYTHON)" lacks venv or ensurepip: install them (Debian: apt-get install python3-venv)))
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# One of the servers wants Python 3.12: the first of these that works here, wherever pyenv keeps it, else the project's own.
NEWER := python3.13 python3.12 $(wildcard $(HOME)/.pyenv/versions/3.12.*/bin/python3)
SERVERS_PYTHON ?= $(firstword $(foreach python,$(NEWER),\
  $(if $(shell $(python) -c 'import ensurepip, venv; print(1)' 2>/dev/null),$(python))) $(PYTHON))

$(SERVERS)/.installed: requirements/servers.txt
	@echo 'Installing requirements/servers.txt into $(SERVERS)'
	@$(SERVERS_PYTHON) -m venv --clear $(SERVERS)
	@$(SERVERS)/bin/python $(QUIET_PIP) install --require-hashes --no-deps -r requirements/servers.txt
	@touch $@

$(PIPECAT)/.installed: requirements/pipecat.txt
	@echo 'Installing requirements/pipecat.txt into $(PIPECAT)'
	@$(PYTHON) -m venv --clear $(PIPECAT)
	@$(PIPECAT)/bin/python $(QUIET_PIP) install --require-hashes --no-deps -r requirements/pipecat.txt
	@touch $@

# What is installed anywhere; the servers of others and pipecat are only measured.
AUDITED := $(wildcard requirements/daemon.txt requirements/web.txt requirements/build.txt requirements/dev.txt requirements/fuzz.txt)

$(AUDIT)/.installed: requirements/audit.txt
	@echo 'Installing requirements/audit.txt into $(AUDIT)'
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python $(QUIET_PIP) install --require-hashes --no-deps -r requirements/audit.txt
	@touch $@

# Pins stay unless UPGRADE=--upgrade. dev.txt comes first and constrains the others. The last step drops the entries that
# overrides.txt disables: uv still lists them, marked for a platform that does not exist. build.txt is what install.sh builds
# the project itself with.
LOCK_ONLY := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) \
  --override requirements/overrides.txt --custom-compile-command 'make lock'
LOCK := $(LOCK_ONLY) pyproject.toml

dashboards: $(VENV)/.dev  ## Remake grafana/dashboards/*.json from grafana/boards and docs/dashboards
	@PYTHONPATH=grafana $(BIN)/python -m boards

man: $(VENV)/.dev  ## Remake docs/man/probe.1 from the help of the commands
	@$(BIN)/python -c 'from probe.cli.manual import page; print(page(), end="")' >docs/man/probe.1

kubernetes: $(VENV)/.dev  ## Remake the PrometheusRules of deploy/kubernetes from deploy/prometheus and deploy/fleet
	@$(BIN)/python deploy/kubernetes/rules.py

check-dashboards: $(VENV)/.dev  ## Check them against Grafana's own types (needs Node.js and npm; not in CI)
	@mkdir -p build/schema
	@cp grafana/schema/package.json build/schema
	@cd build/schema && npm install --silent --no-package-lock --legacy-peer-deps --ignore-scripts
	@$(BIN)/python grafana/schema/check.py >build/schema/check.ts
	@cd build/schema && node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext check.ts
	@echo 'Grafana knows every key and value'

demo-data-%: $(VENV)/.dev  ## Keep a Prometheus with made-up days, up to now and on: demo-data-good, -incident, -outage, ...
	@PYTHONPATH=grafana $(BIN)/python -m demo_data $* $(ARGS)

# The project has no Grafana: RENDERER is whatever draws a dashboard on your machine, and ARGS=--help says how it is called.
page-pictures: $(VENV)/.dev  ## Draw the pictures of the pages in docs/images again (needs Chromium)
	@PYTHONPATH=tests/support $(BIN)/python tests/support/page_pictures.py

pictures: $(VENV)/.dev  ## Draw the dashboards' pictures in docs/images again (RENDERER=COMMAND; ARGS=--help)
	@PYTHONPATH=grafana $(BIN)/python -m pictures $(ARGS)

bench-%: $(VENV)/.dev  ## Measure: bench-accuracy, or another of bench/*.py (ARGS=--help)
	$(BIN)/python bench/$*.py $(ARGS)

lock:  ## Remake requirements/*.txt from pyproject.toml (needs uv; UPGRADE=--upgrade moves the pins)
	@command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	$(LOCK) --extra reference --extra stt --extra piper --extra web --extra gpu --extra http --extra dev requirements/demo.in -o requirements/dev.txt
	$(LOCK) --extra reference --extra gpu --extra http --extra web requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	$(LOCK) --extra reference --extra stt --extra gpu --extra http --extra web requirements/demo.in -c requirements/dev.txt -o requirements/voice.txt
	$(LOCK) --extra gpu --extra http -c requirements/dev.txt -o requirements/daemon.txt
	$(LOCK) --extra gpu --extra http --extra web -c requirements/dev.txt -o requirements/web.txt
	echo setuptools | $(LOCK_ONLY) - -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --extra fuzz -c requirements/dev.txt -o requirements/fuzz.txt
	$(LOCK_ONLY) requirements/servers.in -o requirements/servers.txt
	$(LOCK_ONLY) requirements/pipecat.in -o requirements/pipecat.txt
	$(LOCK_ONLY) requirements/audit.in -o requirements/audit.txt
	@for file in requirements/dev.txt requirements/demo.txt requirements/voice.txt requirements/daemon.txt requirements/web.txt requirements/fuzz.txt; do \
	  awk '/^[^ #]/ {never = /sys_platform == .never. \\$$/} !never' $$file >$$file.new && mv $$file.new $$file; \
	done

# In a copy. The pins are what they are, their hashes are computed again: a registry that has other files for a version shows here.
lock-diff:  ## What `make lock` would change, to be read before it does (UPGRADE=--upgrade: with the newest versions)
	@rm -rf build/lock && mkdir -p build/lock
	@cp -r Makefile pyproject.toml README.md LICENSE src requirements build/lock
	@sed -i -e '/^ *--hash=/d' -e 's/ \\$$//' build/lock/requirements/*.txt
	@$(MAKE) --silent -C build/lock lock
	@if diff -ru requirements build/lock/requirements; then echo 'nothing would change'; fi

audit: $(AUDIT)/.installed  ## Known vulnerabilities of what is locked (needs PyPI's or OSV's database: ARGS='-s osv'; not in CI)
	@$(AUDIT)/bin/python requirements/audit.py $(AUDIT)/bin/pip-audit $(AUDITED) $(ARGS)

dist: $(VENV)/.dev  ## A wheel and a source distribution of the last commit, in dist/
	@$(BIN)/python requirements/dist.py dist

sbom: $(VENV)/.dev  ## A CycloneDX bill of materials and a list of licences of what is locked for the daemon, in dist/
	@$(BIN)/python requirements/sbom.py requirements/daemon.txt dist

clean:  ## Remove the venv, caches and build output
	rm -rf $(VENV) $(SERVERS) $(PIPECAT) $(AUDIT) build dist demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
