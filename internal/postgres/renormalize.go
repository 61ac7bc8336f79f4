package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// renormalizePage is the number of signatures, or remediations of a signature, read at a time.
// PageBytes limits the latter as well.
const renormalizePage = 200

// OldSignatures iterates, page by page, over the signatures of normalizers older than
// signature.Version. used selects those that remediations refer to; otherwise it iterates over the
// others. Concurrent changes may or may not be seen. The iteration ends after an error.
func (s *Store) OldSignatures(ctx context.Context, used bool) iter.Seq2[audit.ID, error] {
	return func(yield func(audit.ID, error) bool) {
		var last dbsqlc.SignatureOldRow
		for {
			page, err := retry(ctx, s, "list old signatures", func(ctx context.Context) ([]dbsqlc.SignatureOldRow, error) {
				return s.queries.SignatureOld(ctx, s.pool, dbsqlc.SignatureOldParams{
					Normalizer: signature.Version, AfterNormalizer: last.Normalizer, AfterID: last.ID,
					PageSize: renormalizePage,
				})
			})
			if err != nil {
				yield(audit.ID{}, err)
				return
			}
			for _, row := range page {
				if last = row; row.Used == used && !yield(row.ID, nil) {
					return
				}
			}
			if len(page) < renormalizePage {
				return
			}
		}
	}
}

// RemediationsBySignature iterates over the remediations that refer to a signature, newest first,
// page by page. They have ID, UpdatedAt, StartTime and the fields that signatures are made of. The
// iteration ends after an error.
func (s *Store) RemediationsBySignature(ctx context.Context, signature audit.ID) iter.Seq2[audit.Stored, error] {
	return func(yield func(audit.Stored, error) bool) {
		params := dbsqlc.RemediationBySignatureParams{SignatureID: signature, PageSize: renormalizePage, Budget: PageBytes}
		for {
			page, err := retry(ctx, s, "read the remediations of a signature",
				func(ctx context.Context) ([]dbsqlc.RemediationBySignatureRow, error) {
					return s.queries.RemediationBySignature(ctx, s.pool, params)
				})
			if err != nil {
				yield(audit.Stored{}, err)
				return
			}
			for _, row := range page {
				if !yield(renormalizableRemediation(signature, row), nil) {
					return
				}
			}
			if len(page) == 0 || int64(len(page)) == page[0].Fetched && page[0].Fetched < renormalizePage {
				return
			}
			last := page[len(page)-1]
			params.AfterTime, params.AfterID = &last.StartTime, &last.ID
		}
	}
}

func renormalizableRemediation(signature audit.ID, row dbsqlc.RemediationBySignatureRow) audit.Stored {
	return audit.Stored{
		ID: row.ID, SignatureID: signature, UpdatedAt: row.UpdatedAt,
		Remediation: audit.Remediation{
			Name: row.Name, ActionType: row.ActionType, TargetResource: row.TargetResource,
			ErrorMessage: row.ErrorMessage, WorkflowYAML: row.WorkflowYaml, StartTime: row.StartTime,
		},
	}
}

// AddRenormalizedSignatures stores the signatures that will replace an old one, in one transaction.
// Those with the old one's text get its vectors. Searches do not find them until a remediation
// refers to them.
func (s *Store) AddRenormalizedSignatures(ctx context.Context, old audit.ID, signatures []audit.Signature) error {
	var arrays signatureArrays
	for _, signature := range signatures {
		arrays.add(signature)
	}
	_, err := retry(ctx, s, "store renormalized signatures", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.queries.SignatureAddReplacements(ctx, s.pool, dbsqlc.SignatureAddReplacementsParams{
			Old: old, Normalizer: signature.Version, Analyzer: lexical.Analyzer,
			Ids: arrays.ids, Incidents: arrays.incidents, Texts: arrays.texts, Terms: arrays.terms, Counts: arrays.counts,
			Lengths: arrays.lengths,
		})
	})
	return err
}

// RenormalizeIncident sets the incident of an old signature, so that its remediations are found
// together with those that already have their new signature.
func (s *Store) RenormalizeIncident(ctx context.Context, old, incident audit.ID) error {
	_, err := retry(ctx, s, "set the incident of an old signature", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.queries.SignatureSetIncident(ctx, s.pool, dbsqlc.SignatureSetIncidentParams{
			ID: old, Normalizer: signature.Version, IncidentID: incident,
		})
	})
	return err
}

// Renormalized is a remediation with its new signature.
type Renormalized struct {
	ID int64
	// UpdatedAt is the remediation's UpdatedAt from when the signature was made.
	UpdatedAt   time.Time
	SignatureID audit.ID
}

// RenormalizeCounts are the outcomes of remediations to renormalize.
type RenormalizeCounts struct {
	// Renormalized is the number of remediations that refer to their new signature now.
	Renormalized int
	// Overtaken is the number of remediations that were updated or renormalized since they were
	// read.
	Overtaken int
	// Waiting is the number of new signatures without a vector of the active model. Their
	// remediations keep the old signature until then, since semantic search would not find them.
	Waiting int
}

// Renormalize replaces an old signature of remediations with their new ones, in one transaction. It
// does not wait for the vectors of signatures for which refused is true: they never get one. It
// changes nothing else, not even UpdatedAt, and does not write to the journal.
func (s *Store) Renormalize(
	ctx context.Context, old audit.ID, remediations []Renormalized, refused func(audit.ID) bool,
) (RenormalizeCounts, error) {
	ready, waiting, err := s.readySignatures(ctx, remediations, refused)
	if err != nil {
		return RenormalizeCounts{}, err
	}
	params := dbsqlc.RemediationRenormalizeParams{Old: old}
	for _, r := range remediations {
		if ready[r.SignatureID] {
			params.Ids = append(params.Ids, r.ID)
			params.Updated = append(params.Updated, r.UpdatedAt)
			params.SignatureIds = append(params.SignatureIds, r.SignatureID)
		}
	}
	counts := RenormalizeCounts{Waiting: waiting}
	if len(params.Ids) == 0 {
		return counts, nil
	}
	updated, err := retry(ctx, s, "renormalize remediations", func(ctx context.Context) (int64, error) {
		return s.queries.RemediationRenormalize(ctx, s.pool, params)
	})
	counts.Renormalized, counts.Overtaken = int(updated), len(params.Ids)-int(updated)
	return counts, err
}

// readySignatures returns the new signatures that remediations may refer to now, and the number of
// the others.
func (s *Store) readySignatures(
	ctx context.Context, remediations []Renormalized, refused func(audit.ID) bool,
) (ready map[audit.ID]bool, waiting int, err error) {
	var params dbsqlc.SignatureReadyParams
	seen := map[audit.ID]bool{}
	for _, r := range remediations {
		if seen[r.SignatureID] {
			continue
		}
		seen[r.SignatureID] = true
		params.Ids = append(params.Ids, r.SignatureID)
		if refused(r.SignatureID) {
			params.Refused = append(params.Refused, r.SignatureID)
		}
	}
	found, err := retry(ctx, s, "check which signatures are ready", func(ctx context.Context) ([]audit.ID, error) {
		return s.queries.SignatureReady(ctx, s.pool, params)
	})
	ready = make(map[audit.ID]bool, len(found))
	for _, id := range found {
		ready[id] = true
	}
	return ready, len(seen) - len(found), err
}

// ToRenormalize counts the remediations that refer to an old signature.
func (s *Store) ToRenormalize(ctx context.Context) (int64, error) {
	return retry(ctx, s, "count remediations to renormalize", func(ctx context.Context) (int64, error) {
		params := dbsqlc.RemediationCountOldParams{Normalizer: signature.Version}
		return s.queries.RemediationCountOld(ctx, s.pool, params)
	})
}

// DropSignatures removes those of the signatures that are old and unused, with their vectors and
// terms, in one transaction, and returns how many. It skips those that a concurrent write has
// locked.
func (s *Store) DropSignatures(ctx context.Context, ids []audit.ID) (int64, error) {
	return retry(ctx, s, "drop old signatures", func(ctx context.Context) (int64, error) {
		return s.queries.SignatureDrop(ctx, s.pool, dbsqlc.SignatureDropParams{Ids: ids, Normalizer: signature.Version})
	})
}
