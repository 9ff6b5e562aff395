# Commands for developers and CI. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(or $(WSO_CACHE_DIR),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/whatsapp-session-operator)
export WSO_CACHE_DIR := $(CACHE)
export UV_CACHE_DIR := $(CACHE)/uv
export UV_LINK_MODE ?= copy
LOCAL := $(BIN)/python -m deploy.local
DEMO := PYTHONPATH=tests $(BIN)/python -m deploy.demo
PYTEST := $(BIN)/python -m pytest
SEED := $(or $(WSO_SEED),$(shell date +%s))
export WSO_SEED := $(SEED)
# Number of processes that run tests, most of which wait. Tests that share a cluster run in one process (tests/conftest.py).
PROCESSES ?= 4
SPREAD := -n $(PROCESSES) --dist loadscope --no-loadscope-reorder
REGISTRY ?=
# Provider of local clusters, kind or native. If empty: kind if docker or podman answers, else native.
PROVIDER ?= $(WSO_PROVIDER)
export WSO_PROVIDER := $(PROVIDER)
# The tests use native clusters unless a provider is chosen: they need volumes that several nodes can mount.
TEST_PROVIDER := $(or $(PROVIDER),native)
ARGS ?=

##@ Start here
help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

try: install browser ## run part 1 of the demo: worker and simulator as local processes (20 s)
	@$(DEMO) try

demo: install browser ## run the whole demo: first without Kubernetes, then on a local cluster
	@$(DEMO) run

test: install browser javascript clocks ## run all tests, with small counts (see tests/README.md)
	@$(LOCAL) prepare --background --provider $(TEST_PROVIDER)
	@echo "seed: $(SEED) (WSO_SEED=$(SEED) repeats this run)"
	@$(PYTEST) $(SPREAD) tests/unit tests/component tests/conformance tests/functional tests/e2e $(ARGS)

install: $(VENV)/.installed ## create the virtual environment (.venv) from the locks and install the product in it

##@ While you work
check: lint ## run linters and unit tests
	@$(PYTEST) -q tests/unit $(ARGS)

lint: install ## run ruff, mypy and import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q .
	@$(BIN)/mypy --cache-dir $(CACHE)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 12

format: install ## format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

test-unit: install ## run the unit tests (no I/O)
	@$(PYTEST) tests/unit $(ARGS)

test-component: install browser clocks ## run the tests of the worker with Chromium, real stores and the simulator
	@$(PYTEST) tests/component $(ARGS)

test-conformance: install browser javascript ## run the unmodified npm package whatsapp-web.js against the simulator
	@$(PYTEST) tests/conformance $(ARGS)

test-functional: install clocks ## run the tests of the operator with a real kube-apiserver and etcd
	@$(LOCAL) prepare --binaries
	@$(PYTEST) tests/functional $(ARGS)

test-e2e: install browser ## run the tests on a real cluster, with the images of deploy/images
	@$(LOCAL) prepare --provider $(TEST_PROVIDER)
	@$(PYTEST) tests/e2e $(ARGS)

soak: install browser javascript clocks ## run all tests with full counts: hundreds of snapshots and kills (takes hours)
	@$(LOCAL) prepare --provider $(TEST_PROVIDER)
	@WSO_SOAK=1 $(PYTEST) tests $(ARGS)

bench: install browser ## run the benchmarks, each beside its peer
	@$(PYTEST) tests/bench -s $(ARGS)

lock: $(VENV)/.installed ## resolve the locked dependencies again, with hashes and without index URLs
	@lock() { $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$$@"; }; \
	lock --extra operator --extra cli pyproject.toml -o operator/requirements.lock; \
	lock --extra worker pyproject.toml -o worker/requirements.lock; \
	lock --all-extras pyproject.toml tests/requirements.in -o tests/requirements.lock; \
	lock tests/simulator/requirements.in -o tests/simulator/requirements.lock; \
	lock deploy/images/build-requirements.in -o deploy/images/build-requirements.lock

install-yaml: install ## render deploy/install.yaml from the chart
	@$(LOCAL) prepare --binaries
	@$(LOCAL) render > deploy/install.yaml.new && mv deploy/install.yaml.new deploy/install.yaml

golden: install ## write the reviewed manifests of the unit tests anew (tests/unit/golden)
	@PYTHONPATH=tests $(BIN)/python -m scenes.operator.golden

picture: install ## record what `kubectl whatsapp qr` shows into deploy/docs/qr.svg, for the README
	@$(LOCAL) prepare --binaries
	@$(BIN)/python -m deploy.docs.qr_picture

docs: install ## draw the worker's states into deploy/docs/architecture.md
	@$(BIN)/python -m deploy.docs.state_diagram

##@ Local cluster and images
cluster-up: install ## create a local cluster: PROVIDER=kind, or native (needs root)
	@$(LOCAL) up $(ARGS)

cluster-status: install ## show whether the cluster runs, and its kubeconfig
	@$(LOCAL) status $(ARGS)

cluster-down: install ## remove the cluster with all its files, networks and processes
	@$(LOCAL) down $(ARGS)

cluster-verify-clean: install ## check that nothing of a removed cluster is left
	@$(LOCAL) verify-clean $(ARGS)

images: install ## build the images of operator, worker and simulator, and print their sizes
	@$(LOCAL) images $(ARGS)

push: install ## push the images: make push REGISTRY=registry.example.com/team
	@test -n "$(REGISTRY)" || { echo "REGISTRY is not set: make push REGISTRY=registry.example.com/team" >&2; exit 2; }
	@$(LOCAL) images --push "$(REGISTRY)" $(ARGS)

browser javascript clocks: install
	@$(LOCAL) packages $@

$(VENV)/.installed: tests/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is required; set PYTHON=..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  rm -rf $(VENV); \
	  test "$$(id -u)" = 0 || { echo "the Python module venv is missing; install the package python3-venv" >&2; exit 2; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); }
	@test -x $(BIN)/uv || { awk '/^uv==/ {on = 1} /^[^ #]/ && !/^uv==/ {on = 0} on' tests/requirements.lock > $(VENV)/uv.lock; \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock; }
	@echo "installing the locked Python packages ..."
	@$(BIN)/uv pip sync -q --require-hashes tests/requirements.lock
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: help try demo test install check format clocks test-unit test-component test-conformance test-functional test-e2e soak \
  bench lock install-yaml golden docs cluster-up cluster-status cluster-down cluster-verify-clean images push browser javascript
