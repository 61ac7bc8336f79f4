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
	c.RemediationID(u.RemediationID)
	if u.Phase != nil {
		oneOf(c, "phase", *u.Phase, Phases())
	}
	if u.Status != nil {
		oneOf(c, "status", *u.Status, Statuses())
	}
	if u.EndTime.Value != nil {
		kept := c.time("end_time", *u.EndTime.Value)
		u.EndTime.Value = &kept
	}
	u.ErrorMessage.Value = c.text("error_message", u.ErrorMessage.Value, MaxErrorMessage)
	u.WorkflowYAML.Value = c.text("workflow_yaml", u.WorkflowYAML.Value, MaxWorkflowYAML)
	if tree != nil {
		metadata := c.metadata(tree)
		u.Metadata = &metadata
	}
	if u.empty() && len(*c.Errors) == 0 {
		c.fault("", CodeEmpty, "must name at least one field to change")
	}
}

func (u *Update) empty() bool {
	return u.Phase == nil && u.Status == nil && !u.EndTime.Set && !u.ErrorMessage.Set && !u.WorkflowYAML.Set && u.Metadata == nil
}

// Apply answers what the stored remediation becomes, and whether that differs from what it is; it changes neither argument.
// UpdatedAt and SignatureID are the store's to set. A Conflict means that the stored record forbids the change; a Contradiction,
// that a value contradicts a stored field.
func (u *Update) Apply(stored Stored) (Stored, bool, error) {
	next := stored
	set(&next.Phase, u.Phase)
	set(&next.Status, u.Status)
	set(&next.Metadata, u.Metadata)
	replace(&next.EndTime, u.EndTime)
	replace(&next.ErrorMessage, u.ErrorMessage)
	replace(&next.WorkflowYAML, u.WorkflowYAML)
	if u.EndTime.Set {
		next.DurationMS = nil
	}
	if next.EndTime != nil {
		if next.EndTime.Before(next.StartTime) {
			return stored, false, Contradiction{ValidationErrors{
				{Field: "end_time", Code: CodeOrder, Detail: "must not be before the stored start_time"},
			}}
		}
		derived := milliseconds(next.StartTime, *next.EndTime)
		next.DurationMS = &derived
	}
	switch {
	case unchanged(stored, next):
		return stored, false, nil
	case stored.Phase.Terminal():
		return stored, false, Conflict(fmt.Sprintf("the remediation is %s and changes no more", stored.Phase))
	case !stored.Phase.MayBecome(next.Phase):
		return stored, false, Conflict(fmt.Sprintf("the phase cannot go back from %s to %s", stored.Phase, next.Phase))
	}
	return next, true, nil
}

// SameTexts reports whether an update left alone what a remediation's signature is made of and updates can change. Then its signature stays
// as it is, of whichever normalizer.
func (s *Stored) SameTexts(as *Stored) bool {
	return equal(s.ErrorMessage, as.ErrorMessage) && equal(s.WorkflowYAML, as.WorkflowYAML)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func replace[T any](field **T, value Optional[T]) {
	if value.Set {
		*field = value.Value
	}
}

func unchanged(a, b Stored) bool {
	return a.Phase == b.Phase && a.Status == b.Status && a.Metadata == b.Metadata &&
		equal(a.ErrorMessage, b.ErrorMessage) && equal(a.WorkflowYAML, b.WorkflowYAML) && sameTime(a.EndTime, b.EndTime)
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func sameTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func (u *Update) kind() Kind { return KindUpdate }

func (u *Update) key() string { return u.RemediationID }

func (u *Update) metadata() Metadata { return value(u.Metadata) }

// document holds the fields that were sent; a field that is cleared is null.
func (u *Update) document(d *document) {
	d.time("end_time", u.EndTime.Value)
	if u.EndTime.Set && u.EndTime.Value == nil {
		d.null("end_time")
	}
	d.clearable("error_message", u.ErrorMessage)
	d.metadata(u.metadata())
	d.optional("phase", (*string)(u.Phase))
	d.optional("status", (*string)(u.Status))
	d.clearable("workflow_yaml", u.WorkflowYAML)
}
