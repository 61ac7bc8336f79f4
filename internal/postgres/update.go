package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// appendUpdates locks and reads the remediations, lets the domain apply the updates, and writes all that changed in one statement.
// Several updates of one remediation apply one after the other.
func (s *Store) appendUpdates(
	ctx context.Context, db dbsqlc.DBTX, entries []audit.Entry, places []int, vectors Vectors, written []Written,
) error {
	states, err := s.lock(ctx, db, entries, places)
	if err != nil {
		return err
	}
	changes := changes{signatures: map[string]audit.Signature{}, order: nil}
	for _, place := range places {
		entry := entries[place]
		state, known := states[entry.RemediationID]
		if !known {
			written[place] = Written{Err: audit.ErrNotFound}
			continue
		}
		written[place] = changes.apply(entry, state)
	}
	if len(changes.entries) == 0 {
		return nil
	}
	return s.writeChanges(ctx, db, changes, states, vectors)
}

func (s *Store) lock(
	ctx context.Context, db dbsqlc.DBTX, entries []audit.Entry, places []int,
) (map[string]*audit.Stored, error) {
	ids := make([]string, len(places))
	for i, place := range places {
		ids[i] = entries[place].RemediationID
	}
	rows, err := s.queries.RemediationLock(ctx, db, dbsqlc.RemediationLockParams{RemediationIds: ids})
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

// changes gathers what a batch of updates changes: the journal entries, and the remediations with their new signatures.
type changes struct {
	entries    []audit.Entry
	order      []string
	signatures map[string]audit.Signature
}

// apply lets an update change the state in place. The entry's time is moved behind the state's, so that a remediation's journal is
// in the order in which its changes happened, whatever the clocks of two functions say.
func (c *changes) apply(entry audit.Entry, state *audit.Stored) Written {
	update, ok := entry.Record.(*audit.Update)
	if !ok {
		return Written{Err: fmt.Errorf("an update entry carries a %T", entry.Record)}
	}
	next, changed, err := update.Apply(*state)
	if err != nil {
		return Written{Err: err}
	}
	if !changed {
		return Written{Replayed: true, ID: state.ID, Remediation: state}
	}
	if !entry.RecordedAt.After(state.UpdatedAt) {
		entry.RecordedAt = state.UpdatedAt.Add(time.Microsecond)
	}
	signature := next.Signature()
	next.SignatureID, next.UpdatedAt = signature.ID, entry.RecordedAt
	*state = next
	c.entries = append(c.entries, entry)
	if _, again := c.signatures[entry.RemediationID]; !again {
		c.order = append(c.order, entry.RemediationID)
	}
	c.signatures[entry.RemediationID] = signature
	after := next
	return Written{ID: state.ID, Remediation: &after, Receipt: audit.Receipt{
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

func (s *Store) writeChanges(
	ctx context.Context, db dbsqlc.DBTX, c changes, states map[string]*audit.Stored, vectors Vectors,
) error {
	rows := make([]state, len(c.order))
	signatures := make([]audit.Signature, len(c.order))
	for i, id := range c.order {
		now := states[id]
		signatures[i] = c.signatures[id]
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
	places := make([]int, len(c.entries))
	for i := range places {
		places[i] = i
	}
	b := newBatch(c.entries, places)
	distinct := newSignatureArrays(signatures, vectors)
	_, err = s.queries.RemediationUpdate(ctx, db, dbsqlc.RemediationUpdateParams{
		Canonical:         b.canonical,
		ContentHash:       b.contentHash,
		Normalizer:        audit.Normalizer,
		NewSignatureID:    distinct.ids,
		NewSignatureText:  distinct.texts,
		VectorSignatureID: distinct.vectorIDs,
		Vectors:           distinct.vectors,
		Model:             s.model,
		States:            encoded,
	})
	return err
}
