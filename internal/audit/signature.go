package audit

import "github.com/datastorage-service/datastorage/internal/signature"

// Signature names an incident and its remedy: remediations that did the same about the same trouble have the same one, however often it
// returns.
type Signature struct {
	// ID is a version 8 UUID made from Normalizer, IncidentID and Text.
	ID ID
	// IncidentID names the incident alone: it is made as ID is, from name, kind of target and error, so that remediations of the same
	// trouble have the same one whatever was done about it.
	IncidentID ID
	// Text is what is embedded and searched; see signature.Make.
	Text string
	// Normalizer is the version of the rules that made Text.
	Normalizer int
}

// Signature is the signature of the incident that the remediation is about.
func (r *Remediation) Signature() Signature {
	id, incident, text := signature.Make(signature.Parts{
		Name:         r.Name,
		ActionType:   r.ActionType,
		TargetKind:   targetKind(r.TargetResource),
		ErrorMessage: value(r.ErrorMessage),
		WorkflowYAML: value(r.WorkflowYAML),
	})
	return Signature{ID: id, IncidentID: incident, Text: text, Normalizer: signature.Version}
}
