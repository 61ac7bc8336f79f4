package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
)

// filterFlag is the flag for one filter of the API.
type filterFlag struct {
	// field is the filter's Go name in client.SearchFilters and in the parameters of list and similar.
	field, name, usage string
	// values are the allowed values, if the contract has a closed list. Help shows them instead of usage, and shells complete them.
	values []string
}

// filterFlags lists the filters of the command line. TestFiltersAreThoseOfTheContract compares it with client.SearchFilters.
func filterFlags() []filterFlag {
	return []filterFlag{
		{"ID", "id", "numbers assigned by the service", nil},
		{"RemediationID", "remediation-id", "keys of remediations", nil},
		{"Name", "name", "names of alerts", nil},
		{"Namespace", "namespace", "namespaces", nil},
		{"Phase", "phase", "", stringsOf(client.PhasePending, client.PhaseProcessing, client.PhaseCompleted, client.PhaseFailed)},
		{"Status", "status", "", stringsOf(client.StatusPending, client.StatusRunning, client.StatusSuccess, client.StatusFailure)},
		{"Severity", "severity", "", stringsOf(client.SeverityCritical, client.SeverityHigh, client.SeverityMedium,
			client.SeverityLow, client.SeverityInfo, client.SeverityUnknown)},
		{"Environment", "environment", "", stringsOf(client.EnvironmentProduction, client.EnvironmentStaging,
			client.EnvironmentDevelopment, client.EnvironmentTest)},
		{"ClusterName", "cluster-name", "names of clusters", nil},
		{"ActionType", "action-type", "types of actions", nil},
		{"AlertFingerprint", "alert-fingerprint", "fingerprints of alerts", nil},
		{"TargetResource", "target-resource", "targets, kind/name", nil},
		{"SignatureID", "signature-id", "UUIDs of signatures", nil},
		{"Since", "since", "from this time on: RFC 3339, or a duration before now, such as 24h or 7d", nil},
		{"Until", "until", "before this time, written as --since", nil},
	}
}

// filterValues are the values of a command's filter flags by field; "" means not given.
type filterValues map[string]*string

// addFilterFlags adds a flag for every filter of the API.
func addFilterFlags(command *cobra.Command) filterValues {
	values := filterValues{}
	for _, filter := range filterFlags() {
		usage := filter.usage
		if filter.values != nil {
			usage = strings.Join(filter.values, ", ")
		}
		values[filter.field] = command.Flags().String(filter.name, "", usage)
		if filter.values != nil {
			completeWords(command, filter.name, filter.values)
		}
	}
	return values
}

// copyTo sets the given filters in input, a pointer to a struct that has them as strings or pointers to strings.
func (values filterValues) copyTo(input any) {
	for field, value := range values {
		switch target := reflect.ValueOf(input).Elem().FieldByName(field); {
		case *value == "":
		case target.Kind() == reflect.Pointer:
			target.Set(reflect.ValueOf(value))
		default:
			target.SetString(*value)
		}
	}
}

func stringsOf[T ~string](values ...T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}

// completeWords completes the last of a flag's comma-separated values.
func completeWords(command *cobra.Command, flag string, values []string) {
	complete := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		given := ""
		if comma := strings.LastIndex(typed, ","); comma >= 0 {
			given = typed[:comma+1]
		}
		var offers []string
		for _, value := range values {
			if !slices.Contains(strings.Split(given, ","), value) {
				offers = append(offers, given+value)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	// It fails only if the flag does not exist or has a completion already.
	_ = command.RegisterFlagCompletionFunc(flag, complete)
}
