# `make demo` shows esp-tcpwatch at work, `make test` proves it; both install what they miss or say what to install.
# `make` alone lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
TWIN := $(TARGET)/twin/esp-tcpwatch-twin
BIN := $(TARGET)/debug/esp-tcpwatch
PREFIX ?= /usr/local
ARGS ?=

# Tests must not write new snapshots.
export INSTA_UPDATE ?= no

# Some tests send signals. One that was ignored before (`nohup make test`) would stay ignored in the program, by design.
HEARING := $(shell env --default-signal=HUP,INT,QUIT true 2>/dev/null && echo env --default-signal=HUP,INT,QUIT)

.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make demo            the whole of it against a simulated ESP32, no hardware (ARGS="…" is passed on)
.PHONY: demo
demo: prerequisites build
	@$(BIN) demo $(ARGS) || { code=$$?; \
	  echo "make demo: ended with $$code; the message above says why." >&2; \
	  [ "$$(id -u)" = 0 ] || echo "If it speaks of namespaces or /dev/net/tun, this may do: sudo $(BIN) demo $(ARGS)" >&2; \
	  exit $$code; }

## make test            every check there is, but for soak and audit; what CI runs
# The order: cheap and often wrong first.
TEST_STEPS := fmt lint purity twin firmware firmware-rv32 corpus micropython tests fuzz-short docs deny
.PHONY: test
test: prerequisites-test
	@began=$$SECONDS; ran=""; for step in $(TEST_STEPS); do \
	  printf '\n== make %s\n' $$step; before=$$SECONDS; \
	  $(MAKE) $$step || { printf '\nmake test: FAILED at "%s" (passed before it:%s). Mend it, and run `make %s` alone first.\n' \
	    $$step "$${ran:- nothing}" $$step >&2; exit 1; }; \
	  ran="$$ran $$step ($$((SECONDS - before)) s)"; \
	done; \
	printf '\nmake test: all passed in %d s:%s\n' $$((SECONDS - began)) "$$ran"; \
	cat $(TARGET)/tests.summary; cat $(TARGET)/firmware-rv32.summary 2>/dev/null || true

.PHONY: prerequisites prerequisites-test
prerequisites:
	@packaging/prerequisites.sh build
prerequisites-test: promtool
	@packaging/prerequisites.sh test
.PHONY: promtool
promtool:
	@packaging/promtool.sh $(TARGET)/tools

## make build           the program and the twin, unoptimised (quick to build; `make install` optimises)
.PHONY: build twin
build: twin
	@$(CARGO) build --locked

## make twin            the simulated ESP32: the test firmware on the real lwIP
twin:
	@$(MAKE) -s -C firmware/twin OUT=$(TARGET)/twin

## make fmt             is everything formatted?
.PHONY: fmt
fmt:
	@$(CARGO) fmt --check || { echo 'To mend: cargo fmt' >&2; exit 1; }

## make lint            clippy, warnings denied
.PHONY: lint
lint:
	@$(CARGO) clippy --locked --all-targets -- -D warnings

## make purity          analysis builds without libpcap, terminal and sockets
.PHONY: purity
purity:
	@$(CARGO) check --locked --lib --no-default-features || \
	  { echo 'A room that must do without it named an optional crate; see docs/architecture.md' >&2; exit 1; }

## make firmware        the twin's own tests: what it answers, counts and survives, judged from the wire
.PHONY: firmware
firmware: twin
	@$(MAKE) -s -C firmware/twin test OUT=$(TARGET)/twin || \
	  { echo 'One of them again: firmware/twin/test.sh $(TWIN) PART-OF-ITS-NAME' >&2; exit 1; }

## make firmware-rv32   the ESP32's firmware compiled for a RISC-V chip, as far as that goes without ESP-IDF
RV32_PROBE = echo 'int main(void) { return 0; }' | riscv64-unknown-elf-gcc --specs=picolibc.specs \
  -march=rv32imc -mabi=ilp32 -x c - -c -o /dev/null 2>/dev/null
.PHONY: firmware-rv32
firmware-rv32:
	@mkdir -p $(TARGET); rm -f $(TARGET)/firmware-rv32.summary; \
	check="$(MAKE) -s -j2 -C firmware/esp-idf/check OUT=$(TARGET)/rv32 TWIN_OUT=$(TARGET)/twin"; \
	if $(RV32_PROBE); then $$check; \
	else $$check agree console-line; echo 'NOT RUN: what make firmware-rv32 compiles: it needs riscv64-unknown-elf-gcc with picolibc' \
	  '(Debian, Ubuntu: gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf)' | tee $(TARGET)/firmware-rv32.summary; fi

## make corpus          what fuzzing found of the firmware's parsers, once more (`make tests` has the rest)
.PHONY: corpus
corpus:
	@$(MAKE) -s -j2 -C fuzz/c replay OUT=$(TARGET)/fuzz/c

## make micropython     the firmware of stock MicroPython boards, compiled for them and tested under two Pythons
.PHONY: micropython
micropython:
	@firmware/micropython/test.sh $(TARGET)/micropython || \
	  { echo 'One of them again: firmware/micropython/test.sh $(TARGET)/micropython PART-OF-ITS-NAME' >&2; exit 1; }

## make tests           all of cargo's tests, the lab tests with the twin among them
.PHONY: tests
tests: twin
	@rm -f $(TARGET)/tests.summary; mkdir -p $(TARGET); \
	$(HEARING) $(CARGO) test --locked --no-fail-fast 2>&1 | tee $(TARGET)/tests.log || { \
	  echo; grep -E '^test .* FAILED$$' $(TARGET)/tests.log || true; \
	  echo 'One of them again: cargo test NAME -- --nocapture   (the whole log: $(TARGET)/tests.log)'; exit 1; } >&2
	@awk '/^test result:/ { p += $$4; i += $$8 } END { printf "%d cargo tests passed, %d ignored", p, i }' \
	  $(TARGET)/tests.log > $(TARGET)/tests.summary; \
	if grep -qi 'not run: ' $(TARGET)/tests.log; then echo '; NOT RUN, though they should be:'; \
	  grep -io 'not run: .*' $(TARGET)/tests.log | sort -u; else echo ', none left out for want of privilege.'; fi \
	  >> $(TARGET)/tests.summary

## make docs            the documentation of the code, warnings denied
.PHONY: docs
docs:
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet

## make rule-docs       write docs/rules again, from rules/*.toml and what the detectors declare
.PHONY: rule-docs
rule-docs:
	@$(CARGO) build --locked --bin esp-tcpwatch
	@rm -f docs/rules/*.md; $(BIN) rules docs docs/rules --fields docs/writing-rules.md

## make deny            licences and origins of everything this is built of
.PHONY: deny
deny: cargo-deny
	@$(DENY) check bans licenses sources && $(DENY) --manifest-path fuzz/Cargo.toml --config deny.toml check bans licenses sources || { echo 'deny.toml says what is allowed, and why' >&2; exit 1; }

## make audit           deny, and known vulnerabilities where their database can be reached
.PHONY: audit
audit: deny
	@if $(DENY) fetch db; then $(DENY) check advisories; \
	else echo 'make audit: the advisory database cannot be reached from here: vulnerabilities were NOT checked' >&2; fi

# Ours is used where the machine has none, or an old one. It is built unoptimised, which is enough and four times as quick.
DENY_VERSION := 0.20.2
DENY = PATH="$(TARGET)/tools/bin:$$PATH" cargo-deny --log-level error
.PHONY: cargo-deny
cargo-deny:
	@export PATH="$(TARGET)/tools/bin:$$PATH"; \
	found=$$(cargo-deny --version 2>/dev/null | cut -d' ' -f2 || true); \
	[ "$$(printf '%s\n' $(DENY_VERSION) "$${found:-0}" | sort -V | head -n1)" = $(DENY_VERSION) ] || { \
	  echo 'Building cargo-deny $(DENY_VERSION) into $(TARGET)/tools; once, a minute or two'; \
	  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 $(CARGO) install --quiet --locked --debug --no-default-features \
	    --root $(TARGET)/tools cargo-deny@$(DENY_VERSION) || { \
	    echo 'cargo-deny could not be built; by hand: cargo install --locked cargo-deny@$(DENY_VERSION)' >&2; exit 1; }; }

## make captures        takes the captures of tests/captures from the twin again
.PHONY: captures
captures: build
	@take() { name=$$1; shift; $(BIN) demo --json "$$@" -w tests/captures/$$name.pcapng >/dev/null || [ $$? = 4 ]; }; \
	rm -f tests/captures/*.pcapng; \
	take refused --ports 1 --duration 4s; \
	take msl-3s --ports 1 --duration 14s --remedy msl_ms=3000; \
	take honours-rst --ports 2 --duration 2s --remedy rst_in_time_wait=honour; \
	take accepts-syn --ports 2 --duration 2s --remedy syn_in_time_wait=accept; \
	take client-first --ports 2 --duration 2s --remedy close=client-first

## make screenshots     takes the README's pictures from the demo again, into docs/screens
.PHONY: screenshots
screenshots: build
	@$(CARGO) build --locked --example screenshots
	@$(TARGET)/debug/examples/screenshots $(BIN) $(TWIN) docs/screens

## make soak            the tests that take longer than a minute
.PHONY: soak
soak: prerequisites-test build mermaid
	@$(CARGO) build --locked --example lab_mixed
	@$(HEARING) $(CARGO) test --locked --test soak --test month -- --ignored --nocapture

## make bench           esp-tcpwatch beside tcpdump, tshark and others, into docs/performance.md (SCALE=0.1 KEEP=1)
# Only what is installed is run: `make bench-peers` installs them.
SCALE ?= 0.1
ROUNDS ?= 5
BENCH := $(TARGET)/bench
RELEASED := $(TARGET)/release
.PHONY: bench bench-live bench-micro bench-peers
bench: prerequisites bench-build
	@python3 -B benches/compare.py $(RELEASED)/esp-tcpwatch $(RELEASED)/examples/bench_traffic --folder $(BENCH) \
	  --scale $(SCALE) --rounds $(ROUNDS) $(if $(KEEP),--keep)

## make bench-live      a flood on a veth pair: loss, latency and CPU, into docs/performance.md
bench-live: prerequisites bench-build
	@python3 -B benches/live.py $(RELEASED)/esp-tcpwatch $(RELEASED)/examples/bench_sender

## make bench-micro     what a packet costs in each room
bench-micro: prerequisites
	@$(CARGO) bench --locked --bench micro $(if $(ARGS),-- $(ARGS))

## make bench-peers     installs what `make bench` compares with (Debian, Ubuntu)
PEERS := tcpdump tshark softflowd argus-server tcptrace
bench-peers:
	@as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	$$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y --no-install-recommends $(PEERS)

# Apart: what the examples need besides would also be compiled into the program.
.PHONY: bench-build
bench-build:
	@command -v python3 >/dev/null || { echo 'The bench is measured by a script: install python3 (3.9 or later)' >&2; exit 1; }
	@$(CARGO) build --locked --release --bin esp-tcpwatch
	@$(CARGO) build --locked --release --example bench_traffic --example bench_sender

## make fuzz            looks for inputs that make something fail, 20 s a target (SECONDS=900, TARGETS="decode engine")
.PHONY: fuzz
SECONDS ?= 20
fuzz:
	@CARGO_TARGET_DIR=$(TARGET) fuzz/run.sh $(SECONDS) $(TARGETS)

## make fuzz-short      two seconds of each target, as make test has it
# From one seed: whether a change passes must not hang on a draw. `make fuzz` draws anew.
.PHONY: fuzz-short
fuzz-short:
	@CARGO_TARGET_DIR=$(TARGET) FUZZ_PROFILE=short FUZZ_SEED=1 fuzz/run.sh 2

## make asan            unit tests and what uses the islands of unsafe code, under AddressSanitizer, in target/asan; takes minutes
# The compiler hands the sanitizer out to those who say that they know it is not stable. Left out is what weighs memory.
UNSAFE_USED_BY := attach daemon lab rejoin
.PHONY: asan
asan: prerequisites-test twin
	@export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0 \
	  ESP_TCPWATCH_TWIN=$(TARGET)/twin/esp-tcpwatch-twin; \
	as="--locked --target $$(rustc -vV | sed -n 's/^host: //p') --target-dir $(TARGET)/asan"; \
	$(CARGO) build $$as --example lab_probe && \
	$(HEARING) $(CARGO) test $$as --no-fail-fast --lib $(UNSAFE_USED_BY:%=--test %) -- --skip fifty_flaps

## make mermaid         are the diagrams of reports what Mermaid itself understands? (needs node and npm)
# The versions are fixed, so that a new Mermaid is a decision.
MERMAID := mermaid@11.17.2 jsdom@29.1.1
.PHONY: mermaid
mermaid: build
	@if ! { command -v node && command -v npm; } >/dev/null; then \
	  echo 'NOT RUN: make mermaid: it needs node 20 and npm (Debian, Ubuntu: nodejs npm)'; exit 0; fi; \
	at=$(TARGET)/mermaid; mkdir -p $$at; \
	[ "$$(cat $$at/installed 2>/dev/null)" = '$(MERMAID)' ] || { \
	  npm install --silent --no-audit --no-fund --prefix $$at $(MERMAID) && echo '$(MERMAID)' > $$at/installed; } || { \
	  echo 'NOT RUN: make mermaid: npm could not install $(MERMAID)'; exit 0; }; \
	rm -f $$at/*.md; for capture in tests/captures/*.pcapng; do \
	  $(BIN) report $$capture -o $$at/$$(basename $$capture .pcapng).md; done; \
	script=$$PWD/tests/report/mermaid.mjs; cd $$at && node $$script *.md

## make macos           does it compile for macOS? (needs that target's standard library)
.PHONY: macos
macos:
	@[ -d "$$(rustc --print target-libdir --target aarch64-apple-darwin)" ] || \
	  { echo 'The macOS target is missing. Type: rustup target add aarch64-apple-darwin' >&2; exit 1; }
	@$(CARGO) check --locked --target aarch64-apple-darwin

## make release         program and twin as `make install` builds them: optimised, and the same bytes wherever that is done
# Where things lay when they were compiled is no part of the program.
REMAP = --remap-path-prefix=$(CURDIR)=esp-tcpwatch --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
.PHONY: release
release: twin
	@RUSTFLAGS="$(RUSTFLAGS) $(REMAP)" $(CARGO) build --locked --release

## make reproducible    builds twice, in two folders, and compares the bytes; takes minutes
.PHONY: reproducible
reproducible: prerequisites
	@packaging/reproducible.sh

## make sbom            what it is built of, as CycloneDX, into target/esp-tcpwatch.cdx.json
CYCLONEDX_VERSION := 0.5.9
.PHONY: sbom
sbom:
	@[ -x $(TARGET)/tools/bin/cargo-cyclonedx ] || { echo 'Building cargo-cyclonedx $(CYCLONEDX_VERSION) into $(TARGET)/tools; once'; \
	  CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --locked --debug --root $(TARGET)/tools cargo-cyclonedx@$(CYCLONEDX_VERSION); }
	@PATH="$(TARGET)/tools/bin:$$PATH" $(CARGO) cyclonedx --quiet --format json --spec-version 1.5 --override-filename esp-tcpwatch.cdx
	@mv esp-tcpwatch.cdx.json $(TARGET)/; echo $(TARGET)/esp-tcpwatch.cdx.json

## make install         program, twin, manual page, completions and the systemd unit (not enabled), optimised, under PREFIX (now: /usr/local)
.PHONY: install
install: prerequisites release
	@$(MAKE) install-files BIN=$(TARGET)/release/esp-tcpwatch

## make install-files   the same of a program and a twin that are built: BIN, TWIN (for who packages: DESTDIR)
.PHONY: install-files
install-files:
	@to=$(DESTDIR)$(PREFIX); \
	as=; { install -d "$$to/bin" && [ -w "$$to/bin" ]; } 2>/dev/null || { as=sudo; echo "With sudo, since $$to is not ours to write:"; }; \
	put() { $$as install -d "$$(dirname "$$to/$$2")"; $$as install -m "$$1" "$$3" "$$to/$$2"; echo "$$to/$$2"; }; \
	made=$$(mktemp -d); trap 'rm -rf "$$made"' EXIT; \
	$(BIN) man > $$made/man; for shell in bash zsh fish; do $(BIN) completions $$shell > $$made/$$shell; done; \
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/esp-tcpwatch.service > $$made/service; \
	put 755 bin/esp-tcpwatch $(BIN); \
	put 755 bin/esp-tcpwatch-twin $(TWIN); \
	put 644 share/man/man1/esp-tcpwatch.1 $$made/man; \
	put 644 share/bash-completion/completions/esp-tcpwatch $$made/bash; \
	put 644 share/zsh/site-functions/_esp-tcpwatch $$made/zsh; \
	put 644 share/fish/vendor_completions.d/esp-tcpwatch.fish $$made/fish; \
	put 644 lib/systemd/system/esp-tcpwatch.service $$made/service

## make clean           forget everything that was built
.PHONY: clean
clean:
	@$(CARGO) clean
