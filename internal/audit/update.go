package audit

import (
	"fmt"
	"time"
)

// Optional is a field of an update: absent (Set is false), cleared (Set is true, Value nil), or set
// to a value.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// Update changes a remediation. Absent fields keep their value.
type Update struct {
	RemediationID string
	Phase         *Phase
	Status        *Status
	EndTime       Optional[time.Time]
	ErrorMessage  Optional[string]
	WorkflowYAML  Optional[string]
	Metadata      *Metadata // replaces the whole object
}

// Check validates and sanitizes the update. metadata is the parsed metadata object, nil if absent.
func (u *Update) Check(c Checker, metadata map[string]any) {
	c.CheckRemediationID("remediation_id", u.RemediationID)
	if u.Phase != nil {
		checkOneOf(c, "phase", *u.Phase, Phases())
	}
	if u.Status != nil {
		checkOneOf(c, "status", *u.Status, Statuses())
	}
	if u.EndTime.Value != nil {
		kept := c.checkTime("end_time", *u.EndTime.Value)
		u.EndTime.Value = &kept
	}
	u.ErrorMessage.Value = c.sanitizeText("error_message", u.ErrorMessage.Value, maxErrorMessage)
	u.WorkflowYAML.Value = c.sanitizeText("workflow_yaml", u.WorkflowYAML.Value, maxWorkflowYAML)
	if metadata != nil {
		text := c.sanitizeMetadata(metadata)
		u.Metadata = &text
	}
	if u.isEmpty() && len(*c.Errors) == 0 {
		c.addError("", CodeEmpty, "must change at least one field")
	}
}

func (u *Update) isEmpty() bool {
	return u.Phase == nil && u.Status == nil && !u.EndTime.Set && !u.ErrorMessage.Set && !u.WorkflowYAML.Set &&
		u.Metadata == nil
}

// Apply returns the remediation after the update, and whether it differs from stored. The store
// sets UpdatedAt and SignatureID. The error is a Conflict if the stored phase forbids the change, a
// Contradiction if a value contradicts a stored field.
func (u *Update) Apply(stored Stored) (next Stored, changed bool, err error) {
	next = stored
	setIfPresent(&next.Phase, u.Phase)
	setIfPresent(&next.Status, u.Status)
	setIfPresent(&next.Metadata, u.Metadata)
	setOptional(&next.EndTime, u.EndTime)
	setOptional(&next.ErrorMessage, u.ErrorMessage)
	setOptional(&next.WorkflowYAML, u.WorkflowYAML)
	if u.EndTime.Set {
		next.DurationMS = nil
	}
	if next.EndTime != nil {
		if next.EndTime.Before(next.StartTime) {
			return stored, false, Contradiction{ValidationErrors{
				{Field: "end_time", Code: CodeOrder, Detail: "must not be before the stored start_time"},
			}}
		}
		derived := durationMilliseconds(next.StartTime, *next.EndTime)
		next.DurationMS = &derived
	}
	switch {
	case equalUpdatableState(stored, next):
		return stored, false, nil
	case stored.Phase.Terminal():
		return stored, false, Conflict(fmt.Sprintf("the remediation is %s and can no longer change", stored.Phase))
	case !stored.Phase.canAdvanceTo(next.Phase):
		return stored, false, Conflict(fmt.Sprintf("the phase cannot go back from %s to %s", stored.Phase, next.Phase))
	}
	return next, true, nil
}

// SameSignatureInput reports whether two states of a remediation agree in every field that is an
// input of the signature and that an update can change. If so, the update keeps the signature, even
// one of an older normalizer.
func (s *Stored) SameSignatureInput(other *Stored) bool {
	return equalPointers(s.ErrorMessage, other.ErrorMessage) && equalPointers(s.WorkflowYAML, other.WorkflowYAML)
}

func setIfPresent[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func setOptional[T any](field **T, value Optional[T]) {
	if value.Set {
		*field = value.Value
	}
}

func equalUpdatableState(a, b Stored) bool {
	return a.Phase == b.Phase && a.Status == b.Status && a.Metadata == b.Metadata &&
		equalPointers(a.ErrorMessage, b.ErrorMessage) && equalPointers(a.WorkflowYAML, b.WorkflowYAML) &&
		equalTimes(a.EndTime, b.EndTime)
}

func equalPointers[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func equalTimes(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func (u *Update) entryKind() Kind { return KindUpdate }

func (u *Update) remediationID() string { return u.RemediationID }

func (u *Update) metadataText() Metadata { return valueOrZero(u.Metadata) }

// writeFields writes a cleared field as null.
func (u *Update) writeFields(d *document) {
	d.writeTime("end_time", u.EndTime.Value)
	if u.EndTime.Set && u.EndTime.Value == nil {
		d.writeNull("end_time")
	}
	d.writeClearable("error_message", u.ErrorMessage)
	d.writeMetadata(u.metadataText())
	d.writeOptional("phase", (*string)(u.Phase))
	d.writeOptional("status", (*string)(u.Status))
	d.writeClearable("workflow_yaml", u.WorkflowYAML)
}
