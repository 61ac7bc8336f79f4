package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// workflowBytes bounds the workflows of one answer, so that it fits into what Lambda may answer (6 MB) with their line breaks and quotes
// escaped.
const workflowBytes = 2 << 20

// signaturesShown bounds an incident's Signatures: where workflows are written anew for each remediation there is one for each.
const signaturesShown = 100

// Incident is what the filter leaves of one incident's remediations.
type Incident struct {
	Counts
	// Signatures are those of the remediations, by how many each has, at most 100: they differ in what was done.
	Signatures []audit.ID
	// Actions are the actions tried, in the order of their names.
	Actions []ActionCounts
	// Newest are the newest remediations, without their long texts, newest first.
	Newest []audit.Stored
	// Solved is the newest remediation that succeeded, nil if none did. Of its long texts it has the workflow, unless those of the incidents
	// asked for before it leave no room for it.
	Solved *audit.Stored
}

// Counts tells how often, when, and with what outcome.
type Counts struct {
	Total               int64
	FirstSeen, LastSeen time.Time
	Outcome             audit.Outcome
}

// plus is what two counts tell together.
func (c Counts) plus(more Counts) Counts {
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

// Incidents answers, for each of the incidents, its remediations that the filter leaves: counted, and the newest of them. The
// remediation except, if it is not nil, is in neither. An incident of which nothing is left has no entry.
func (s *Store) Incidents(
	ctx context.Context, incidents []audit.ID, f audit.Filter, newest int, except *string,
) (map[audit.ID]*Incident, error) {
	filter := filterJSON(f)
	return retry(ctx, s, "count the occurrences", func(ctx context.Context) (map[audit.ID]*Incident, error) {
		counts, err := s.queries.IncidentOutcomes(ctx, s.pool, dbsqlc.IncidentOutcomesParams{
			Filter: filter, IncidentIds: incidents, Except: except,
		})
		if err != nil {
			return nil, err
		}
		found := make(map[audit.ID]*Incident, len(incidents))
		for _, row := range counts {
			if found[row.IncidentID] == nil {
				found[row.IncidentID] = &Incident{}
			}
			found[row.IncidentID].count(row)
		}
		rows, err := s.queries.IncidentRemediations(ctx, s.pool, dbsqlc.IncidentRemediationsParams{
			Filter: filter, IncidentIds: incidents, Except: except, PerSignature: int64(newest), Budget: workflowBytes,
		})
		for _, row := range rows {
			// Written between the two statements: not counted, so not shown.
			if of := found[row.IncidentID]; of != nil {
				of.show(row)
			}
		}
		return found, err
	})
}

// count adds what one action of one signature counts; they come with the most frequent first.
func (i *Incident) count(row dbsqlc.IncidentOutcomesRow) {
	counts := Counts{
		Total: row.Occurrences, FirstSeen: row.FirstSeen.UTC(), LastSeen: row.LastSeen.UTC(),
		Outcome: audit.Outcome{Success: row.Success, Failure: row.Failure},
	}
	i.Counts = i.plus(counts)
	if len(i.Signatures) < signaturesShown && !slices.Contains(i.Signatures, row.SignatureID) {
		i.Signatures = append(i.Signatures, row.SignatureID)
	}
	at, known := slices.BinarySearchFunc(i.Actions, row.ActionType, func(a ActionCounts, name string) int {
		return strings.Compare(a.ActionType, name)
	})
	if !known {
		i.Actions = slices.Insert(i.Actions, at, ActionCounts{ActionType: row.ActionType})
	}
	i.Actions[at].Counts = i.Actions[at].plus(counts)
}

func (i *Incident) show(row dbsqlc.IncidentRemediationsRow) {
	one := storedRemediation(dbsqlc.RemediationAudit{
		ID: row.ID, RemediationID: row.RemediationID, Name: row.Name, Namespace: row.Namespace, ClusterName: row.ClusterName,
		Environment: row.Environment, Severity: row.Severity, ActionType: row.ActionType, TargetResource: row.TargetResource,
		Phase: row.Phase, Status: row.Status, StartTime: row.StartTime, EndTime: row.EndTime, DurationMs: row.DurationMs,
		SignatureID: row.SignatureID,
	})
	if !row.Solved {
		i.Newest = append(i.Newest, one)
		return
	}
	if row.WorkflowYaml != "" {
		one.WorkflowYAML = &row.WorkflowYaml
	}
	i.Solved = &one
}
