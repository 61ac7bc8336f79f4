// Command cost prints docs/cost.md: what a deployment costs when idle and for a million writes, computed from template.yaml under the
// parameters of samconfig.toml, prices.yaml and quantities.yaml.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

func main() {
	if err := printPage(os.Stdout, "."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printPage prints the page for the template and the stages in a folder.
func printPage(to io.Writer, folder string) error {
	content, templateErr := os.ReadFile(filepath.Join(folder, "template.yaml"))
	stages, err := readStages(filepath.Join(folder, "samconfig.toml"))
	if err := errors.Join(templateErr, err); err != nil {
		return err
	}
	page, err := newPage(content, stages)
	if err != nil {
		return err
	}
	return pageTemplate.Execute(to, page)
}

// readStages returns the parameters of each stage in samconfig.toml.
func readStages(path string) (map[string]map[string]string, error) {
	var file map[string]toml.Primitive
	meta, err := toml.DecodeFile(path, &file)
	if err != nil {
		return nil, fmt.Errorf("read the stages: %w", err)
	}
	stages := map[string]map[string]string{}
	for _, stage := range []string{"dev", "prod"} {
		var commands struct {
			Deploy struct {
				Parameters struct {
					Overrides string `toml:"parameter_overrides"`
				}
			}
		}
		if err := meta.PrimitiveDecode(file[stage], &commands); err != nil {
			return nil, fmt.Errorf("read stage %s of %s: %w", stage, path, err)
		}
		stages[stage] = splitParameters(commands.Deploy.Parameters.Overrides)
	}
	return stages, nil
}

// splitParameters returns the values of parameters such as "A=1 B=2" by name.
func splitParameters(overrides string) map[string]string {
	values := map[string]string{}
	for _, word := range strings.Fields(overrides) {
		name, value, _ := strings.Cut(word, "=")
		values[name] = value
	}
	return values
}
