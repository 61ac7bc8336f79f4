package localstack

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/datastorage-service/datastorage/internal/program"
)

// requirements are the packages of LocalStack, with their hashes.
//
//go:embed requirements.txt
var requirements []byte

// The minor versions of Python that LocalStack runs on after applyBackports; pyproject.toml has the
// reasons.
const oldestPython, newestPython = 11, 13

// FindPython returns an interpreter that LocalStack runs on. If there is none, the error is a
// *program.Problem.
func FindPython(ctx context.Context) (program.Python, error) {
	python, err := program.FindPython(ctx, "LocalStack", oldestPython, newestPython)
	var problem *program.Problem
	if errors.As(err, &problem) {
		problem.Next += "; with Docker: docker compose up -d --wait localstack, and DATASTORAGE_LOCALSTACK_URL=http://127.0.0.1:4566"
	}
	return python, err
}

// installPackages returns an interpreter and the folder of LocalStack's packages, after downloading
// them if they are missing. Three packages have no wheel; setuptools, which builds them, is one of
// the requirements, so every download has a hash.
func installPackages(ctx context.Context, config Config) (python, folder string, err error) {
	python, folders, err := program.Installer{Dir: config.Dir, Progress: config.Progress}.InstallPackages(ctx, FindPython, program.Packages{
		Name: "localstack", Version: version, Holds: "LocalStack " + version, Megabytes: 106,
		Requirements: requirements, BuildRequirements: findRequirement("setuptools"), Patch: applyBackports,
	})
	if err != nil {
		return "", "", err
	}
	return python, folders[0], nil
}

// findRequirement returns one package of the requirements with its hashes.
func findRequirement(name string) []byte {
	_, rest, _ := bytes.Cut(requirements, []byte("\n"+name+"=="))
	var lines [][]byte
	for line := range bytes.Lines(append([]byte(name+"=="), rest...)) {
		lines = append(lines, line)
		if !bytes.HasSuffix(bytes.TrimSpace(line), []byte(`\`)) {
			break
		}
	}
	return bytes.Join(lines, nil)
}

// backports has, by file, pairs of a line of LocalStack 4.14.0 that Python 3.11 rejects and its
// equivalent there: type parameters are new in 3.12 (PEP 695), warnings.deprecated in 3.13 (PEP
// 702). Only the files of services used here are listed.
var backports = map[string][]string{
	"utils/tagging.py": {"from warnings import deprecated", "from typing_extensions import deprecated"},
	"state/pickle.py":  {"class ObjectStateReducer[T]:", "class ObjectStateReducer:"},
	"services/stores.py": {
		"class RegionBundle[BaseStoreType](dict):", "class RegionBundle(dict):",
		"class AccountRegionBundle[BaseStoreType](dict):", "class AccountRegionBundle(dict):",
	},
	"services/kms/utils.py": {"def execute_dry_run_capable[T](", "def execute_dry_run_capable("},
	"services/sqs/queue.py": {
		"class InterruptibleQueue[T](Queue):", "class InterruptibleQueue(Queue):",
		"class InterruptiblePriorityQueue[T](PriorityQueue[T], InterruptibleQueue[T]):",
		"class InterruptiblePriorityQueue(PriorityQueue, InterruptibleQueue):",
	},
}

// applyBackports changes the files of backports below an installed folder. The future import keeps
// Python from evaluating annotations, in which type parameters remain.
func applyBackports(folder string) error {
	for name, lines := range backports {
		path := filepath.Join(folder, "localstack", filepath.FromSlash(name))
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := 0; i < len(lines); i += 2 {
			if !bytes.Contains(source, []byte(lines[i])) {
				return fmt.Errorf("%s has no line %q", name, lines[i])
			}
		}
		source311 := "from __future__ import annotations\n" + strings.NewReplacer(lines...).Replace(string(source))
		if err := os.WriteFile(path, []byte(source311), 0o600); err != nil {
			return err
		}
	}
	return nil
}
