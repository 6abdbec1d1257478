# `make` alone lists what there is. Every target works in a fresh clone with Go 1.26 and nothing else.

# A program that is built here needs no C library; the go command stamps it with its revision (node version).
BUILD = CGO_ENABLED=0 go build -trimpath

ARGS     ?= auction --local --parallelism 2 --fail-after 10s --verify
SEED     ?=
SEEDS    ?= 200
KILLS    ?= 200
PKG      ?= ./...
BENCHARGS ?=
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help build run test test-all check lint race sim chaos bench golden fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/node
	$(BUILD) -o bin/node ./cmd/node

run: build ## the auction job for 20 s: a subtask panics halfway, and the output is compared with a plain loop's
	rm -rf out/auction
	bin/node run $(ARGS)

test: ## unit tests of $(PKG), the short ones
	go test -short $(PKG)

test-all: ## every test, run afresh
	go test -count=1 ./...

check: ## what must be green before a commit: format, vet, house rules, unit tests, SEEDS=200 of the simulator
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "not formatted, run gofmt -w on:"; echo "$$bad"; exit 1; }
	go vet ./...
	go test ./internal/lint
	go test -short ./...
	go test ./sim -run '^TestSeed' -count=1 -seeds=$(SEEDS)

lint: ## house rules and golangci-lint (pinned in tools/go.mod)
	go test -count=1 ./internal/lint
	go tool -modfile=tools/go.mod golangci-lint run ./...

race: ## the short tests of $(PKG) under the race detector
	CGO_ENABLED=1 go test -race -short $(PKG)

sim: ## simulate a cluster: SEED=n for one schedule and its trace, else SEEDS=200 of them
ifdef SEED
	go test ./sim -run '^TestSeed' -count=1 -v -seed=$(SEED)
else
	go test ./sim -run '^TestSeed' -count=1 -seeds=$(SEEDS)
endif

chaos: ## run a job in real actors while KILLS=200 of its parts are killed
	go test ./local -run '^TestChaos' -count=1 -timeout=20m -chaos.kills=$(KILLS)

bench: ## a table of ratios against plain loops, all from one run: BENCHARGS=-quick for a short one
	go run ./bench/cmd $(BENCHARGS)

golden: ## golden jobs and scripts: REWRITE=1 takes the output as expected
ifdef REWRITE
	go test $$(git grep -l --untracked cockroachdb/datadriven -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|') -count=1 -run 'TestScripts|Golden' -rewrite
else
	go test ./... -count=1 -run 'TestScripts|Golden'
endif

fuzz: ## every fuzz test for FUZZTIME=10s
	@set -e; for f in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$f); do \
	    echo "$$t in $$(dirname $$f)"; go test ./$$(dirname $$f) -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME); \
	  done; done
