package audit

import "time"

// Filter selects remediations: every field that is set must match (and), by any of its values (or). The zero value selects all.
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

// All reports whether the filter selects everything.
func (f Filter) All() bool { return len(f.Fields()) == 0 }

// Fields are the names of the parameters that are set, in the order of the documentation.
func (f Filter) Fields() []string {
	fields := []string{}
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"id", len(f.IDs) > 0},
		{"remediation_id", len(f.RemediationIDs) > 0},
		{"name", len(f.Names) > 0},
		{"namespace", len(f.Namespaces) > 0},
		{"phase", len(f.Phases) > 0},
		{"status", len(f.Statuses) > 0},
		{"severity", len(f.Severities) > 0},
		{"environment", len(f.Environments) > 0},
		{"cluster_name", len(f.ClusterNames) > 0},
		{"action_type", len(f.ActionTypes) > 0},
		{"alert_fingerprint", len(f.AlertFingerprints) > 0},
		{"target_resource", len(f.TargetResources) > 0},
		{"signature_id", len(f.SignatureIDs) > 0},
		{"since", f.Since != nil},
		{"until", f.Until != nil},
	} {
		if field.set {
			fields = append(fields, field.name)
		}
	}
	return fields
}

// OnlyTime reports whether the filter selects by time alone, or everything.
func (f Filter) OnlyTime() bool {
	f.Since, f.Until = nil, nil
	return f.All()
}
