package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/doctor"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/program"
)

func newDoctor(a *app) *cobra.Command {
	var addr string
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check what the local stack needs, and print how to install what is missing",
		Long: `Check each component that the local stack needs. ok: present; later: make run brings it; missing: run the command shown next to it.
Exits with code 1 if anything is missing.`,
		Example: `  datastorage doctor
  datastorage doctor --json | jq '.checks[] | select(.state != "ok")'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.examineMachine(cmd.Context(), addr) },
	}
	command.Flags().StringVar(&addr, "addr", local.DefaultAddr, "where the local stack would listen")
	return command
}

func (a *app) examineMachine(ctx context.Context, addr string) error {
	folder, err := program.DefaultDir()
	if err != nil {
		return err
	}
	sign, err := a.identify(ctx)
	if err != nil {
		return err
	}
	findings := doctor.Machine{
		Root: filepath.Dir(folder), Local: folder, Addr: addr, URL: a.serviceURL(), Sign: sign, DatabaseURL: a.getenv("DATASTORAGE_DATABASE_URL"),
	}.Examine(ctx)
	if err := a.printFindings(findings); err != nil {
		return err
	}
	var lacking []string
	var fix string
	for _, finding := range findings {
		if finding.State == doctor.Missing {
			lacking = append(lacking, finding.Component)
			fix = finding.Fix
		}
	}
	if lacking != nil {
		return newCommandError(exitFailed, fmt.Sprintf("%d components are missing", len(lacking)), errors.New(strings.Join(lacking, "; ")), fix)
	}
	return nil
}

func (a *app) printFindings(findings []doctor.Finding) error {
	if a.json {
		return a.printJSON(map[string][]doctor.Finding{"checks": findings})
	}
	columns := []console.Column{{Title: "COMPONENT"}, {Title: "STATE"}, {Title: "FOUND"}, {Title: "FIX"}}
	rows := make([][]string, len(findings))
	for i, finding := range findings {
		rows[i] = []string{finding.Component, string(finding.State), finding.Found, finding.Fix}
	}
	return a.out.Table(columns, rows)
}
