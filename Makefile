# A front for CMake. `make` builds to build/; `make demo` and `make check` install what is missing first.
BUILD = build
PREFIX = /usr/local
JOBS = $(shell nproc 2>/dev/null || echo 2)

.PHONY: all demo check check-long check-peers seeds bench gradbench install clean format

all: $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) -j $(JOBS)

$(BUILD)/CMakeCache.txt:
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX)

demo:
	@tools/bootstrap.sh build
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)/chainrule

check:
	@tools/bootstrap.sh check
	@tools/check.sh

check-long:
	@tools/bootstrap.sh check
	@CHECK_SCALE=20 CHECK_EMIT=1 tools/check.sh

check-peers:
	@tools/bootstrap.sh peers
	@$(MAKE) --no-print-directory all
	@bench/peers/setup.sh $(BUILD)/peers
	@CHAINRULE_LIBRARY=$(BUILD)/libchainrule.so $(BUILD)/peers/bin/python tests/peers/check.py
	@$(BUILD)/peers/bin/python tests/peers/transformer.py $(BUILD)/chainrule

seeds: all
	@tools/seeds.sh $(BUILD)/chainrule

bench:
	@tools/bootstrap.sh bench
	@cmake -S . -B build-bench -DCR_BENCH=ON -DCR_TESTS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@cmake --build build-bench -j $(JOBS)
	@PEERS="$(PEERS)" tools/bench.sh build-bench --report docs/performance.md

# PEERS: the folder that holds a checkout of GradBench, gradbench/.
gradbench:
	@tools/bootstrap.sh gradbench
	@cmake -S . -B build-bench -DCR_BENCH=ON -DCR_TESTS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@cmake --build build-bench -j $(JOBS) --target gradbench_chainrule
	@bench/gradbench/run.sh build-bench $(PEERS)

install: $(BUILD)/CMakeCache.txt
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@cmake --install $(BUILD)

clean:
	@rm -rf $(BUILD) build-*

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i
