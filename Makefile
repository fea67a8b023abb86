# Short commands for people; the build itself is meson's. Each target installs what it needs first (scripts/install-deps;
# DEPS=no leaves that out). `make help` lists them.

PREFIX  ?= /usr/local
DESTDIR ?=
DEPS    ?= yes
# Seconds for each fuzz target of `make fuzz`.
SECONDS_EACH ?= 60
# Messages of `make sim`.
MESSAGES ?= 10000000

RELEASE := build/release
deps = $(if $(filter yes,$(DEPS)),scripts/install-deps $(1),:)
# With sudo: the next make, without it, writes there as well.
give_back = [ "$$(id -u)" -ne 0 ] || chown -R --reference=. build

.DEFAULT_GOAL := build
.PHONY: help build demo check sim bench lint format install uninstall fuzz coverage clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | while IFS="$$(printf '\t')" read -r t w; do printf '  %-14s %s\n' "$$t" "$$w"; done

build: ## the release build: build/release/src/cli/holdfast (also plain `make`)
	@$(call deps,build)
	@scripts/configure release
	@meson compile -C $(RELEASE)

demo: build ## both jobs: webhooks under kill -9; a principal and three sites that are in step whatever breaks
	@scripts/demo
	@echo
	@scripts/demo-sync

check: ## builds everything and runs all tests; ends with "N passed, N failed"
	@$(call deps,build test lint)
	@scripts/check

sim: ## ten million messages between a simulated principal and its agents, from fresh seeds, on all cores
	@$(call deps,build test)
	@scripts/configure release -Dtests=true
	@meson compile -C $(RELEASE) sim_sync
	@$(RELEASE)/tests/sim/sim_sync --deliveries $(MESSAGES) --jobs "$$(nproc)"

bench: build ## measures, prints a table, writes build/bench.json
	@$(call deps,bench)
	@bench/run

lint: ## static analysis, layout, layers, scripts, man page
	@$(call deps,build test lint)
	@scripts/lint

format: ## lays the C code out with clang-format
	@$(call deps,lint)
	@git ls-files -z -- '*.c' '*.h' | xargs -0 -r /usr/bin/clang-format -i

install: ## installs under $(DESTDIR)$(PREFIX)
	@$(call deps,build)
	@scripts/configure release --prefix=$(PREFIX) --libdir=lib # where pkg-config and the loader look, with and without dpkg-dev
	@DESTDIR=$(DESTDIR) meson install -C $(RELEASE)
	@$(give_back)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

uninstall: ## removes what the last install brought
	@ninja -C $(RELEASE) uninstall
	@$(give_back)

fuzz: ## each fuzz target for SECONDS_EACH seconds (60)
	@$(call deps,build test)
	@scripts/fuzz $(SECONDS_EACH)

coverage: ## line coverage of the unit tests: build/coverage/index.html
	@$(call deps,build test lint)
	@scripts/coverage

clean: ## removes all builds
	rm -rf build
