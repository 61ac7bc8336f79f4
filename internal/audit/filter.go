package audit

import "time"

// Filter selects remediations that match every field that is set. A list matches if one of its
// values does. The zero value selects all.
type Filter struct {
	IDs               []int64
	RemediationIDs    []string
	Names             []string
	Namespaces        []string
	Phases            []string
	Statuses          []string
	Severities        []string
	Environments      []string
	ClusterNames      []string
	ActionTypes       []string
	AlertFingerprints []string
	TargetResources   []string
	SignatureIDs      []ID
	// Since and Until bound start_time: since <= start_time < until.
	Since *time.Time
	Until *time.Time
}

// parameters lists every parameter by its name in the API, in the order of the documentation; value
// is nil if it is not set.
func (f Filter) parameters() []filterParameter {
	return []filterParameter{
		{"id", valuesOrNil(f.IDs)},
		{"remediation_id", valuesOrNil(f.RemediationIDs)},
		{"name", valuesOrNil(f.Names)},
		{"namespace", valuesOrNil(f.Namespaces)},
		{"phase", valuesOrNil(f.Phases)},
		{"status", valuesOrNil(f.Statuses)},
		{"severity", valuesOrNil(f.Severities)},
		{"environment", valuesOrNil(f.Environments)},
		{"cluster_name", valuesOrNil(f.ClusterNames)},
		{"action_type", valuesOrNil(f.ActionTypes)},
		{"alert_fingerprint", valuesOrNil(f.AlertFingerprints)},
		{"target_resource", valuesOrNil(f.TargetResources)},
		{"signature_id", valuesOrNil(f.SignatureIDs)},
		{"since", timeOrNil(f.Since)},
		{"until", timeOrNil(f.Until)},
	}
}

type filterParameter struct {
	name  string
	value any
}

func valuesOrNil[T any](values []T) any {
	if len(values) == 0 {
		return nil
	}
	return values
}

func timeOrNil(t *time.Time) any {
	if t == nil {
		return nil
	}
	return Microseconds(*t)
}

// All reports whether the filter selects everything.
func (f Filter) All() bool { return len(f.Fields()) == 0 }

// Fields returns the names of the parameters that are set, in the order of the API documentation.
func (f Filter) Fields() []string {
	names := []string{}
	for _, p := range f.parameters() {
		if p.value != nil {
			names = append(names, p.name)
		}
	}
	return names
}

// Values are the parameters that are set, by name: a slice of values, or a time in UTC.
func (f Filter) Values() map[string]any {
	values := map[string]any{}
	for _, p := range f.parameters() {
		if p.value != nil {
			values[p.name] = p.value
		}
	}
	return values
}

// OnlyTime reports whether the filter selects by time alone, or everything.
func (f Filter) OnlyTime() bool {
	f.Since, f.Until = nil, nil
	return f.All()
}
