package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// maxWorkflowBytes limits the workflows of one call: with line breaks and quotes escaped they must
// fit into a Lambda response of 6 MB.
const maxWorkflowBytes = 2 << 20

// maxSignatures limits Incident.Signatures: remediations with different workflows have different
// signatures.
const maxSignatures = 100

// Incident summarizes the remediations of an incident that match a filter.
type Incident struct {
	Counts
	// Signatures are the signatures of the remediations, most frequent first, at most
	// maxSignatures. They differ in the action taken.
	Signatures []audit.ID
	// Actions are sorted by name.
	Actions []ActionCounts
	// Newest holds the newest remediations, newest first, without their long texts.
	Newest []audit.Stored
	// Solved is the newest remediation that succeeded, nil if none did. Its only long text is the
	// workflow, if IncidentOptions.Workflows is set.
	Solved *audit.Stored
}

// Counts holds the number, the times and the outcomes of remediations.
type Counts struct {
	Total               int64
	FirstSeen, LastSeen time.Time
	Outcome             audit.Outcome
}

// sum returns the combined counts.
func (c Counts) sum(more Counts) Counts {
	if c.Total == 0 {
		return more
	}
	if more.FirstSeen.Before(c.FirstSeen) {
		c.FirstSeen = more.FirstSeen
	}
	if more.LastSeen.After(c.LastSeen) {
		c.LastSeen = more.LastSeen
	}
	c.Total += more.Total
	c.Outcome.Success += more.Outcome.Success
	c.Outcome.Failure += more.Outcome.Failure
	return c
}

// ActionCounts are the Counts of one action.
type ActionCounts struct {
	ActionType string
	Counts
}

// IncidentOptions selects what Incidents returns.
type IncidentOptions struct {
	// Newest is the maximum length of Incident.Newest.
	Newest int
	// Workflows includes the workflows of the solved, as far as those of all incidents fit into
	// 2 MiB.
	Workflows bool
	// Except is the ID of a remediation to leave out, nil for none.
	Except *string
}

// workflowBytes returns the maximum size of all workflows.
func (o IncidentOptions) workflowBytes() int64 {
	if o.Workflows {
		return maxWorkflowBytes
	}
	return 0
}

// Incidents summarizes, for each incident, the remediations that match the filter. Incidents without
// a matching remediation have no entry.
func (s *Store) Incidents(
	ctx context.Context, incidents []audit.ID, f audit.Filter, options IncidentOptions,
) (map[audit.ID]*Incident, error) {
	filter, resources := filterJSON(f), countedBy(f)
	return retry(ctx, s, "count the occurrences", func(ctx context.Context) (map[audit.ID]*Incident, error) {
		counts, err := s.queries.IncidentOutcomes(ctx, s.pool, dbsqlc.IncidentOutcomesParams{
			Filter: filter, Resources: resources, IncidentIds: incidents, Except: options.Except,
		})
		if err != nil {
			return nil, err
		}
		found := make(map[audit.ID]*Incident, len(incidents))
		for _, row := range counts {
			if found[row.IncidentID] == nil {
				found[row.IncidentID] = &Incident{}
			}
			found[row.IncidentID].addCounts(row)
		}
		rows, err := s.queries.IncidentRemediations(ctx, s.pool, dbsqlc.IncidentRemediationsParams{
			Filter: filter, Resources: resources, IncidentIds: incidents, Except: options.Except,
			PerSignature: int64(options.Newest), Budget: options.workflowBytes(),
		})
		for _, row := range rows {
			// A remediation that was written between the two statements was not counted, so it is
			// omitted.
			if incident := found[row.IncidentID]; incident != nil {
				incident.addRemediation(row)
			}
		}
		return found, err
	})
}

// addCounts adds the counts of one action of one signature. Rows are ordered by frequency, highest
// first.
func (i *Incident) addCounts(row dbsqlc.IncidentOutcomesRow) {
	counts := Counts{
		Total: row.Occurrences, FirstSeen: row.FirstSeen.UTC(), LastSeen: row.LastSeen.UTC(),
		Outcome: audit.Outcome{Success: row.Success, Failure: row.Failure},
	}
	i.Counts = i.sum(counts)
	if len(i.Signatures) < maxSignatures && !slices.Contains(i.Signatures, row.SignatureID) {
		i.Signatures = append(i.Signatures, row.SignatureID)
	}
	at, known := slices.BinarySearchFunc(i.Actions, row.ActionType, func(a ActionCounts, name string) int {
		return strings.Compare(a.ActionType, name)
	})
	if !known {
		i.Actions = slices.Insert(i.Actions, at, ActionCounts{ActionType: row.ActionType})
	}
	i.Actions[at].Counts = i.Actions[at].sum(counts)
}

func (i *Incident) addRemediation(row dbsqlc.IncidentRemediationsRow) {
	remediation := storedRemediation(dbsqlc.RemediationAudit{
		ID: row.ID, RemediationID: row.RemediationID, Name: row.Name, Namespace: row.Namespace, ClusterName: row.ClusterName,
		Environment: row.Environment, Severity: row.Severity, ActionType: row.ActionType, TargetResource: row.TargetResource,
		Phase: row.Phase, Status: row.Status, StartTime: row.StartTime, EndTime: row.EndTime, DurationMs: row.DurationMs,
		SignatureID: row.SignatureID,
	})
	if !row.Solved {
		i.Newest = append(i.Newest, remediation)
		return
	}
	if row.WorkflowYaml != "" {
		remediation.WorkflowYAML = &row.WorkflowYaml
	}
	i.Solved = &remediation
}
