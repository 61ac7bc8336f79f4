package audit

import (
	"fmt"
	"time"
)

// Optional is a field of an update: left out (Set is false), cleared (Set, Value nil), or given a value.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// Update moves a remediation on. Fields left out stay as they are.
type Update struct {
	RemediationID string
	Phase         *Phase
	Status        *Status
	EndTime       Optional[time.Time]
	ErrorMessage  Optional[string]
	WorkflowYAML  Optional[string]
	Metadata      *Metadata // replaces the whole object
}

// Check finds every fault of the update and sanitises it. tree is the metadata object as parsed, nil when absent.
func (u *Update) Check(c Checker, tree map[string]any) {
	c.CheckRemediationID(u.RemediationID)
	if u.Phase != nil {
		checkOneOf(c, "phase", *u.Phase, Phases())
	}
	if u.Status != nil {
		checkOneOf(c, "status", *u.Status, Statuses())
	}
	if u.EndTime.Value != nil {
		kept := c.truncateTime("end_time", *u.EndTime.Value)
		u.EndTime.Value = &kept
	}
	u.ErrorMessage.Value = c.sanitizeText("error_message", u.ErrorMessage.Value, maxErrorMessage)
	u.WorkflowYAML.Value = c.sanitizeText("workflow_yaml", u.WorkflowYAML.Value, maxWorkflowYAML)
	if tree != nil {
		metadata := c.sanitizeMetadata(tree)
		u.Metadata = &metadata
	}
	if u.isEmpty() && len(*c.Errors) == 0 {
		c.addError("", CodeEmpty, "must name at least one field to change")
	}
}

func (u *Update) isEmpty() bool {
	return u.Phase == nil && u.Status == nil && !u.EndTime.Set && !u.ErrorMessage.Set && !u.WorkflowYAML.Set && u.Metadata == nil
}

// Apply answers what the stored remediation becomes, and whether that differs from what it is; it changes neither argument.
// UpdatedAt and SignatureID are the store's to set. A Conflict means that the stored record forbids the change; a Contradiction,
// that a value contradicts a stored field.
func (u *Update) Apply(stored Stored) (Stored, bool, error) {
	next := stored
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
	case sameState(stored, next):
		return stored, false, nil
	case stored.Phase.Terminal():
		return stored, false, Conflict(fmt.Sprintf("the remediation is %s and changes no more", stored.Phase))
	case !stored.Phase.canBecome(next.Phase):
		return stored, false, Conflict(fmt.Sprintf("the phase cannot go back from %s to %s", stored.Phase, next.Phase))
	}
	return next, true, nil
}

// SameSignatureInput reports whether an update left alone what a remediation's signature is made of and updates can change. Then its signature stays
// as it is, of whichever normalizer.
func (s *Stored) SameSignatureInput(as *Stored) bool {
	return equalPointers(s.ErrorMessage, as.ErrorMessage) && equalPointers(s.WorkflowYAML, as.WorkflowYAML)
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

func sameState(a, b Stored) bool {
	return a.Phase == b.Phase && a.Status == b.Status && a.Metadata == b.Metadata &&
		equalPointers(a.ErrorMessage, b.ErrorMessage) && equalPointers(a.WorkflowYAML, b.WorkflowYAML) && equalTimes(a.EndTime, b.EndTime)
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

// writeFields holds the fields that were sent; a field that is cleared is null.
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
