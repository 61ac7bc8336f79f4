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

// canBecome reports whether a remediation may move from p to next. Skipping forward is allowed, going back is not.
func (p Phase) canBecome(next Phase) bool {
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
	c.CheckRemediationID(r.RemediationID)
	c.checkIdentifier("name", r.Name, MaxIdentifier)
	c.checkIdentifier("namespace", r.Namespace, MaxIdentifier)
	c.checkOptionalIdentifier("cluster_name", r.ClusterName, MaxIdentifier)
	c.checkOptionalIdentifier("alert_fingerprint", r.AlertFingerprint, MaxIdentifier)
	c.checkIdentifier("action_type", r.ActionType, MaxActionType)
	c.checkOptionalIdentifier("target_resource", r.TargetResource, MaxTarget)
	if r.Environment != nil {
		checkOneOf(c, "environment", *r.Environment, Environments())
	}
	if r.Severity == "" {
		r.Severity = SeverityUnknown
	}
	checkOneOf(c, "severity", r.Severity, Severities())
	checkOneOf(c, "phase", r.Phase, Phases())
	checkOneOf(c, "status", r.Status, Statuses())
	r.StartTime = c.truncateTime("start_time", r.StartTime)
	r.EndTime = c.checkEndTime(r.StartTime, r.EndTime)
	c.checkCount("duration_ms", r.DurationMS, MaxInteger)
	r.deriveDuration(c)
	r.ErrorMessage = c.sanitizeText("error_message", r.ErrorMessage, maxErrorMessage)
	r.WorkflowYAML = c.sanitizeText("workflow_yaml", r.WorkflowYAML, maxWorkflowYAML)
	r.Metadata = c.sanitizeMetadata(tree)
}

func (r *Remediation) deriveDuration(c Checker) {
	if r.EndTime == nil || c.hasError("start_time") || c.hasError("end_time") || c.hasError("duration_ms") {
		return
	}
	derived := durationMilliseconds(r.StartTime, *r.EndTime)
	if r.DurationMS != nil && *r.DurationMS != derived {
		c.addError("duration_ms", CodeOrder, "contradicts start_time and end_time; leave it out when end_time is given")
	}
	r.DurationMS = &derived
}

// durationMilliseconds is end-start in whole milliseconds. It does not use time.Sub, which ends at 292 years.
func durationMilliseconds(start, end time.Time) int64 {
	micros := end.UnixMicro() - start.UnixMicro()
	return micros / 1000
}

func targetKind(target *string) string {
	kind, _, found := strings.Cut(valueOrZero(target), "/")
	if !found {
		return ""
	}
	return kind
}

func valueOrZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (r *Remediation) entryKind() Kind { return KindRemediation }

func (r *Remediation) remediationID() string { return r.RemediationID }

func (r *Remediation) metadataText() Metadata { return r.Metadata }

func (r *Remediation) writeFields(d *document) {
	d.writeString("action_type", r.ActionType)
	d.writeOptional("alert_fingerprint", r.AlertFingerprint)
	d.writeOptional("cluster_name", r.ClusterName)
	d.writeInteger("duration_ms", r.DurationMS)
	d.writeTime("end_time", r.EndTime)
	d.writeOptional("environment", (*string)(r.Environment))
	d.writeOptional("error_message", r.ErrorMessage)
	d.writeMetadata(r.metadataText())
	d.writeString("name", r.Name)
	d.writeString("namespace", r.Namespace)
	d.writeString("phase", string(r.Phase))
	d.writeString("severity", string(r.Severity))
	d.writeTime("start_time", &r.StartTime)
	d.writeString("status", string(r.Status))
	d.writeOptional("target_resource", r.TargetResource)
	d.writeOptional("workflow_yaml", r.WorkflowYAML)
}
