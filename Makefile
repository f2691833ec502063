# hids: what people run. `make demo` and `make test` are all that a fresh Debian 12 with a Rust toolchain needs, as root:
# they install what else they need (`make deps`) and leave nothing running or enabled behind.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help build deps demo test bench lint deny shell-lint clean-lab

CARGO ?= cargo
LOUD = printf '\n*** SKIPPED: %s\n\n' >&2

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## installs the Debian packages that building and trying need; starts none of their services
	@containers/deps

build: ## the release binary, target/release/hids
	@containers/deps build
	@command -v $(CARGO) >/dev/null || { echo "no cargo in PATH (with sudo: sudo env PATH=\"\$$PATH\" make ...)" >&2; exit 1; }
	$(CARGO) build --release --locked

demo: deps build ## a fleet of real guests, an attack, and the attacker shut out at the gateway
	@containers/demo target/release/hids

# Without root the guests' packages are of no use; the tests that need them say so. What passing tests say (the agreement
# with OSSEC's recorded answers, file by file; what was skipped) is shown, too.
test: ## everything; CI calls this
	@if [ "$$(id -u)" = 0 ]; then containers/deps; else containers/deps build; fi
	@$(MAKE) --no-print-directory lint deny
	@[ "$$(id -u)" = 0 ] || $(LOUD) 'not root: every test that raises real LXC guests, namespaces or ipsets'
	@log=$$(mktemp); set -o pipefail; \
	$(CARGO) test --locked --no-fail-fast -- --show-output 2>&1 | tee "$$log"; ended=$$?; \
	if grep -q SKIPPED "$$log"; then printf '\n*** What was not tried:\n'; grep -h SKIPPED "$$log" | sort -u; fi >&2; \
	rm -f "$$log"; exit $$ended

bench: ## measures throughput, latency, memory and hostile guests; kept in tests/bench/runs
	@if [ "$$(id -u)" = 0 ]; then containers/deps; else containers/deps build; fi
	@tests/bench/run

lint: shell-lint ## form, clippy and docs, without a warning
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

shell-lint:
	@if command -v shellcheck >/dev/null; then \
	    shellcheck -x -P SCRIPTDIR containers/lab containers/deps containers/demo containers/lib/* containers/recipes/* \
	        .ci/run tests/bench/run; \
	else $(LOUD) 'shellcheck of the scripts: it is not installed (apt-get install shellcheck)'; fi

deny: ## licences, bans and sources of the dependencies
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --locked check licenses bans sources; \
	else $(LOUD) 'cargo deny: it is not installed (cargo install --locked cargo-deny)'; fi

clean-lab: ## takes away every lab that is still up, and the kept Debian image
	@for lab in /tmp/hids-lab.*; do [ ! -e "$$lab/.hids-lab" ] || containers/lab down "$$lab"; done
	@rm -rf --one-file-system /var/cache/hids-lab
