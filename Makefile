# make help lists the targets. Go, git and make are all that is needed. What a target
# wants beside them it says in its first second: see hack/need.sh.

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

GO ?= go
BIN := $(CURDIR)/bin
IMG ?= ghcr.io/githubusertoken/github-user-token-operator:dev
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CONTAINER_TOOL ?= docker
PLATFORMS ?= linux/amd64,linux/arm64

CONTROLLER_GEN := $(GO) tool controller-gen
KUSTOMIZE := $(BIN)/kustomize
HELM := $(BIN)/helm
GOLANGCI_LINT := $(BIN)/golangci-lint
GOTESTSUM := $(BIN)/gotestsum
ACTIONLINT := $(BIN)/actionlint
KO := $(BIN)/ko
COSIGN := $(BIN)/cosign
KUBECTL ?= kubectl

# Modules beside the operator's own that hold tests, such as those that try it
# with the libraries of other projects.
TEST_MODULES = $(sort $(dir $(foreach mod,$(shell git ls-files -co --exclude-standard -- '*/go.mod'), \
	$(if $(shell git ls-files -co --exclude-standard -- '$(dir $(mod))*_test.go'),$(mod)))))

# The race detector wants a C compiler and the C library's headers; nothing else does.
CGO := $(shell $(if $(filter command% environment%,$(origin CC)),export CC='$(CC)';) \
	[ "$$($(GO) env CGO_ENABLED 2>/dev/null)" = 1 ] && \
	$$($(GO) env CC) -include stdlib.h -x c -fsyntax-only /dev/null 2>/dev/null && echo yes)
ifeq ($(CGO),)
export CGO_ENABLED := 0
endif

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36m<target>\033[0m\n"} \
		/^[a-zA-Z0-9_-]+:.*##/ {printf "  \033[36m%-17s\033[0m %s\n", $$1, $$2} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)}' $(MAKEFILE_LIST)

##@ Try it

DEMO_ARGS ?=
.PHONY: demo
demo: need-go control-plane ## Start a control plane, a stand-in for GitHub and the operator, and show rotations until Ctrl-C (ONCE=1: until three were seen; DEMO_ARGS="--lifetime 10m").
	$(GO) build -o bin/demo ./hack/demo # "go run" would turn Ctrl-C, which ends it, into an error.
	ONCE=$(ONCE) bin/demo $(DEMO_ARGS)

# Compiled as it compiles Kubernetes, so that both share the standard library.
BRING = CGO_ENABLED=0 $(GO) run -trimpath -gcflags=all=-dwarf=false ./hack/controlplane/cmd/build

.PHONY: control-plane
control-plane: ## Download or build etcd and Kubernetes into the user's cache directory, once.
	$(BRING)

.PHONY: node
node: need-node ## Build kubelet, containerd and runc for make e2e, once (Debian: gcc pkg-config libseccomp-dev).
	$(BRING) kubelet kube-scheduler containerd containerd-shim-runc-v2 ctr runc

##@ Develop

.PHONY: generate
generate: ## Generate deepcopy functions from api/.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: ## Generate the CRDs from api/, the manager's ClusterRole from controllers/, and what the chart shares with config/.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=github-user-token-operator paths=./controllers/... output:rbac:dir=config/rbac
	hack/chart.sh

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code.
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	$(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) actionlint ## Run golangci-lint, and actionlint.
	$(GOLANGCI_LINT) run
	@for mod in $(TEST_MODULES); do echo "golangci-lint in $$mod"; (cd $$mod && $(GOLANGCI_LINT) run); done

# Without the programs that it would use if it found them, so that it says the same everywhere.
.PHONY: actionlint
actionlint: $(ACTIONLINT) ## Check the workflows of GitHub Actions.
	$(ACTIONLINT) -shellcheck= -pyflakes=

.PHONY: lint-fix
lint-fix: $(GOLANGCI_LINT) ## Run golangci-lint and let it repair what it can.
	$(GOLANGCI_LINT) run --fix

.PHONY: tidy
tidy: ## Run go mod tidy in every module.
	@for mod in $$(git ls-files -co --exclude-standard -- go.mod '*/go.mod'); do \
		echo "go mod tidy: $$mod"; $(GO) -C "$$(dirname "$$mod")" mod tidy; done

.PHONY: verify
verify: ## Fail when generated files, formatting or go.mod files are not up to date.
	GO=$(GO) hack/verify.sh

##@ Test

TEST_ARGS ?=
RACE ?= $(if $(CGO),-race)
GO_TEST = $(GOTESTSUM) --format pkgname --format-hide-empty-pkg -- -timeout 20m

TEST_PARALLEL ?= 2
UNIT_MODULES = $(filter-out test/browser/,$(TEST_MODULES))

.PHONY: test
ifdef TEST_PACKAGES
test: need-go say-race control-plane $(GOTESTSUM)
	$(GO_TEST) $(RACE) -p $(TEST_PARALLEL) $(TEST_ARGS) $(TEST_PACKAGES)
else
test: test-unit test-integration ## Run every test that needs no browser and no node (TEST_PACKAGES="./controllers": only those).
endif

# Those of the other modules read files beside their module, of which the test cache knows
# nothing: hence -count=1.
#
# The simulation runs one goroutine at a time by its own scheduler, so the race
# detector would find nothing there and cost ten times as long.
.PHONY: test-unit
test-unit: need-go say-race $(GOTESTSUM) ## Run the tests that need no control plane.
	packages=$$(GO=$(GO) hack/test-packages.sh unit); \
	$(GO_TEST) $(RACE) $(TEST_ARGS) $$packages
	$(GO_TEST) $(TEST_ARGS) ./internal/rotation/simulation
	@for mod in $(UNIT_MODULES); do echo "go test in $$mod"; \
		packages=$$(GO=$(GO) hack/test-packages.sh unit $$mod); \
		(cd $$mod && $(GO_TEST) $(RACE) -count=1 $(TEST_ARGS) $$packages); done

# Two packages at a time: each runs a control plane. The short forms of make chaos, make
# hostile and make bench come after them, one by one: their processes, which are killed,
# starved and counted, want the machine to themselves.
.PHONY: test-integration
test-integration: need-go say-race control-plane $(GOTESTSUM) ## Run the tests on a real control plane.
	packages=$$(GO=$(GO) hack/test-packages.sh integration); \
	$(GO_TEST) $(RACE) -p $(TEST_PARALLEL) $(TEST_ARGS) $$packages
	$(GO_TEST) -p 1 $(TEST_ARGS) ./test/chaos ./test/hostile ./test/bench
	@for mod in $(UNIT_MODULES); do \
		packages=$$(GO=$(GO) hack/test-packages.sh integration $$mod); [ -n "$$packages" ] || continue; \
		echo "go test in $$mod"; (cd $$mod && $(GO_TEST) -p 1 -count=1 $(TEST_ARGS) $$packages); done

# The accessibility checks, pinned by the lock file beside the tests.
AXE := $(BIN)/axe/node_modules/axe-core/axe.min.js
$(AXE): test/browser/package.json test/browser/package-lock.json
	mkdir -p $(BIN)/axe && cp $^ $(BIN)/axe
	cd $(BIN)/axe && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: test-browser
test-browser: need-browser say-race control-plane $(GOTESTSUM) $(AXE) ## Go through the device flow and the login page with a real browser (Debian: chromium, npm; PICTURES=DIR keeps pictures of the pages).
	cd test/browser && PICTURES=$(PICTURES) $(GO_TEST) $(RACE) $(TEST_ARGS) ./...

# The rules with promtool, and then all of it live: Prometheus scrapes an operator to
# which things happen.
OBSERVE_ARGS ?=
.PHONY: test-observe
test-observe: need-prometheus control-plane ## Try the alerts and the dashboard with a real Prometheus (Debian: prometheus).
	$(GO) test ./test/observe -tags observe -count=1 -timeout 20m -v $(OBSERVE_ARGS)

# What is lacking is said before anything is built.
NEEDS = need-go need-browser need-prometheus need-node need-e2e
.PHONY: $(NEEDS)
$(NEEDS): need-%:
	@GO=$(GO) hack/need.sh $*
.PHONY: say-race
say-race:
ifeq ($(RACE),)
	@echo "The tests run without the race detector.$(if $(CGO),, It wants a C compiler (Debian: apt-get install gcc libc6-dev).)"
endif

ROTATIONS ?= 1000000
.PHONY: simulate
simulate: ## Simulate a million rotations with faults and crashes (ROTATIONS=n).
	$(GO) test ./internal/rotation/simulation -run TestSimulation -count=1 -timeout 2h -v -args -rotations=$(ROTATIONS)

CHAOS_ARGS ?=
.PHONY: chaos
chaos: need-go control-plane ## Kill, stop and starve real processes on a real control plane.
	$(GO) test ./test/chaos -tags chaos -count=1 -timeout 2h -v $(CHAOS_ARGS)

# What is measured is of an operator that lives on; HOSTILE_ARGS="-figures=false -kills 20" kills it.
HOSTILE_ARGS ?=
HOSTILE_LONG = -resources=10000 -duration=10m -rate=100 -victims=20 -apps=5 -lifetime=60s -places=256 -kills=0 -admission=2m -admission-kills=4 -harms=all -figures
.PHONY: hostile
hostile: need-go control-plane ## Let a tenant with 10,000 resources, and then a webhook, do their worst for ten minutes (HOSTILE_ARGS="-resources 2000 -duration 2m", "-breaks").
	$(GO) test ./test/hostile -count=1 -timeout 3h -v -args $(HOSTILE_LONG) $(HOSTILE_ARGS)

BENCH_ARGS ?=
BENCH_LONG = -parts=renewal,issue,steady,rest,upgrade,deletion,recovery -rounds=3 -burst=1000 -rates=5,20,50 -sizes=1000,10000,100000 -upgrade=10000 -deletion=1000 -recovery=10000 -recovery-rate=100 -figures
.PHONY: bench
bench: need-go control-plane ## Measure the operator against the API server that it writes to, beside a plain client (BENCH_ARGS="-parts renewal,issue -burst 300", "-benchstat FILE").
	$(GO) test ./test/bench -count=1 -timeout 3h -v -args $(BENCH_LONG) $(BENCH_ARGS)

SOAK_ARGS ?=
.PHONY: soak
soak: need-go control-plane ## Let 200 resources rotate for ten minutes and hold the operator to its promises (SOAK_ARGS="--resources 50 --duration 1m").
	$(GO) run ./test/soak $(SOAK_ARGS)

FUZZTIME ?= 10m
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME.
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "fuzz: $$pkg $$target for $(FUZZTIME)"; \
			$(GO) test "$$pkg" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
		done; \
	done

.PHONY: e2e
e2e: need-e2e need-node control-plane node ## Run the end-to-end tests on a real node (Debian, as root).
	$(GO) test ./test/e2e -tags e2e -count=1 -timeout 1h -v

##@ Build and deploy

.PHONY: build
build: ## Build the manager, static, as bin/manager.
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/manager .

.PHONY: kubectl-ghut
kubectl-ghut: ## Build the kubectl plugin, static, as bin/kubectl-ghut, and the script by which kubectl completes it beside it.
	CGO_ENABLED=0 $(GO) build -C cmd/kubectl-ghut -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/kubectl-ghut .
	cp hack/kubectl_complete-ghut bin/

.PHONY: ghut-token
ghut-token: ## Build the client of the token server, static, as bin/ghut-token.
	CGO_ENABLED=0 $(GO) build -C client -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/ghut-token ./cmd/ghut-token

.PHONY: run
run: ## Run the manager against the cluster of the current kubeconfig (ARGS: its flags).
	$(GO) run . $(if $(ARGS),$(ARGS),--outbox-dir=/dev/shm/github-user-token-outbox)

.PHONY: docker-build
docker-build: ## Build the image IMG for this machine's platform.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

.PHONY: docker-buildx
docker-buildx: ## Build and push the image IMG for PLATFORMS.
	$(CONTAINER_TOOL) buildx build --build-arg VERSION=$(VERSION) --platform $(PLATFORMS) --push -t $(IMG) .

.PHONY: install
install: ## Install the CRDs into the cluster of the current kubeconfig.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CRDs, and with them every resource; the operator must be running to end them.
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: build-installer ## Install the CRDs and the operator with image IMG.
	$(KUBECTL) apply --server-side -f dist/install.yaml

.PHONY: undeploy
undeploy: ## Remove every GitHubUserToken, GitHubApp and ClusterGitHubApp, the CRDs and the operator.
	# First the resources: their finalizers want the operator that is about to go.
	for kind in githubusertokens githubapps clustergithubapps; do \
		! $(KUBECTL) get crd $$kind.githubusertoken.dev >/dev/null 2>&1 || \
			$(KUBECTL) delete $$kind.githubusertoken.dev --all --all-namespaces; done
	$(KUBECTL) delete --ignore-not-found -k config/default

.PHONY: chart
chart: $(HELM) ## Write dist/github-user-token-operator-VERSION.tgz: the chart (CHART_VERSION=…).
	mkdir -p dist
	hack/chart.sh
	$(HELM) package charts/github-user-token-operator --destination dist $(if $(CHART_VERSION),--version $(CHART_VERSION) --app-version $(or $(APP_VERSION),v$(CHART_VERSION)))

.PHONY: build-installer
build-installer: $(KUSTOMIZE) ## Write dist/install.yaml: everything, with image IMG.
	mkdir -p dist
	IMG=$(IMG) KUSTOMIZE=$(KUSTOMIZE) hack/build-installer.sh > dist/install.yaml.tmp
	mv dist/install.yaml.tmp dist/install.yaml

##@ Release

# What the workflow of a release runs, and docs/releases.md explains. On a machine of your own say
# where to push: IMAGE_REPO, CLIENT_IMAGE_REPO, CHART_REPO, VERSION.
IMAGE_REPO ?= ghcr.io/githubusertoken/github-user-token-operator
CLIENT_IMAGE_REPO ?= ghcr.io/githubusertoken/ghut-token
CHART_REPO ?= oci://ghcr.io/githubusertoken/charts
BASE_IMAGE ?=
PUSH ?= true
PLUGIN_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
CLIENT_PLATFORMS ?= $(PLUGIN_PLATFORMS)
SIGN_ARGS ?=
HELM_PUSH_ARGS ?=
# By the environment: the name of a tag may hold what a shell would run.
release-%: export VERSION := $(VERSION)
release-%: export IMAGE_REPO := $(IMAGE_REPO)
release-%: export CLIENT_IMAGE_REPO := $(CLIENT_IMAGE_REPO)
release-%: export CHART_REPO := $(CHART_REPO)
release-%: export PUSH := $(PUSH)

.PHONY: release-tools
release-tools: $(KO) $(HELM) $(KUSTOMIZE) $(COSIGN) ## Build ko, helm, kustomize and cosign into bin/.

.PHONY: release-check
release-check: ## Check that the tag VERSION can be released.
	@hack/release-check.sh

# distroless signs its images by this identity: https://github.com/GoogleContainerTools/distroless
.PHONY: release-base
release-base: $(COSIGN) ## Verify the signature of the image on which that of a release is built.
	$(COSIGN) verify "$$(sed -n 's/^defaultBaseImage: //p' .ko.yaml)" --output text \
		--certificate-oidc-issuer https://accounts.google.com \
		--certificate-identity keyless@distroless.iam.gserviceaccount.com

.PHONY: release-login
release-login: $(COSIGN) $(HELM) ## Log in to the registry of IMAGE_REPO, as REGISTRY_USER with REGISTRY_TOKEN of the environment.
	@$(COSIGN) login $(firstword $(subst /, ,$(IMAGE_REPO))) --username "$$REGISTRY_USER" --password-stdin <<<"$$REGISTRY_TOKEN"
	@$(HELM) registry login $(firstword $(subst /, ,$(IMAGE_REPO))) --username "$$REGISTRY_USER" --password-stdin <<<"$$REGISTRY_TOKEN"

.PHONY: release-image
release-image: $(KO) ## Build the images by ko for all platforms, and push them (PUSH=false: only build; BASE_IMAGE=…).
	KO=$(KO) BASE_IMAGE=$(BASE_IMAGE) hack/release-image.sh

.PHONY: release-chart
release-chart: $(HELM) ## Package the chart with what Artifact Hub wants to know, and push it (PUSH=false: only package).
	HELM=$(HELM) HELM_PUSH_ARGS="$(HELM_PUSH_ARGS)" hack/release-chart.sh

.PHONY: release-plugin
release-plugin: ## Build the kubectl plugin for PLUGIN_PLATFORMS, with its manifest for krew.
	GO=$(GO) PLUGIN_PLATFORMS="$(PLUGIN_PLATFORMS)" hack/release-plugin.sh

.PHONY: release-client
release-client: ## Build ghut-token for CLIENT_PLATFORMS.
	GO=$(GO) CLIENT_PLATFORMS="$(CLIENT_PLATFORMS)" hack/release-client.sh

.PHONY: release-files
release-files: $(KUSTOMIZE) ## Write dist/release: manifests, chart, plugin, ghut-token, SBOMs and checksums.
	KUSTOMIZE=$(KUSTOMIZE) hack/release-files.sh

.PHONY: release-sign
release-sign: $(COSIGN) ## Sign images, chart and checksums with cosign, and attest the SBOMs (SIGN_ARGS="--key …").
	COSIGN=$(COSIGN) SIGN_ARGS="$(SIGN_ARGS)" hack/release-sign.sh

.PHONY: release-notes
release-notes: ## Print what CHANGELOG.md says of VERSION.
	@hack/release-notes.sh "$$VERSION"

# Tools, each pinned by a module of its own under hack/tools.
$(KUSTOMIZE): hack/tools/kustomize/go.mod hack/tools/kustomize/go.sum
	$(call build-tool,kustomize,sigs.k8s.io/kustomize/kustomize/v5)
$(HELM): hack/tools/helm/go.mod hack/tools/helm/go.sum
	$(call build-tool,helm,helm.sh/helm/v4/cmd/helm)
$(GOLANGCI_LINT): $(addprefix hack/tools/golangci-lint/,main.go go.mod go.sum)
	$(call build-tool,golangci-lint,.)
$(GOTESTSUM): hack/tools/gotestsum/go.mod hack/tools/gotestsum/go.sum
	$(call build-tool,gotestsum,gotest.tools/gotestsum)
$(ACTIONLINT): hack/tools/actionlint/go.mod hack/tools/actionlint/go.sum
	$(call build-tool,actionlint,github.com/rhysd/actionlint/cmd/actionlint)
$(KO): hack/tools/ko/go.mod hack/tools/ko/go.sum
	$(call build-tool,ko,github.com/google/ko)
$(COSIGN): hack/tools/cosign/go.mod hack/tools/cosign/go.sum
	$(call build-tool,cosign,github.com/sigstore/cosign/v3/cmd/cosign)

define build-tool
@echo "Building $(1), pinned in hack/tools/$(1)" >&2
CGO_ENABLED=0 $(GO) build -C hack/tools/$(1) -trimpath -o $(BIN)/$(1) $(2)
endef
