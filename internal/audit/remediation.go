package audit

import (
	"strings"
	"time"
)

// Phase is how far a remediation has come.
type Phase string

// The phases, in the order a remediation may move through them; completed and failed are both ends.
const (
	PhasePending    Phase = "pending"
	PhaseProcessing Phase = "processing"
	PhaseCompleted  Phase = "completed"
	PhaseFailed     Phase = "failed"
)

// Terminal reports whether a remediation in this phase changes no more.
func (p Phase) Terminal() bool { return p == PhaseCompleted || p == PhaseFailed }

// MayBecome reports whether a remediation may move from p to next. Skipping forward is allowed, going back is not.
func (p Phase) MayBecome(next Phase) bool {
	order := map[Phase]int{PhasePending: 0, PhaseProcessing: 1, PhaseCompleted: 2, PhaseFailed: 2}
	return p == next || !p.Terminal() && order[p] < order[next]
}

// Status is what came of a remediation so far.
type Status string

// Severity is the alert's.
type Severity string

// Environment is where the cluster stands.
type Environment string

// SeverityUnknown is the severity of a record that names none.
const SeverityUnknown Severity = "unknown"

// The statuses that say a remediation's outcome.
const (
	StatusSuccess Status = "success"
	StatusFailure Status = "failure"
)

// Phases lists the valid phases.
func Phases() []Phase { return []Phase{PhasePending, PhaseProcessing, PhaseCompleted, PhaseFailed} }

// Statuses lists the valid statuses.
func Statuses() []Status { return []Status{"pending", "running", StatusSuccess, StatusFailure} }

// Severities lists the valid severities.
func Severities() []Severity {
	return []Severity{"critical", "high", "medium", "low", "info", SeverityUnknown}
}

// Environments lists the valid environments.
func Environments() []Environment {
	return []Environment{"production", "staging", "development", "test"}
}

// Remediation is one attempt to fix one alert, as a caller reports it. Pointers are nil where the caller said nothing.
type Remediation struct {
	RemediationID    string
	Name             string
	Namespace        string
	ClusterName      *string
	Environment      *Environment
	Severity         Severity
	AlertFingerprint *string
	ActionType       string
	TargetResource   *string // kind/name
	Phase            Phase
	Status           Status
	StartTime        time.Time
	EndTime          *time.Time
	DurationMS       *int64 // derived when EndTime is given
	ErrorMessage     *string
	WorkflowYAML     *string
	Metadata         Metadata
}

// Stored is a remediation as the service keeps it.
type Stored struct {
	Remediation
	ID          int64
	SignatureID ID
	Actor       string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Check finds every fault of the record, and sanitises and completes it: times to the microsecond, the duration, the severity.
// tree is the metadata object as parsed, nil when absent.
func (r *Remediation) Check(c Checker, tree map[string]any) {
	c.RemediationID(r.RemediationID)
	c.identifier("name", r.Name, MaxIdentifier)
	c.identifier("namespace", r.Namespace, MaxIdentifier)
	c.optionalIdentifier("cluster_name", r.ClusterName, MaxIdentifier)
	c.optionalIdentifier("alert_fingerprint", r.AlertFingerprint, MaxIdentifier)
	c.identifier("action_type", r.ActionType, MaxActionType)
	c.optionalIdentifier("target_resource", r.TargetResource, MaxTarget)
	if r.Environment != nil {
		oneOf(c, "environment", *r.Environment, Environments())
	}
	if r.Severity == "" {
		r.Severity = SeverityUnknown
	}
	oneOf(c, "severity", r.Severity, Severities())
	oneOf(c, "phase", r.Phase, Phases())
	oneOf(c, "status", r.Status, Statuses())
	r.StartTime = c.time("start_time", r.StartTime)
	r.EndTime = c.span(r.StartTime, r.EndTime)
	c.count("duration_ms", r.DurationMS, MaxInteger)
	r.deriveDuration(c)
	r.ErrorMessage = c.text("error_message", r.ErrorMessage, MaxErrorMessage)
	r.WorkflowYAML = c.text("workflow_yaml", r.WorkflowYAML, MaxWorkflowYAML)
	r.Metadata = c.metadata(tree)
}

func (r *Remediation) deriveDuration(c Checker) {
	if r.EndTime == nil || c.faulty("start_time") || c.faulty("end_time") || c.faulty("duration_ms") {
		return
	}
	derived := milliseconds(r.StartTime, *r.EndTime)
	if r.DurationMS != nil && *r.DurationMS != derived {
		c.fault("duration_ms", CodeOrder, "contradicts start_time and end_time; leave it out when end_time is given")
	}
	r.DurationMS = &derived
}

// milliseconds is end-start in whole milliseconds. It does not use time.Sub, which ends at 292 years.
func milliseconds(start, end time.Time) int64 {
	micros := end.UnixMicro() - start.UnixMicro()
	return micros / 1000
}

func targetKind(target *string) string {
	kind, _, found := strings.Cut(value(target), "/")
	if !found {
		return ""
	}
	return kind
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (r *Remediation) kind() Kind { return KindRemediation }

func (r *Remediation) key() string { return r.RemediationID }

func (r *Remediation) metadata() Metadata { return r.Metadata }

func (r *Remediation) document(d *document) {
	d.text("action_type", r.ActionType)
	d.optional("alert_fingerprint", r.AlertFingerprint)
	d.optional("cluster_name", r.ClusterName)
	d.integer("duration_ms", r.DurationMS)
	d.time("end_time", r.EndTime)
	d.optional("environment", (*string)(r.Environment))
	d.optional("error_message", r.ErrorMessage)
	d.metadata(r.metadata())
	d.text("name", r.Name)
	d.text("namespace", r.Namespace)
	d.text("phase", string(r.Phase))
	d.text("severity", string(r.Severity))
	d.time("start_time", &r.StartTime)
	d.text("status", string(r.Status))
	d.optional("target_resource", r.TargetResource)
	d.optional("workflow_yaml", r.WorkflowYAML)
}
