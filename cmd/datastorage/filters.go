package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
)

// filterFlags lets a command take every filter of the API into params.
func filterFlags(command *cobra.Command, params *client.ListRemediationsParams) {
	flags := command.Flags()
	for _, filter := range []struct {
		to          *string
		name, usage string
		values      []string
	}{
		{&params.ID, "id", "the service's numbers", nil},
		{&params.RemediationID, "remediation-id", "keys of remediations", nil},
		{&params.Name, "name", "names of alerts", nil},
		{&params.Namespace, "namespace", "namespaces", nil},
		{&params.Phase, "phase", "", words(client.PhasePending, client.PhaseProcessing, client.PhaseCompleted, client.PhaseFailed)},
		{&params.Status, "status", "", words(client.StatusPending, client.StatusRunning, client.StatusSuccess, client.StatusFailure)},
		{&params.Severity, "severity", "", words(
			client.SeverityCritical, client.SeverityHigh, client.SeverityMedium, client.SeverityLow, client.SeverityInfo,
			client.SeverityUnknown)},
		{&params.Environment, "environment", "", words(
			client.EnvironmentProduction, client.EnvironmentStaging, client.EnvironmentDevelopment, client.EnvironmentTest)},
		{&params.ClusterName, "cluster-name", "names of clusters", nil},
		{&params.ActionType, "action-type", "types of actions", nil},
		{&params.AlertFingerprint, "alert-fingerprint", "fingerprints of alerts", nil},
		{&params.TargetResource, "target-resource", "targets, kind/name", nil},
		{&params.SignatureID, "signature-id", "UUIDs of signatures", nil},
		{&params.Since, "since", "from this time on: RFC 3339, or back from now as 24h or 7d", nil},
		{&params.Until, "until", "before this time, written as --since", nil},
	} {
		usage := filter.usage
		if filter.values != nil {
			usage = strings.Join(filter.values, ", ")
		}
		flags.StringVar(filter.to, filter.name, "", usage)
		if filter.values != nil {
			completeWords(command, filter.name, filter.values)
		}
	}
}

// searchFilters are the same filters as the body of a search has them.
func searchFilters(p client.ListRemediationsParams) *client.SearchFilters {
	given := func(value string) *string {
		if value == "" {
			return nil
		}
		return &value
	}
	return &client.SearchFilters{
		ID: given(p.ID), RemediationID: given(p.RemediationID), Name: given(p.Name), Namespace: given(p.Namespace),
		Phase: given(p.Phase), Status: given(p.Status), Severity: given(p.Severity), Environment: given(p.Environment),
		ClusterName: given(p.ClusterName), ActionType: given(p.ActionType), AlertFingerprint: given(p.AlertFingerprint),
		TargetResource: given(p.TargetResource), SignatureID: given(p.SignatureID), Since: given(p.Since), Until: given(p.Until),
	}
}

func words[T ~string](values ...T) []string {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = string(value)
	}
	return words
}

// completeWords completes the last of a flag's values, of which commas separate several.
func completeWords(command *cobra.Command, flag string, values []string) {
	complete := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		given := ""
		if at := strings.LastIndex(typed, ","); at >= 0 {
			given = typed[:at+1]
		}
		var offers []string
		for _, value := range values {
			if !slices.Contains(strings.Split(given, ","), value) {
				offers = append(offers, given+value)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	// Its only error is a flag that does not exist or has a completion already.
	_ = command.RegisterFlagCompletionFunc(flag, complete)
}
