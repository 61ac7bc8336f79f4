package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// applyUpdates locks and reads the remediations that are to be updated, and lets the domain apply the updates. Several updates of one
// remediation apply one after the other.
func (a *attempt) applyUpdates(ctx context.Context) error {
	places := placesOf(audit.KindUpdate, a.entries)
	if len(places) == 0 {
		return nil
	}
	states, err := a.lock(ctx, places)
	if err != nil {
		return err
	}
	a.changes = changes{states: states, seen: map[string]bool{}, signed: map[string]audit.Signature{}}
	for _, place := range places {
		entry := a.entries[place]
		state, known := states[entry.RemediationID]
		if !known {
			a.written[place] = audit.Written{Err: audit.ErrNotFound}
			continue
		}
		a.written[place] = a.changes.apply(entry, state)
	}
	return nil
}

// UpdatesAccepted answers by their event ids which of the updates are in the journal, with the same content, whatever the remediations
// have become since.
func (s *Store) UpdatesAccepted(ctx context.Context, updates []audit.Entry) (map[audit.ID]bool, error) {
	if len(updates) == 0 {
		return nil, nil
	}
	var params dbsqlc.AuditEventUpdatesAcceptedParams
	for _, update := range updates {
		params.EventID = append(params.EventID, update.EventID)
		params.RemediationID = append(params.RemediationID, update.RemediationID)
		params.ContentHash = append(params.ContentHash, update.ContentHash[:])
	}
	return retry(ctx, "look for updates in the journal", func(ctx context.Context) (map[audit.ID]bool, error) {
		found, err := s.queries.AuditEventUpdatesAccepted(ctx, s.pool, params)
		accepted := make(map[audit.ID]bool, len(found))
		for _, id := range found {
			accepted[id] = true
		}
		return accepted, err
	})
}

func (a *attempt) lock(ctx context.Context, places []int) (map[string]*audit.Stored, error) {
	ids := make([]string, len(places))
	for i, place := range places {
		ids[i] = a.entries[place].RemediationID
	}
	rows, err := a.store.queries.RemediationLock(ctx, a.db, dbsqlc.RemediationLockParams{RemediationIds: ids})
	if err != nil {
		return nil, err
	}
	states := make(map[string]*audit.Stored, len(rows))
	for _, row := range rows {
		state := stored(row)
		states[row.RemediationID] = &state
	}
	return states, nil
}

// changes gathers what a batch of updates changes: the journal entries, the remediations, and the signatures of those that got a new one.
type changes struct {
	entries []audit.Entry
	order   []string
	seen    map[string]bool
	states  map[string]*audit.Stored
	signed  map[string]audit.Signature
}

// signatures are the new ones.
func (c *changes) signatures() []audit.Signature { return slices.Collect(maps.Values(c.signed)) }

// apply lets an update change the state in place. The entry's time is moved behind the state's, so that a remediation's journal is
// in the order in which its changes happened, whatever the clocks of two functions say.
func (c *changes) apply(entry audit.Entry, state *audit.Stored) audit.Written {
	update, ok := entry.Record.(*audit.Update)
	if !ok {
		return audit.Written{Err: fmt.Errorf("an update entry carries a %T", entry.Record)}
	}
	next, changed, err := update.Apply(*state)
	if err != nil {
		return audit.Written{Err: err}
	}
	if !changed {
		now := *state
		return audit.Written{Replayed: true, ID: state.ID, Remediation: &now}
	}
	if !entry.RecordedAt.After(state.UpdatedAt) {
		entry.RecordedAt = state.UpdatedAt.Add(time.Microsecond)
	}
	if !next.SameTexts(state) {
		signature := next.Signature()
		next.SignatureID, c.signed[entry.RemediationID] = signature.ID, signature
	}
	next.UpdatedAt = entry.RecordedAt
	*state = next
	c.entries = append(c.entries, entry)
	if !c.seen[entry.RemediationID] {
		c.seen[entry.RemediationID] = true
		c.order = append(c.order, entry.RemediationID)
	}
	after := next
	return audit.Written{ID: state.ID, Remediation: &after, Receipt: audit.Receipt{
		EventID: entry.EventID, RecordedAt: entry.RecordedAt, LeafHash: audit.LeafHash(entry.Canonical()),
	}}
}

// state is one element of RemediationUpdate's states.
type state struct {
	RemediationID string         `json:"remediation_id"`
	Phase         audit.Phase    `json:"phase"`
	Status        audit.Status   `json:"status"`
	EndTime       *time.Time     `json:"end_time"`
	DurationMS    *int64         `json:"duration_ms"`
	ErrorMessage  *string        `json:"error_message"`
	WorkflowYAML  *string        `json:"workflow_yaml"`
	Metadata      audit.Metadata `json:"metadata"`
	SignatureID   string         `json:"signature_id"`
	UpdatedAt     time.Time      `json:"updated_at"`
}

// writeChanges writes all that the updates change in one statement.
func (a *attempt) writeChanges(ctx context.Context, _ []int) error {
	c := a.changes
	if len(c.entries) == 0 {
		return nil
	}
	rows := make([]state, len(c.order))
	for i, id := range c.order {
		now := c.states[id]
		rows[i] = state{
			RemediationID: id, Phase: now.Phase, Status: now.Status, EndTime: now.EndTime, DurationMS: now.DurationMS,
			ErrorMessage: now.ErrorMessage, WorkflowYAML: now.WorkflowYAML, Metadata: now.Metadata,
			SignatureID: now.SignatureID.String(), UpdatedAt: now.UpdatedAt,
		}
	}
	encoded, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write the new states: %w", err)
	}
	b := newBatch(c.entries, placesOf(audit.KindUpdate, c.entries))
	distinct := newSignatureArrays(c.signatures(), a.vectors, a.store.known.Contains)
	defer timeVectors(ctx, distinct.vectorIDs)()
	_, err = a.store.queries.RemediationUpdate(ctx, a.db, dbsqlc.RemediationUpdateParams{
		Canonical:            b.canonical,
		ContentHash:          b.contentHash,
		Normalizer:           signature.Version,
		Analyzer:             lexical.Analyzer,
		NewSignatureID:       distinct.ids,
		NewSignatureIncident: distinct.incidents,
		NewSignatureText:     distinct.texts,
		NewSignatureTerms:    distinct.terms,
		NewSignatureCounts:   distinct.counts,
		NewSignatureLength:   distinct.lengths,
		VectorSignatureID:    distinct.vectorIDs,
		Vectors:              distinct.vectors,
		Model:                a.store.model,
		States:               encoded,
	})
	return err
}
