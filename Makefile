# Two commands do all set-up on a fresh machine: `make demo` and `make test`.

export CARGO_TARGET_DIR ?= $(HOME)/.cache/murre-ci
export MURRE_TPCH_DIR ?= $(HOME)/.cache/murre/tpch
BIN := $(CARGO_TARGET_DIR)/debug
SF ?= 0.1
KV_SEEDS ?= 10000

.PHONY: help build lambda demo check lint deny test long features bench-peers bench-flight bench-clients bench-kv bench-workers

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## the murre binary, in the one profile
	# With the store's simulation in it, as `make test` builds it: nothing is built twice.
	cargo build --locked --workspace --bins --features kv-store/sim

lambda: ## the function for AWS Lambda: murre-lambda.zip beside the binaries
	cargo build --locked -p murre-lambda
	mkdir -p $(BIN)/lambda
	strip -o $(BIN)/lambda/bootstrap $(BIN)/murre-lambda
	cd $(BIN)/lambda && python3 -c "from zipfile import *; ZipFile('../murre-lambda.zip', 'w', ZIP_DEFLATED, compresslevel=9).write('bootstrap')"
	ls -l $(BIN)/murre-lambda.zip

demo: build ## TPC-H through Flight SQL: generate, serve, run the 22 queries (SF=0.1)
	$(BIN)/murre demo tpch --sf $(SF)

check: ## format, lints, unit tests
	cargo fmt --all --check
	$(MAKE) lint
	cargo test --locked --workspace --lib

lint: ## clippy over everything, warnings are errors
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## licences, bans and sources of every dependency (installs cargo-deny)
	command -v cargo-deny > /dev/null || cargo install --locked cargo-deny
	cargo deny check bans licenses sources

test: ## every test, real servers and clients included
	integration/net/setup.sh
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace --no-fail-fast
	integration/clients/python/run.sh
	integration/clients/jdbc/run.sh

long: ## what takes long: scale factor 1, 50 workers killed in mid-query, ten minutes of mutated traffic, 100,000 random plans, 100,000 random expressions over many rows each, ten minutes of mutated modules, fragments and columns, 10,000 seeds of the simulated store (KV_SEEDS), and 10,000,000 writes to it
	cargo build --locked --workspace --all-targets
	MURRE_LONG=1 cargo test --locked -p integration -- tpch mutation loss
	MURRE_LONG=1 cargo test --locked -p worker-wasm --test it -- random hostile --skip random_plans --nocapture
	MURRE_PLANS=100000 cargo test --locked -p worker-wasm --test it random_plans -- --nocapture
	benches/kv/seeds.py --upto $(KV_SEEDS)
	KV_WRITES=10000000 cargo test --locked -p kv-store --test it embedded::log_and_engine_stay_small -- --nocapture

features: ## dependencies that one member alone would build again
	.ci/features.sh

bench-peers: build ## TPC-H beside DuckDB and DataFusion, the table everything is judged by
	benches/peers/setup.sh
	benches/peers/run.py --cores 1

bench-flight: build ## DoGet beside a plain TCP copy
	benches/peers/setup.sh
	benches/flight/run.py

bench-clients: build ## point queries through ADBC, and the memory of 200 clients
	"$$(integration/clients/python/environment.sh)" benches/clients/run.py

bench-workers: build ## what workers cost: shuffles beside iperf3, punching, stopping, stages (root, for network namespaces)
	benches/peers/setup.sh
	benches/shuffle/setup.sh
	benches/shuffle/run.py
	benches/shuffle/punch.py
	benches/workers/setup.sh
	benches/workers/run.py
	benches/workers/embedded.py
	benches/workers/function.py

bench-kv: ## the key-value store beside etcd
	cargo build --locked -p kv-store --example kv
	benches/kv/setup.sh
	benches/kv/run.py --keep
	benches/kv/failover.py --keep
	benches/kv/embedded.py --keep
