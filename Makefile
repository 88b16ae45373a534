# make demo       four machines on this one, and a cluster on them
# make demo-down  removes what the demo made
# make test       everything that can be checked, on machines of the same kind
# make vagrant-test   of these, the Vagrantfile alone
# make fuzz       of these, what parses the words of hosts; SECONDS=600 for longer
# make release    one static binary

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.PHONY: demo demo-down test vagrant-test check fuzz release

# The demo's machines stand apart from those of tests.
DEMO_LAB := TOWLINE_LAB_RUN=/var/tmp/towline-demo cargo run --quiet --package towline-lab --
INVENTORY := inventories/demo.yaml
KUBECONFIG_FILE := inventories/demo.kubeconfig
ACTIONLINT := 1.7.12
CARGO_FUZZ := 0.13.2
# What a story starts itself.
DATABASES := haproxy mariadb-server postgresql
# For each target.
SECONDS := 8
# Of chance; with 0 it is another one each time.
SEED := 0

demo:
	echo "A demo: four machines on this one, and a cluster on them. The first time this takes"
	echo "  1. packages for the lab, by apt"
	echo "  2. towline and the lab, built by cargo: 2 to 6 minutes, 2 GB in the target folder"
	echo "  3. an image for the machines: a minute, 400 MB in ~/.cache/towline-lab"
	echo "  4. k3s: the official release (80 MB); where that is out of reach a stand-in, built by"
	echo "     Go 1.26 or newer: 6 minutes on two idle cores, 3 GB in Go's caches"
	echo "and then, as every time,"
	echo "  5. the machines and the cluster: a minute or two, 2 GB in /var/tmp/towline-demo"
	echo "     (make demo-down removes them)"
	echo
	tests/lab/prepare
	echo "building towline and the lab"
	cargo build --package towline --package towline-lab
	$(DEMO_LAB) down
	$(DEMO_LAB) up 3+1 --inventory $(INVENTORY) | sed '/Next:/,$$d'
	target=$${CARGO_TARGET_DIR:-target}
	echo
	echo "\$$ $$target/debug/towline deploy -i $(INVENTORY) --kubeconfig $(KUBECONFIG_FILE)"
	"$$target"/debug/towline deploy -i $(INVENTORY) --kubeconfig $(KUBECONFIG_FILE)
	echo
	echo "The demo's machines, from this folder:"
	echo "  $$target/debug/towline plan -i $(INVENTORY)"
	echo "  $(DEMO_LAB) ssh m1 kubectl get nodes"
	echo "  $(DEMO_LAB) cut m2        pulls a power cord ('boot m2' powers it on again)"
	echo "  $$target/debug/towline deploy -i $(INVENTORY) --kubeconfig $(KUBECONFIG_FILE)"
	echo "  make demo-down            removes all of it"

demo-down:
	$(DEMO_LAB) down
	rm -f $(INVENTORY) $(KUBECONFIG_FILE)

# Format, lints, and the Go program's own tests: what needs no machine.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	# The workflows' linter is built once per version. Without its own helpers it says the same everywhere.
	actionlint="$${XDG_CACHE_HOME:-$$HOME/.cache}/towline-ci/actionlint-$(ACTIONLINT)"
	test -x "$$actionlint/actionlint" || GOBIN="$$actionlint" go install "github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT)"
	"$$actionlint/actionlint" -config-file .github/actionlint.yaml -shellcheck= -pyflakes= .github/workflows/*.yml
	cd tests/lab
	test -z "$$(gofmt -l first k0s k3s parts)" || { gofmt -l first k0s k3s parts; echo "gofmt these files"; exit 1; }
	# With the flags of the build, so that nothing of Kubernetes is compiled twice; go vet would
	# look at all of Kubernetes for ten minutes.
	echo "testing the stand-ins for k3s and k0s: the first time Go compiles Kubernetes, 6 minutes on two idle cores"
	CGO_ENABLED=0 go test -trimpath -vet=off ./...

# What parses the words of hosts, two targets at a time, with Rust's stable toolchain. What a run finds new is kept
# beside the build, and begins the next run; fuzz/corpus gets what is chosen from it by hand.
fuzz:
	tools="$${XDG_CACHE_HOME:-$$HOME/.cache}/towline-ci/tools"
	export PATH="$$tools/bin:$$PATH"
	if [ "$$("$$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $(CARGO_FUZZ)" ]; then
		echo "building cargo-fuzz $(CARGO_FUZZ), once: it runs for seconds, so without optimisation"
		CARGO_TARGET_DIR="$$tools/target" CARGO_PROFILE_DEV_DEBUG=0 \
			cargo install --quiet --locked --debug --force --version $(CARGO_FUZZ) --root "$$tools" cargo-fuzz
		rm -rf "$$tools/target"
	fi
	target="$${CARGO_TARGET_DIR:-$$PWD/target}/fuzz"
	cargo fuzz build --dev --sanitizer none --target-dir "$$target"
	one() {
		rm -rf "$$2/found/$$1"
		mkdir -p "$$2/found/$$1"
		if ! cargo fuzz run --dev --sanitizer none --target-dir "$$2" "$$1" "$$2/found/$$1" "fuzz/corpus/$$1" -- \
			-max_total_time=$(SECONDS) -seed=$(SEED) -max_len=4096 -timeout=20 >"$$2/$$1.log" 2>&1; then
			grep -av -e '^#' -e NEW_FUNC "$$2/$$1.log" >&2
			exit 1
		fi
		echo "fuzz $$1: $$(grep -a '^Done' "$$2/$$1.log")"
	}
	export -f one
	cargo fuzz list | xargs --max-procs=2 -I{} bash -c 'one {} "$$0"' "$$target"

test:
	echo "All tests: about an hour. The first time it takes half an hour longer: packages by apt, three builds"
	echo "by cargo (for lints, tests and fuzzing), an image for the machines, and Kubernetes compiled by Go."
	# Debian 12 has vagrant-lxc; where it is missing, the last line says what was not tested.
	without=""
	if . /etc/os-release && [ "$$ID$${VERSION_ID-}" = debian12 ] || dpkg-query --show vagrant-lxc >/dev/null 2>&1; then
		tests/lab/prepare $(DATABASES) g++ lxc vagrant vagrant-lxc
	else
		tests/lab/prepare $(DATABASES) g++
		without="--skip containers::"
	fi
	$(MAKE) --no-print-directory check
	trap 'cargo run --quiet --package towline-lab -- sweep >/dev/null' EXIT
	echo "the tests run against $$(cargo run --package towline-lab -- k3s)"
	cargo test --workspace --lib --bins --test architecture --test cli --test lab --test owner
	# The same inputs each time: what chance finds is no fault of the change that is tested.
	$(MAKE) --no-print-directory fuzz SEED=1
	cargo test --workspace --test e2e -- --test-threads=2 $$without
	[ -z "$$without" ] || echo "NOT TESTED: Vagrant's machines (vagrant/test), since this host has no vagrant-lxc"

vagrant-test:
	vagrant/test

release:
	command -v musl-gcc >/dev/null || { echo "musl-gcc is missing, which builds the static binary: sudo apt-get install musl-tools" >&2; exit 1; }
	rustup target add x86_64-unknown-linux-musl
	cargo build --release --locked --package towline --target x86_64-unknown-linux-musl
