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
	c.RemediationID(a.RemediationID)
	c.identifier("analysis_id", a.AnalysisID, MaxIdentifier)
	c.identifier("provider", a.Provider, MaxIdentifier)
	c.identifier("model", a.Model, MaxIdentifier)
	c.fraction("confidence_score", a.ConfidenceScore)
	c.count("tokens_used", a.TokensUsed, MaxInteger)
	c.count("analysis_duration_ms", a.AnalysisDurationMS, MaxInteger)
	a.Metadata = c.metadata(tree)
}

func (a *AIAnalysis) kind() Kind { return KindAIAnalysis }

func (a *AIAnalysis) key() string { return a.RemediationID }

func (a *AIAnalysis) metadata() Metadata { return a.Metadata }

func (a *AIAnalysis) document(d *document) {
	d.integer("analysis_duration_ms", a.AnalysisDurationMS)
	d.text("analysis_id", a.AnalysisID)
	d.number("confidence_score", a.ConfidenceScore)
	d.metadata(a.metadata())
	d.text("model", a.Model)
	d.text("provider", a.Provider)
	d.integer("tokens_used", a.TokensUsed)
}
