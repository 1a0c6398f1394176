# `make help` lists the targets. Everything they install goes into this checkout: .tools, target, .aws-sam, .local.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHONDONTWRITEBYTECODE := 1

PYTHON ?= python3
STACK ?= capillary-events
ARCHITECTURE ?= x86_64
# Of each artefact that ships; `make build` fails where one is larger.
MAX_RECEIVER_ZIP_BYTES ?= 3000000
MAX_ENRICHER_ZIP_BYTES ?= 3500000
SAM := .tools/sam/bin/sam
LOCAL_PYTHON := .tools/aws/bin/python3
STEP := $(PYTHON) local/steps.py
# With the sandbox's feature, as `make up` builds it.
CAPCTL := cargo run --quiet --locked --features sandbox --bin capctl -- --stack '$(STACK)' \
	$(if $(PROFILE),--profile '$(PROFILE)') $(if $(REGION),--region '$(REGION)')
INSTALL := cargo install --quiet --locked --root .tools/cargo
# cargo-lambda finds zig through the first python3 in PATH, so SAM's own comes first.
WITH_SAM_TOOLS := PATH="$(CURDIR)/.tools/sam/bin:$$PATH" SAM_CLI_TELEMETRY=0

.PHONY: help
help: ## This list
	@echo "capillary-events. Needs Rust, Python 3.11 or later, make; for demo and tests also Linux."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
		|| grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

# ── Tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: tools
tools: .tools/sam/.installed .tools/aws/.installed ## The SAM CLI, cargo-lambda and the local AWS, pinned, into .tools

.tools/%/.installed: local/requirements-%.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'error: Python 3.11 or later is needed; say which one with: make PYTHON=python3.12 …' >&2; exit 1; }
	@command -v cargo >/dev/null || { echo 'error: Rust is needed (cargo is not in PATH)' >&2; exit 1; }
	@$(STEP) tools-$* 'tools: $*' -- $(PYTHON) local/make_venv.py .tools/$* $<
	@touch $@

# ── For an account ───────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: build
build: tools ## Both functions as they ship (sam build, with link-time optimisation); ARCHITECTURE=arm64 for Graviton
	@$(WITH_SAM_TOOLS) $(STEP) build 'sam build (some minutes)' -- $(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)
	$(PYTHON) local/zip_sizes.py --most $(MAX_RECEIVER_ZIP_BYTES) .aws-sam/build/ReceiverFunction/bootstrap
	$(PYTHON) local/zip_sizes.py --most $(MAX_ENRICHER_ZIP_BYTES) .aws-sam/build/EnricherFunction/bootstrap

.PHONY: deploy
deploy: build ## Build and `sam deploy --guided` into your account
	@$(WITH_SAM_TOOLS) $(SAM) deploy --guided --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: secrets
secrets: ## Fill the secrets of a deployed stack: WEBHOOK=file CAPILLARY=file [STACK=] [PROFILE=] [REGION=]
	@[ -n '$(WEBHOOK)$(CAPILLARY)' ] || { echo 'error: nothing to fill: give WEBHOOK=file, CAPILLARY=file, or both' >&2; exit 1; }
	$(STEP) capctl 'capctl (some minutes the first time)' -- cargo build --locked --features sandbox --bin capctl
	$(if $(WEBHOOK),$(CAPCTL) secrets set webhook --file '$(WEBHOOK)')
	$(if $(CAPILLARY),$(CAPCTL) secrets set capillary --file '$(CAPILLARY)')

.PHONY: release
release: tools ## dist/<version>: archives, a template that points at them, capctl, checksums; ARCH="x86_64 arm64" for both
	@$(PYTHON) local/release.py $(ARCH)

# ── On this machine ──────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: up
up: tools ## Local AWS, stand-in for Capillary, build, deploy; everything empty
	@$(LOCAL_PYTHON) local/stack.py up

.PHONY: down
down: ## End what `make up` started
	@[ ! -x $(LOCAL_PYTHON) ] || $(LOCAL_PYTHON) local/stack.py down

.PHONY: status
status: tools ## What of it runs
	@$(LOCAL_PYTHON) local/stack.py status

.PHONY: env
env: ## For capctl and the AWS CLI to find the stack of `make up`: eval "$$(make env)"
	@$(LOCAL_PYTHON) local/stack.py env

.PHONY: logs
logs: tools ## What the functions have logged since `make up`
	@$(LOCAL_PYTHON) local/stack.py logs

.PHONY: watch
watch: tools ## Both functions from source with `cargo lambda watch` on port 9000, in a stack that `make up` left running
	@$(LOCAL_PYTHON) local/stack.py watch

.PHONY: demo
demo: tools ## Deliveries all the way to the bus, as one table; KEEP=1 leaves everything running
	@[ -n '$(KEEP)' ] || trap '$(MAKE) down' EXIT
	$(MAKE) up
	KEEP='$(KEEP)' $(LOCAL_PYTHON) local/demo.py

.PHONY: cost
cost: tools ## What a real run takes, call by call, and what that costs in dollars
	@trap '$(MAKE) down' EXIT
	$(MAKE) up
	$(STEP) --show '^test result' cost 'calls and units of a run on the local AWS against local/cost/budget.json' -- \
		cargo test --features sandbox --test all -- budget::a_run
	$(LOCAL_PYTHON) local/cost.py

.PHONY: test
test: check ## Everything, from nothing
	@trap '$(MAKE) down' EXIT
	$(MAKE) up
	$(STEP) --show '^test result' test-all 'integration tests on the local AWS' -- \
		cargo test --features sandbox --test all -- --skip template:: --skip release:: --test-threads=8
	$(MAKE) turmoil

# Its functions find AWS through a proxy of the test's own, so it has a stack for itself. N= for more events, SEED= for other choices.
.PHONY: turmoil
turmoil: export LOCAL_AWS_BEHIND_PROXY := 1
turmoil: export CAPILLARY_EVENTS_COUNT := $(N)
turmoil: export CAPILLARY_EVENTS_SEED := $(SEED)
turmoil: tools ## A thousand events while processes are killed, connections break, Capillary fails; N= for more, SEED=
	@trap '$(MAKE) down' EXIT
	$(MAKE) up
	$(STEP) --show '^(seed|test result)' turmoil 'real processes in turmoil (some minutes)' -- \
		cargo test --features sandbox --test processes -- --nocapture

.PHONY: check
check: tools ## Format, lints, unit tests, template: what needs no local AWS
	@$(STEP) fmt 'format' -- cargo fmt --check
	@$(STEP) fmt-bench 'format of the bench' -- cargo fmt --check --manifest-path benches/Cargo.toml --all
	@$(STEP) clippy 'lints' -- cargo clippy --features sandbox --all-targets -- -D warnings
	@$(STEP) clippy-bench 'lints of the bench' -- cargo clippy --locked --manifest-path benches/Cargo.toml --package capillary-events-bench -- -D warnings
	@$(STEP) --show '^test result' test-unit 'unit tests, odd input, the model, ten thousand simulated stories' -- \
		cargo test --features sandbox --lib --bins --test protocol --test input --test simulation
	@AWS_DEFAULT_REGION=us-east-1 $(WITH_SAM_TOOLS) $(STEP) validate 'sam validate --lint' -- $(SAM) validate --lint
	@$(STEP) --show '^test result' test-template 'the template against the design, a release without its build' -- \
		cargo test --features sandbox --test all -- template:: release::

.PHONY: chaos
chaos: ## More simulated stories than the tests play, and others each time: N=100000 SEED=
	@CAPILLARY_EVENTS_STORIES=$(or $(N),100000) CAPILLARY_EVENTS_SEED=$(or $(SEED),$(shell date +%s)) \
		cargo test --features sandbox --test simulation -- --nocapture whatever_goes_wrong_together

# Each floor by itself, or they would share the features of their crates.
.PHONY: bench
bench: build ## Starts, time, CPU, memory, size and instructions beside two floors (see benches/); QUICK=1, AWS_MS= for a slower AWS
	@for floor in lean stock; do
		$(WITH_SAM_TOOLS) $(STEP) bench-$$floor "the floor \`$$floor\` (some minutes)" -- cargo lambda build --release --locked \
			--manifest-path benches/Cargo.toml --package $$floor $(if $(filter arm64,$(ARCHITECTURE)),--arm64)
	done
	$(STEP) bench-program 'the bench program' -- cargo build --locked --profile bench-program --manifest-path benches/Cargo.toml --package capillary-events-bench
	AWS_MS='$(AWS_MS)' benches/target/bench-program/bench $(if $(QUICK),--quick)

.PHONY: deny
deny: ## Licences, sources and bans of all dependencies, and that each is used (installs two tools into .tools, some minutes)
	@$(STEP) cargo-deny 'cargo-deny' -- $(INSTALL) cargo-deny@0.20.2
	@$(STEP) cargo-machete 'cargo-machete' -- $(INSTALL) cargo-machete@0.9.1
	@$(STEP) deny 'licences, sources, bans' -- .tools/cargo/bin/cargo-deny check licenses bans sources
	@$(STEP) machete 'unused dependencies' -- .tools/cargo/bin/cargo-machete --with-metadata .

# Not in CI: the database is on GitHub, and what it finds is not the last change's fault.
.PHONY: advisories
advisories: ## Known holes in dependencies, from RustSec's database
	@$(STEP) cargo-deny 'cargo-deny' -- $(INSTALL) cargo-deny@0.20.2
	@$(STEP) advisories 'advisories' -- .tools/cargo/bin/cargo-deny check advisories

.PHONY: fuzz
fuzz: ## libFuzzer's input for TIME=60 seconds each (installs cargo-fuzz into .tools; builds all once more); TARGET=body for one
	@$(STEP) cargo-fuzz 'cargo-fuzz' -- cargo install --quiet --locked --version 0.13.2 --root .tools/cargo cargo-fuzz
	@$(PYTHON) local/fuzz.py $(or $(TIME),60) $(TARGET)

.PHONY: clean
clean: down ## Remove everything that was built or installed here
	@rm -rf .tools .aws-sam .local dist benches/target fuzz/target fuzz/corpus fuzz/artifacts
	@cargo clean

# Recipes with a trap are one script each (the others are right either way).
.ONESHELL:
