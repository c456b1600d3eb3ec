# Bare `make` lists the targets.
GO       ?= go
LAKE     ?= demo/lake
SAMPLES  ?= ../shared/samples
FUZZTIME ?= 5m
TESTFLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test race lint golden fuzz faults soak readers kafka samples distillation truth determinism acceptance ledger shell check clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-11s %s\n", $$1, $$2}'

build: ## build bin/weir
	$(GO) build -o bin/weir ./cmd/weir

demo: build ## the whole loop on testdata: Kafka, lake, curated tables, exports, evals, report
	./bin/weir demo --out demo

test: ## all tests that need neither network nor Docker
	$(GO) test -timeout 30m $(TESTFLAGS) ./...

race: ## the same under the race detector
	$(GO) test -timeout 60m -race ./...

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

golden: ## rewrite golden files; read the diff before committing
	UPDATE=1 $(GO) test ./...
	git diff --stat

fuzz: ## each fuzz target for FUZZTIME (5m), with counts
	./scripts/fuzz.sh $(FUZZTIME)

faults: ## kill, stop and starve the sink 500 times on the embedded broker, and on a real Kafka
	./scripts/faults.sh 500

soak: ## three sinks, upkeep, transforms and readers together for ten minutes
	WEIR_SOAK=10m $(GO) test ./faults -count=1 -v -timeout 30m -run TestSoak

readers: build ## read the demo lake with delta-rs, Polars, pandas and the DuckDB CLI
	./.ci/readers.sh

kafka: ## the same loop against a real Apache Kafka on this machine
	./.ci/kafka.sh

samples: build ## every sample of a supported format through the loop, as a table
	./scripts/samples.sh $(SAMPLES)

distillation: ## what distillation takes out of fleet and samples; goes into docs/distillation.md
	./scripts/distill.sh $(SAMPLES)

acceptance: ## what is known of the samples, expected and found, as a table
	WEIR_SAMPLES=$(abspath $(SAMPLES)) $(GO) test ./transforms -count=1 -v -run TestSamples

ledger: ## three lakes that grow, a dataset version at each step: nothing crosses the split, all are made again
	WEIR_LEDGER=3 $(GO) test ./transforms -count=1 -v -timeout 20m -run TestLedgerOfALake

determinism: ## the same rows whatever threads, order, partitions, files, increments and compaction, as a table of hashes
	WEIR_DETERMINISM=150 $(GO) test ./transforms -count=1 -v -timeout 60m -run 'TestDeterminism$$|TestIncrementalEqualsFull'

truth: ## all transforms on 100,000 examples with planted truth; the tables go into docs/curation.md
	./scripts/truth.sh 100000

shell: ## the DuckDB shell on the demo lake's catalog
	duckdb -readonly $(LAKE)/catalog.duckdb

check: lint race ## lint and race, then fail if the work tree is dirty
	@test -z "$$(git status --porcelain | tee /dev/stderr)"

clean: ## remove what the targets above made
	rm -rf bin demo .venv
