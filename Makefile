.DEFAULT_GOAL := help

# The whole project is plain Go; only the race detector needs a C compiler.
export CGO_ENABLED ?= 0

# The version of Kubernetes that the binaries report and emulate.
KUBE_VERSION := $(shell sed -n 's/^\tk8s.io\/kubernetes //p' go.mod)
VERSION      ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS      := -s -w \
	-X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) \
	-X k8s.io/client-go/pkg/version.gitVersion=$(KUBE_VERSION)
GOBUILD      := go run ./hack/build -ldflags '$(LDFLAGS)'

# What is released depends on the source and the version of Go alone: not on the
# directory, the machine's settings of Go, or the state of the work tree's git.
RELEASE_ENV  := CGO_ENABLED=0 GOFLAGS= GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
RELEASE      := go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
REVISION     ?= $(shell git rev-parse HEAD 2>/dev/null)
PLATFORMS    ?= linux/$(shell go env GOHOSTARCH)
IMAGE        ?= vicinity-scheduler:$(VERSION)
# The time that the image says it was made at: that of the commit.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

comma := ,
PLATFORM_LIST = $(subst $(comma), ,$(PLATFORMS))

DEMO_WEIGHT ?= 5
DEMO_KEEP   ?=
MESH        ?= istio

DATASET ?=
SEEDS   ?= 5
OUTPUT  ?= csv
ONLY    ?=
PROFILE ?= manifests/profiles/latency.yaml

DECISIONS ?= 10000
EXPLAINED ?= 1000

CASES ?=
NODES ?=
PAIRS ?=

# What links the API server, which the race detector makes too large and slow.
LINKS_APISERVER := /internal/sandbox$$|/internal/sandbox/cluster$$|/cmd/vicinity-sandbox$$|/test/integration$$

# Every directory with Go code of ours.
GO_DIRS := cmd flowgraph hack internal manifests plugins test

GOLANGCI_LINT := bin/tools/golangci-lint
GOVULNCHECK   := bin/tools/govulncheck

.PHONY: help
help: ## Explain every target.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {t[++n] = $$1; d[n] = $$2; if (length($$1) > w) w = length($$1)} END {for (i = 1; i <= n; i++) printf "  %-*s  %s\n", w, t[i], d[i]}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build every binary into bin/.
	@echo "building into bin/; the first time this compiles Kubernetes, which takes about ten minutes on two cores"
	@mkdir -p bin
	$(GOBUILD) -o bin/ ./cmd/...

.PHONY: image
image: $(PLATFORM_LIST:%=bin/release/%/vicinity-scheduler) bin/release/licences.txt ## Pack vicinity-scheduler into bin/vicinity-scheduler.oci.tar (PLATFORMS=linux/amd64,linux/arm64; IMAGE=name:tag).
	go -C hack/release run ./image -o $(CURDIR)/bin/vicinity-scheduler.oci.tar -name '$(IMAGE)' -licences $(CURDIR)/bin/release/licences.txt \
		-version '$(VERSION)' -revision '$(REVISION)' -created '$(SOURCE_DATE_EPOCH)' \
		$(foreach p,$(PLATFORM_LIST),$(p)=$(CURDIR)/bin/release/$(p)/vicinity-scheduler)

# go knows better than make whether a binary is out of date.
bin/release/linux/%/vicinity-scheduler: FORCE
	@echo "building $@; the first time this compiles Kubernetes for $*, which takes minutes"
	GOOS=linux GOARCH=$* $(RELEASE_ENV) $(RELEASE) -o $@ ./cmd/vicinity-scheduler

# What is linked into the image; make licences looks at all programs.
bin/release/licences.txt: FORCE
	@mkdir -p $(@D)
	@go -C hack/release run ./licences -C $(CURDIR) -o $(CURDIR)/$@ ./cmd/vicinity-scheduler >/dev/null

.PHONY: FORCE
FORCE:

# Not part of verify: the second build begins with an empty cache.
.PHONY: reproducible
reproducible: ## Build the image of HEAD in two directories and compare (PLATFORMS; about five minutes on two cores).
	hack/reproducible.sh

.PHONY: demo
demo: build ## Show an application's traffic before and after Vicinity places it (MESH=istio-ambient: another mesh; DEMO_WEIGHT=0: control run; DEMO_KEEP=1: leave the cluster running).
	bin/vicinity-sandbox demo --mesh=$(MESH) --weight=$(DEMO_WEIGHT) $(if $(filter 1 true yes,$(DEMO_KEEP)),--keep)

.PHONY: sandbox
sandbox: build ## Leave a cluster running with the demo's application under kube-scheduler, to try the CLI on (MESH; docs/quickstart.md).
	bin/vicinity-sandbox demo --mesh=$(MESH) --until=A --keep

.PHONY: test
test: ## Run all tests; needs Go, make and git only.
	go -C hack/release test ./...
	go -C test/schedperf test ./measure ./observe
	go test -timeout 30m ./...

# Not part of verify or test: it needs a browser.
.PHONY: browser-test
browser-test: ## Test the HTML pages in headless Chromium, which must be installed (SCREENSHOTS=dir keeps pictures of them).
	go build -o bin/vicinity ./cmd/vicinity
	go -C test/browser vet ./...
	VICINITY=$(CURDIR)/bin/vicinity SCREENSHOTS=$(if $(SCREENSHOTS),$(abspath $(SCREENSHOTS))) go -C test/browser test -v -count=1 ./...

# Not part of build or test: what it makes is committed, so that these need no npm.
# The last lines name files that are not there.
DAGRE := internal/page/dagre
.PHONY: page-assets
page-assets: ## Copy the JavaScript library of the HTML pages from npm, as internal/page/dagre/package-lock.json has it (needs npm).
	npm ci --prefix $(DAGRE) --ignore-scripts --no-audit --no-fund
	grep -v -e '^//# sourceMappingURL=' -e '^/\*! For license information' $(DAGRE)/node_modules/@dagrejs/dagre/dist/dagre.min.js > $(DAGRE)/dagre.min.js
	cp $(DAGRE)/node_modules/@dagrejs/dagre/LICENSE $(DAGRE)/LICENSE
	rm -r $(DAGRE)/node_modules

.PHONY: race
race: ## Run the tests under the race detector, but for those that link the API server (needs a C compiler).
	CGO_ENABLED=1 go test -race -timeout 30m $$(go list ./... | grep -vE '$(LINKS_APISERVER)')

.PHONY: verify
verify: check licences vulncheck lint ## Check format, module files, import rules, vet, licences and known vulnerabilities, and lint.

# What is quick, needs no tools and no network. Of the 2,300 packages that
# test/schedperf is made of, go vet ./... has compiled all but about 70.
.PHONY: check
check: ## Check format, module files, import rules and vet.
	@unformatted="$$(gofmt -l $(GO_DIRS))" && test -z "$$unformatted" || { echo "run gofmt -w on these files:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go -C hack/tools mod tidy -diff
	go -C hack/release mod tidy -diff
	go -C test/schedperf mod tidy -diff
	go test ./test/importrules
	go vet ./...
	go -C hack/release vet ./...
	go -C test/schedperf vet ./...

.PHONY: lint
lint: ## Run the linters of .golangci.yaml (the first time, they are built into bin/tools: about two minutes).
	@test -x $(GOLANGCI_LINT) || echo "building golangci-lint into $(GOLANGCI_LINT) (about two minutes on two cores)"
	go -C hack/tools build -o $(CURDIR)/$(GOLANGCI_LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(GOLANGCI_LINT) run
	cd hack/release && LOG_LEVEL=error $(CURDIR)/$(GOLANGCI_LINT) run # else it warns of exclusions that are for other directories

.PHONY: licences
licences: ## Check that every module linked into a program has a licence that hack/release/licences allows.
	@go -C hack/release run ./licences -C $(CURDIR) ./cmd/...

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what the programs call (GOVULNDB; says so and passes when there is no database).
	go -C hack/tools build -o $(CURDIR)/$(GOVULNCHECK) golang.org/x/vuln/cmd/govulncheck
	hack/vulncheck.sh $(GOVULNCHECK)

.PHONY: bench
bench: ## Run every benchmark.
	go test -run '^$$' -bench . -benchmem ./flowgraph/... ./plugins/... ./internal/kubesim

.PHONY: bench-quality
bench-quality: ## Replay clusters under variants of a profile, one row each (DATASET=M3.json, SEEDS=5, OUTPUT=csv or json, ONLY=mesh:star, BRIEF=1, ROLLOUTS=5, PROFILE=manifests/profiles/cost.yaml).
	go run ./hack/benchquality -profile='$(PROFILE)' -seeds=$(SEEDS) -output=$(OUTPUT) -only='$(ONLY)' $(if $(BRIEF),-brief) $(if $(ROLLOUTS),-rollouts=$(ROLLOUTS)) $(if $(DATASET),-dataset=$(DATASET))

# The peers need another version of Kubernetes, which is why they are a program.
.PHONY: bench-memory
bench-memory: ## What the scheduler holds of three sizes of clusters, up to 100,000 pods; 4 GiB and some minutes.
	go build -o bin/memory ./test/memory
	bin/memory -pods 10000 -nodes 500 -memory-limit 483183821 # nine tenths of 512Mi
	bin/memory -pods 30000 -nodes 1500 -memory-limit 1207959552 # of 1280Mi
	bin/memory -pods 100000 -nodes 5000 -memory-limit 3865470566 # of 4Gi

.PHONY: bench-peers
bench-peers: ## The same beside the NetworkOverhead plugin of scheduler-plugins, built from test/peers (DATASET, SEEDS, OUTPUT, ONLY, PROFILE).
	@mkdir -p bin
	go -C test/peers test ./...
	go -C test/peers build -o $(CURDIR)/bin/peers .
	go run ./hack/benchquality -profile='$(PROFILE)' -seeds=$(SEEDS) -output=$(OUTPUT) -only='$(ONLY)' -peers=$(CURDIR)/bin/peers $(if $(DATASET),-dataset=$(DATASET))

# A module of its own: scheduler_perf needs libraries that nothing else does. As
# building it takes minutes on top of what check and test build, only this target
# does it; make test has its two packages that link no API server. -run . runs the
# tests of what else there is before anything is measured.
.PHONY: bench-scheduler
bench-scheduler: ## Measure the plugin in Kubernetes' scheduler_perf: about 25 minutes on two cores, the first time ten more to compile (CASES=all or filling,full-1000,..., NODES=1000,5000, PAIRS=6).
	@echo "building bin/etcd and bin/schedperf.test; the first time this compiles Kubernetes, which takes about ten minutes on two cores"
	@mkdir -p bin/schedperf
	go -C test/schedperf build -o $(CURDIR)/bin/etcd go.etcd.io/etcd/server/v3
	go -C test/schedperf test -c -o $(CURDIR)/bin/schedperf.test .
	cd bin/schedperf && PATH="$(CURDIR)/bin:$$PATH" KUBE_CACHE_MUTATION_DETECTOR=false ARTIFACTS=$(CURDIR)/bin/schedperf \
		VICINITY_BENCH_CASES='$(CASES)' VICINITY_BENCH_NODES='$(NODES)' VICINITY_BENCH_PAIRS='$(PAIRS)' \
		VICINITY_BENCH_REPORT=$(CURDIR)/bin/schedperf/report.txt \
		../schedperf.test -test.run . -test.bench Scheduler -test.benchtime 1x -test.timeout 12h -data-items-dir=$(CURDIR)/bin/schedperf
	@cat bin/schedperf/report.txt

.PHONY: fidelity
fidelity: ## Compare 10,000 decisions of the running scheduler with what replay says, and all scores of 1,000 with what explain says (DECISIONS=10000, EXPLAINED=1000).
	VICINITY_FIDELITY_DECISIONS=$(DECISIONS) VICINITY_EXPLAIN_DECISIONS=$(EXPLAINED) go test -v -count=1 -timeout 90m -run '^(TestFidelity|TestExplainAgrees)$$' ./test/integration

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin
