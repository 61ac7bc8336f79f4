# Every tool is pinned in tools/go.mod (actionlint, which needs an older YAML library, in tools/actionlint.mod) and built without cgo; everything that is downloaded lies under .local/.
TOOL := CGO_ENABLED=0 go tool -modfile=tools/go.mod
ADDR ?= 127.0.0.1:3000
QUEUE ?=
BENCH ?=
EVAL ?=
# The architecture of the functions in template.yaml.
FUNCTION_ARCH ?= arm64
STAGE ?= dev
FUNCTION ?= write
EVENT ?= events/create.json
# The garbage collector as the functions are deployed with it.
GOGC := $(shell sed -n 's/.* GOGC: "\([0-9]*\)"/\1/p' template.yaml)

.DEFAULT_GOAL := help
.PHONY: help setup generate verify lint check preflight test coverage bench eval build certificates package deploy invoke run clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: ## Download what building and testing need
	go mod download
	cd tools && go mod download && go mod download -modfile=actionlint.mod

# No step compiles generated code: it works while the rest does not compile.
generate: ## Make what is generated from queries/, migrations/ and openapi.yaml
	go test ./migrations -run TestSchema -update
	$(TOOL) sqlc generate
	$(TOOL) oapi-codegen -config client/oapi-codegen.yaml openapi.yaml
	go run ./cmd/contract

verify: generate lint ## Regenerate, lint, and demand that nothing differs
	go mod tidy -diff
	@git diff --exit-code --stat -- . || { echo "generated files differ from what is committed: commit the result of make generate" >&2; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard)" || { git ls-files --others --exclude-standard >&2; echo "files that are neither committed nor ignored" >&2; exit 1; }

lint: ## Run the linters, and scan the templates and CI files that have changed
	go vet ./...
	$(TOOL) golangci-lint run
	CGO_ENABLED=0 go tool -modfile=tools/actionlint.mod actionlint deploy/github/*.yml
	go test -timeout 60m ./internal/scan

check: lint ## Lint, and run the tests of the packages alone
	go test -short -parallel 4 ./internal/postgres $$(go list ./... | grep -v /internal/endtoend)

preflight: ## Check that this machine has what test needs
	@go run ./cmd/preflight

test: preflight ## Run every test on PostgreSQL 16, with the race detector; the store's on 18 and through PgBouncer too
	@.ci/test

coverage: ## Print how much of each package the tests cover
	go test -coverprofile=coverage.out -coverpkg=./... ./...
	go tool cover -func=coverage.out | tail -n 1

bench: ## Print each benchmark's result beside its floor (BENCH="-run write" for one of them)
	@mkdir -p bin && go build -o bin/bench ./cmd/bench && GOGC=$(GOGC) ./bin/bench $(BENCH)

eval: ## Print how well search ranks, on the set or the folder of sets DIR (EVAL="-mode semantic" for one mode)
	@mkdir -p bin && go build -o bin/eval ./cmd/eval && ./bin/eval -dir "$(DIR)" $(EVAL)

build: ## Build the functions for Lambda (arm64) and the command line
	@for f in write query health migrate maintain; do \
		$(MAKE) --no-print-directory build-program PROGRAM=functions/$$f ARTIFACTS_DIR=bin/$$f || exit 1; \
	done
	go build -trimpath -o bin/datastorage ./cmd/datastorage

# sam build runs build-<logical id> for each function of template.yaml, and expects bootstrap in ARTIFACTS_DIR.
build-WriteFunction build-BulkFunction: PROGRAM = functions/write
build-QueryFunction: PROGRAM = functions/query
build-HealthFunction: PROGRAM = functions/health
build-MaintainFunction: PROGRAM = functions/maintain
build-MigrateFunction: PROGRAM = functions/migrate

# The only place that says how a program is built for Lambda: without RPC, symbols, paths of this machine and the version control stamp,
# so the same source gives the same bytes. grpcnotrace: the X-Ray SDK links gRPC, whose debug pages make the linker keep unused methods (1.9 MB zipped).
build-WriteFunction build-BulkFunction build-QueryFunction build-HealthFunction build-MaintainFunction build-MigrateFunction build-program:
	@GOOS=linux GOARCH=$(FUNCTION_ARCH) CGO_ENABLED=0 \
		go build -trimpath -buildvcs=false -tags=lambda.norpc,grpcnotrace -ldflags='-s -w' -o "$(ARTIFACTS_DIR)/bootstrap" ./$(PROGRAM)

certificates: ## Fetch the certificates of RDS that migrate needs, for package
	@test -s functions/migrate/certificates/rds.pem || curl --fail --silent --show-error --proto =https --tlsv1.2 \
		-o functions/migrate/certificates/rds.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
	@grep -q 'BEGIN CERTIFICATE' functions/migrate/certificates/rds.pem || { rm functions/migrate/certificates/rds.pem; echo "that was no certificate" >&2; exit 1; }

package: certificates ## Build what sam deploy uploads, into .aws-sam
	go run ./cmd/sam build --config-env $(STAGE)

deploy: package ## Deploy to STAGE (dev or prod) with the account that the AWS CLI has
	go run ./cmd/sam deploy --config-env $(STAGE)

invoke: ## Run a built function on an event, as Lambda does (FUNCTION=write EVENT=events/create.json)
	@go run ./cmd/invoke -function "$(FUNCTION)" -event "$(EVENT)"

run: ## Serve the API on http://$(ADDR) against a PostgreSQL of its own (QUEUE=1: a queue too)
	@mkdir -p bin && go build -o bin/datastorage ./cmd/datastorage && exec ./bin/datastorage dev --addr $(ADDR) $(if $(QUEUE),--queue)

clean: ## Remove everything that was downloaded, built or stored here
	rm -rf .local bin coverage.out
