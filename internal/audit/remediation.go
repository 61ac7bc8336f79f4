package audit

import "time"

// Phase is the progress of a remediation.
type Phase string

// The phases, in the order in which a remediation passes through them. It ends as either completed
// or failed.
const (
	PhasePending    Phase = "pending"
	PhaseProcessing Phase = "processing"
	PhaseCompleted  Phase = "completed"
	PhaseFailed     Phase = "failed"
)

// Terminal reports whether a remediation in this phase can no longer change.
func (p Phase) Terminal() bool { return p == PhaseCompleted || p == PhaseFailed }

// canAdvanceTo reports whether a remediation may move from p to next. It may skip phases, but not go
// back.
func (p Phase) canAdvanceTo(next Phase) bool {
	order := map[Phase]int{PhasePending: 0, PhaseProcessing: 1, PhaseCompleted: 2, PhaseFailed: 2}
	return p == next || !p.Terminal() && order[p] < order[next]
}

// Status is the outcome so far: pending, running, success or failure.
type Status string

// Severity is the severity of the alert.
type Severity string

// Environment is the use of the cluster, such as production or test.
type Environment string

// SeverityUnknown is the severity of a record that was sent without one.
const SeverityUnknown Severity = "unknown"

// The statuses of ended remediations.
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

// Remediation is one attempt to fix one alert, as reported by a caller. A nil pointer is a field
// that was not sent.
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
	DurationMS       *int64 // computed if EndTime is set
	ErrorMessage     *string
	WorkflowYAML     *string
	Metadata         Metadata
}

// Stored is a remediation read from the store.
type Stored struct {
	Remediation
	ID          int64
	SignatureID ID
	Actor       string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Check validates and sanitizes the record, truncates its times, and sets the duration and a
// default severity. metadata is the parsed metadata object, nil if absent.
func (r *Remediation) Check(c Checker, metadata map[string]any) {
	c.CheckRemediationID("remediation_id", r.RemediationID)
	c.CheckName("name", r.Name, MaxIdentifier)
	c.CheckIdentifier("namespace", r.Namespace, MaxIdentifier)
	c.checkOptionalIdentifier("cluster_name", r.ClusterName, MaxIdentifier)
	c.checkOptionalIdentifier("alert_fingerprint", r.AlertFingerprint, MaxIdentifier)
	c.CheckIdentifier("action_type", r.ActionType, MaxActionType)
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
	r.StartTime = c.checkTime("start_time", r.StartTime)
	r.EndTime = c.checkEndTime(r.StartTime, r.EndTime)
	c.checkCount("duration_ms", r.DurationMS, MaxInteger)
	r.deriveDuration(c)
	r.ErrorMessage = c.sanitizeText("error_message", r.ErrorMessage, maxErrorMessage)
	r.WorkflowYAML = c.sanitizeText("workflow_yaml", r.WorkflowYAML, maxWorkflowYAML)
	r.Metadata = c.sanitizeMetadata(metadata)
}

func (r *Remediation) deriveDuration(c Checker) {
	if r.EndTime == nil || c.hasError("start_time") || c.hasError("end_time") || c.hasError("duration_ms") {
		return
	}
	derived := durationMilliseconds(r.StartTime, *r.EndTime)
	if r.DurationMS != nil && *r.DurationMS != derived {
		c.addError("duration_ms", CodeOrder, "contradicts start_time and end_time; omit it when end_time is given")
	}
	r.DurationMS = &derived
}

// durationMilliseconds returns end-start in whole milliseconds. time.Sub would saturate at 292
// years.
func durationMilliseconds(start, end time.Time) int64 {
	micros := end.UnixMicro() - start.UnixMicro()
	return micros / 1000
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
