package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// errOvertaken is returned if another writer created a remediation after this transaction had
// looked for it. The next attempt finds and locks it. Locking it now would violate the lock order.
var errOvertaken = fmt.Errorf("%w: another writer created the remediation of an update", audit.ErrUnavailable)

// changes holds the results of the updates of an append.
type changes struct {
	// entries are the journal entries of the updates that change something.
	entries []audit.Entry
	// states are the remediations with the updates applied, by remediation ID.
	states map[string]*audit.Stored
	// signatures are the new signatures of the remediations whose signature changed, by remediation
	// ID.
	signatures map[string]audit.Signature
	// assumed are the states of remediations that this transaction has yet to create, by the event
	// ID of the creation.
	assumed map[audit.ID]*audit.Stored
}

func (c *changes) newSignatures() []audit.Signature { return slices.Collect(maps.Values(c.signatures)) }

// applyUpdates locks and reads the remediations to update and applies the updates in memory, those
// of one remediation in sequence.
func (a *attempt) applyUpdates(ctx context.Context) error {
	indexes := indexesOfKind(audit.KindUpdate, a.entries)
	if len(indexes) == 0 {
		return nil
	}
	states, err := a.lockRemediations(ctx, indexes)
	if err != nil {
		return err
	}
	a.changes = changes{states: states, signatures: map[string]audit.Signature{}, assumed: map[audit.ID]*audit.Stored{}}
	a.assumeCreated(indexes)
	for _, index := range indexes {
		entry := a.entries[index]
		if state, ok := states[entry.RemediationID]; ok {
			a.written[index] = a.changes.applyUpdate(entry, state)
		} else {
			a.written[index].Err = audit.ErrNotFound
		}
	}
	if a.options.Redelivered {
		return a.acceptRedelivered(ctx, indexes)
	}
	return nil
}

func (a *attempt) lockRemediations(ctx context.Context, indexes []int) (map[string]*audit.Stored, error) {
	ids := make([]string, len(indexes))
	for i, index := range indexes {
		ids[i] = a.entries[index].RemediationID
	}
	rows, err := a.store.queries.RemediationLock(ctx, a.db, dbsqlc.RemediationLockParams{RemediationIds: ids})
	if err != nil {
		return nil, err
	}
	states := make(map[string]*audit.Stored, len(rows))
	for _, row := range rows {
		state := storedRemediation(row)
		states[row.RemediationID] = &state
	}
	return states, nil
}

// assumeCreated adds the states of remediations that are not stored yet and that this append
// creates. Of two creations of one remediation the first is written. confirmCreated verifies the
// assumption.
func (a *attempt) assumeCreated(updates []int) {
	missing := map[string]bool{}
	for _, index := range updates {
		id := a.entries[index].RemediationID
		missing[id] = a.changes.states[id] == nil
	}
	for _, entry := range a.entries {
		if created, ok := entry.Record.(*audit.Remediation); ok && missing[entry.RemediationID] {
			missing[entry.RemediationID] = false
			state := &audit.Stored{
				Remediation: *created, SignatureID: entry.Signature.ID, Actor: entry.Actor,
				CreatedAt: entry.RecordedAt, UpdatedAt: entry.RecordedAt,
			}
			a.changes.states[entry.RemediationID], a.changes.assumed[entry.EventID] = state, state
		}
	}
}

// confirmCreated verifies that the remediations assumed by assumeCreated were created, and sets
// their IDs.
func (c *changes) confirmCreated(rows []appendedRow) error {
	for _, row := range rows {
		if state, ok := c.assumed[row.SentEventID]; ok {
			state.ID = row.ID
			delete(c.assumed, row.SentEventID)
		}
	}
	if len(c.assumed) > 0 {
		return errOvertaken
	}
	return nil
}

// applyUpdate applies an update to the state in place. The entry's time is moved after the state's,
// so that a remediation's journal is in the order of its changes even if the clocks of two
// functions differ.
func (c *changes) applyUpdate(entry audit.Entry, state *audit.Stored) audit.Written {
	update, ok := entry.Record.(*audit.Update)
	if !ok {
		return audit.Written{Err: fmt.Errorf("an update entry carries a %T", entry.Record)}
	}
	next, changed, err := update.Apply(*state)
	if err != nil {
		return audit.Written{Err: err}
	}
	if !changed {
		return audit.Written{Replayed: true, Remediation: &next}
	}
	if !entry.RecordedAt.After(state.UpdatedAt) {
		entry.RecordedAt = state.UpdatedAt.Add(time.Microsecond)
	}
	if !next.SameSignatureInput(state) {
		signature := next.Signature()
		next.SignatureID, c.signatures[entry.RemediationID] = signature.ID, signature
	}
	next.UpdatedAt = entry.RecordedAt
	*state = next
	c.entries = append(c.entries, entry)
	return audit.Written{Remediation: &next, Receipt: audit.Receipt{
		EventID: entry.EventID, RecordedAt: entry.RecordedAt, LeafHash: audit.LeafHash(entry.Canonical()),
	}}
}

// acceptRedelivered turns the conflict of an update into a replay if the same content was accepted
// before, earlier in this append or in the journal.
func (a *attempt) acceptRedelivered(ctx context.Context, indexes []int) error {
	var conflicts []int
	var params dbsqlc.AuditEventUpdatesAcceptedParams
	for _, index := range indexes {
		if entry := a.entries[index]; errors.Is(a.written[index].Err, audit.ErrConflict) {
			conflicts = append(conflicts, index)
			params.EventID = append(params.EventID, entry.EventID)
			params.RemediationID = append(params.RemediationID, entry.RemediationID)
			params.ContentHash = append(params.ContentHash, entry.ContentHash[:])
		}
	}
	if len(conflicts) == 0 {
		return nil
	}
	journaled, err := a.store.queries.AuditEventUpdatesAccepted(ctx, a.db, params)
	if err != nil {
		return err
	}
	appended := map[[sha256.Size]byte]bool{}
	for _, entry := range a.changes.entries {
		appended[entry.ContentHash] = true
	}
	for _, index := range conflicts {
		if entry := a.entries[index]; appended[entry.ContentHash] || slices.Contains(journaled, entry.EventID) {
			state := *a.changes.states[entry.RemediationID]
			a.written[index] = audit.Written{Replayed: true, Remediation: &state}
		}
	}
	return nil
}

// writeUpdates writes everything that the updates change in one statement.
func (a *attempt) writeUpdates(ctx context.Context, indexes []int) error {
	for _, index := range indexes {
		// The IDs of remediations that were created with their updates are known only now.
		if w := &a.written[index]; w.Remediation != nil {
			w.ID = a.changes.states[w.Remediation.RemediationID].ID
			w.Remediation.ID = w.ID
		}
	}
	c := a.changes
	if len(c.entries) == 0 {
		return nil
	}
	states, err := c.encodeStates()
	if err != nil {
		return err
	}
	b := newBatch(c.entries, indexesOfKind(audit.KindUpdate, c.entries))
	distinct := a.distinctSignatures(c.newSignatures())
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
		States:               states,
	})
	return err
}

// updatedState is one element of the argument states of RemediationUpdate.
type updatedState struct {
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

// encodeStates encodes the states of the remediations that the updates change.
func (c *changes) encodeStates() ([]byte, error) {
	ids := make([]string, len(c.entries))
	for i, entry := range c.entries {
		ids[i] = entry.RemediationID
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	states := make([]updatedState, len(ids))
	for i, id := range ids {
		state := c.states[id]
		states[i] = updatedState{
			RemediationID: id, Phase: state.Phase, Status: state.Status, EndTime: state.EndTime,
			DurationMS: state.DurationMS, ErrorMessage: state.ErrorMessage, WorkflowYAML: state.WorkflowYAML, Metadata: state.Metadata,
			SignatureID: state.SignatureID.String(), UpdatedAt: state.UpdatedAt,
		}
	}
	encoded, err := json.Marshal(states)
	if err != nil {
		return nil, fmt.Errorf("encode the updated states: %w", err)
	}
	return encoded, nil
}
