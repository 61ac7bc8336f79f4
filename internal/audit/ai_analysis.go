package audit

import "time"

// AIAnalysis is what a model made of a remediation's alert.
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

// StoredAIAnalysis is an AI analysis as the service keeps it.
type StoredAIAnalysis struct {
	AIAnalysis
	Actor     string
	CreatedAt time.Time
}

// Check finds every fault of the record and sanitises it. tree is the metadata object as parsed, nil when absent.
func (a *AIAnalysis) Check(c Checker, tree map[string]any) {
	c.CheckRemediationID(a.RemediationID)
	c.checkIdentifier("analysis_id", a.AnalysisID, MaxIdentifier)
	c.checkIdentifier("provider", a.Provider, MaxIdentifier)
	c.checkIdentifier("model", a.Model, MaxIdentifier)
	c.checkFraction("confidence_score", a.ConfidenceScore)
	c.checkCount("tokens_used", a.TokensUsed, MaxInteger)
	c.checkCount("analysis_duration_ms", a.AnalysisDurationMS, MaxInteger)
	a.Metadata = c.sanitizeMetadata(tree)
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
