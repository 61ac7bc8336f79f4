package audit

import "time"

// AIAnalysis is a model's analysis of the alert of a remediation.
type AIAnalysis struct {
	RemediationID      string
	AnalysisID         string
	Provider           string
	Model              string
	ConfidenceScore    *float64 // 0 to 1
	TokensUsed         *int64
	AnalysisDurationMS *int64
	Metadata           Metadata
}

// StoredAIAnalysis is an AI analysis read from the store.
type StoredAIAnalysis struct {
	AIAnalysis
	Actor     string
	CreatedAt time.Time
}

// Check validates and sanitizes the record. metadata is the parsed metadata object, nil if absent.
func (a *AIAnalysis) Check(c Checker, metadata map[string]any) {
	c.CheckRemediationID("remediation_id", a.RemediationID)
	c.CheckIdentifier("analysis_id", a.AnalysisID, MaxIdentifier)
	c.CheckIdentifier("provider", a.Provider, MaxIdentifier)
	c.CheckIdentifier("model", a.Model, MaxIdentifier)
	c.checkFraction("confidence_score", a.ConfidenceScore)
	c.checkCount("tokens_used", a.TokensUsed, MaxInteger)
	c.checkCount("analysis_duration_ms", a.AnalysisDurationMS, MaxInteger)
	a.Metadata = c.sanitizeMetadata(metadata)
}

func (a *AIAnalysis) entryKind() Kind { return KindAIAnalysis }

func (a *AIAnalysis) remediationID() string { return a.RemediationID }

func (a *AIAnalysis) metadataText() Metadata { return a.Metadata }

func (a *AIAnalysis) writeFields(d *document) {
	d.writeInteger("analysis_duration_ms", a.AnalysisDurationMS)
	d.writeString("analysis_id", a.AnalysisID)
	d.writeNumber("confidence_score", a.ConfidenceScore)
	d.writeMetadata(a.metadataText())
	d.writeString("model", a.Model)
	d.writeString("provider", a.Provider)
	d.writeInteger("tokens_used", a.TokensUsed)
}
