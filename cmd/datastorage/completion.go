package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that teaches a shell to complete this command",
		Example: `  source <(datastorage completion bash)
  datastorage completion zsh > "${fpath[1]}/_datastorage"
  datastorage completion fish > ~/.config/fish/completions/datastorage.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		RunE:      func(cmd *cobra.Command, args []string) error { return a.printCompletion(cmd.Root(), args[0]) },
	}
}

func (a *app) printCompletion(root *cobra.Command, shell string) error {
	var script bytes.Buffer
	write := map[string]func() error{
		"bash":       func() error { return root.GenBashCompletionV2(&script, true) },
		"zsh":        func() error { return root.GenZshCompletion(&script) },
		"fish":       func() error { return root.GenFishCompletion(&script, true) },
		"powershell": func() error { return root.GenPowerShellCompletionWithDesc(&script) },
	}
	if err := write[shell](); err != nil {
		return fmt.Errorf("write the %s script: %w", shell, err)
	}
	if a.json {
		return a.printJSON(map[string]string{"shell": shell, "script": script.String()})
	}
	if _, err := script.WriteTo(a.out); err != nil {
		return fmt.Errorf("write the %s script: %w", shell, err)
	}
	return nil
}

// printJSON prints a result that does not come from the API.
func (a *app) printJSON(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return a.out.JSON(text)
}
