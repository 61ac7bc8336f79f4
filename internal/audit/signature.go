package audit

import (
	"sync"

	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// Signature identifies an incident and its remedy: remediations that took the same action on the
// same incident share one signature.
type Signature struct {
	// ID is a version 8 UUID derived from Normalizer, IncidentID and Text.
	ID ID
	// IncidentID identifies the incident without its remedy: remediations with the same name, kind
	// of target and error share it.
	IncidentID ID
	// Text is embedded and searched; see signature.Make.
	Text string
	// Normalizer is the version of the rules that made Text.
	Normalizer int

	terms func() lexical.Document
}

// Signature returns the signature of the remediation.
func (r *Remediation) Signature() Signature {
	id, incident, text := signature.Make(signature.Parts{
		Name:           r.Name,
		ActionType:     r.ActionType,
		TargetResource: valueOrZero(r.TargetResource),
		ErrorMessage:   valueOrZero(r.ErrorMessage),
		WorkflowYAML:   valueOrZero(r.WorkflowYAML),
	})
	terms := sync.OnceValue(func() lexical.Document { return lexical.Analyze(text) })
	return Signature{ID: id, IncidentID: incident, Text: text, Normalizer: signature.Version, terms: terms}
}

// Terms returns the terms of Text. They are computed on the first call, since a stored signature
// does not need them, and cached, since a write may be retried.
func (s Signature) Terms() lexical.Document {
	if s.terms == nil {
		return lexical.Analyze(s.Text)
	}
	return s.terms()
}
