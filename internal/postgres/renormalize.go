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

// signedPage is how many signatures, or remediations of one, are read at a time, the latter with no more than PageBytes of text.
const signedPage = 200

// OldSignatures walks the signatures of normalizers before signature.Version, a page at a time: those that remediations have, which are to be
// signed anew, or those that none has. What changes meanwhile may be met or not. The walk ends after an error.
func (s *Store) OldSignatures(ctx context.Context, used bool) iter.Seq2[audit.ID, error] {
	return func(yield func(audit.ID, error) bool) {
		var last dbsqlc.SignatureOldRow
		for {
			page, err := retry(ctx, s, "look for old signatures", func(ctx context.Context) ([]dbsqlc.SignatureOldRow, error) {
				return s.queries.SignatureOld(ctx, s.pool, dbsqlc.SignatureOldParams{
					Normalizer: signature.Version, AfterNormalizer: last.Normalizer, AfterID: last.ID, PageSize: signedPage,
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
			if len(page) < signedPage {
				return
			}
		}
	}
}

// SignedAs walks the remediations that have a signature, newest first, a page at a time, with ID, UpdatedAt, StartTime and what signatures are
// made of, and no more. The walk ends after an error.
func (s *Store) SignedAs(ctx context.Context, signature audit.ID) iter.Seq2[audit.Stored, error] {
	return func(yield func(audit.Stored, error) bool) {
		params := dbsqlc.RemediationSignedParams{SignatureID: signature, PageSize: signedPage, Budget: PageBytes}
		for {
			page, err := retry(ctx, s, "read what is signed", func(ctx context.Context) ([]dbsqlc.RemediationSignedRow, error) {
				return s.queries.RemediationSigned(ctx, s.pool, params)
			})
			if err != nil {
				yield(audit.Stored{}, err)
				return
			}
			for _, row := range page {
				if !yield(signedRow(signature, row), nil) {
					return
				}
			}
			if len(page) == 0 || int64(len(page)) == page[0].Fetched && page[0].Fetched < signedPage {
				return
			}
			last := page[len(page)-1]
			params.AfterTime, params.AfterID = &last.StartTime, &last.ID
		}
	}
}

func signedRow(signature audit.ID, row dbsqlc.RemediationSignedRow) audit.Stored {
	return audit.Stored{
		ID: row.ID, SignatureID: signature, UpdatedAt: row.UpdatedAt,
		Remediation: audit.Remediation{
			Name: row.Name, ActionType: row.ActionType, TargetResource: row.TargetResource, ErrorMessage: row.ErrorMessage,
			WorkflowYAML: row.WorkflowYaml, StartTime: row.StartTime,
		},
	}
}

// RenormalizeAlongside stores signatures that are to take the place of an old one, in one transaction. Those of its text get its vectors. No search
// finds them until a remediation has them.
func (s *Store) RenormalizeAlongside(ctx context.Context, old audit.ID, signatures []audit.Signature) error {
	var arrays signatureArrays
	for _, signature := range signatures {
		arrays.add(signature)
	}
	_, err := retry(ctx, s, "sign beside", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.queries.SignatureBeside(ctx, s.pool, dbsqlc.SignatureBesideParams{
			Old: old, Normalizer: signature.Version, Analyzer: lexical.Analyzer,
			Ids: arrays.ids, Incidents: arrays.incidents, Texts: arrays.texts, Terms: arrays.terms, Counts: arrays.counts,
			Lengths: arrays.lengths,
		})
	})
	return err
}

// RenormalizeIncident says which incident an old signature's remediations belong to, so that they are found together with those that have their
// new signature already.
func (s *Store) RenormalizeIncident(ctx context.Context, old, incident audit.ID) error {
	_, err := retry(ctx, s, "set the incident of an old signature", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.queries.SignatureSetIncident(ctx, s.pool, dbsqlc.SignatureSetIncidentParams{
			ID: old, Normalizer: signature.Version, IncidentID: incident,
		})
	})
	return err
}

// Renormalized is a remediation and the signature that it is to have.
type Renormalized struct {
	ID int64
	// UpdatedAt is the remediation's when it was signed.
	UpdatedAt   time.Time
	SignatureID audit.ID
}

// RenormalizeCounts is what became of remediations that were to have new signatures.
type RenormalizeCounts struct {
	// Renormalized have theirs.
	Renormalized int
	// Overtaken were updated or signed since they were read.
	Overtaken int
	// Waiting counts the new signatures that have no vector of the active model yet. Their remediations stay as they are until then, as
	// semantic search would lose them.
	Waiting int
}

// Renormalize gives remediations their new signatures in place of an old one, in one transaction. A signature that refused names will not have a
// vector, and is not waited for. Of what else the remediations have, UpdatedAt included, nothing changes, and the journal has no entry of it.
func (s *Store) Renormalize(
	ctx context.Context, old audit.ID, remediations []Renormalized, refused func(audit.ID) bool,
) (RenormalizeCounts, error) {
	ready, waiting, err := s.readyToHave(ctx, remediations, refused)
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
	resigned, err := retry(ctx, s, "sign anew", func(ctx context.Context) (int64, error) {
		return s.queries.RemediationRenormalize(ctx, s.pool, params)
	})
	counts.Renormalized, counts.Overtaken = int(resigned), len(params.Ids)-int(resigned)
	return counts, err
}

// readyToHave are the signatures that the remediations may have now, and how many others there are.
func (s *Store) readyToHave(
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
	found, err := retry(ctx, s, "look which signatures are ready", func(ctx context.Context) ([]audit.ID, error) {
		return s.queries.SignatureReady(ctx, s.pool, params)
	})
	ready = make(map[audit.ID]bool, len(found))
	for _, id := range found {
		ready[id] = true
	}
	return ready, len(seen) - len(found), err
}

// ToRenormalize counts the remediations whose signature is an old one.
func (s *Store) ToRenormalize(ctx context.Context) (int64, error) {
	return retry(ctx, s, "count what is to be signed anew", func(ctx context.Context) (int64, error) {
		return s.queries.RemediationCountOld(ctx, s.pool, dbsqlc.RemediationCountOldParams{Normalizer: signature.Version})
	})
}

// DropSignatures removes those of the signatures that are old and that no remediation has, with their vectors and terms, in one transaction,
// and answers how many. Those that a write is busy with stay.
func (s *Store) DropSignatures(ctx context.Context, ids []audit.ID) (int64, error) {
	return retry(ctx, s, "drop old signatures", func(ctx context.Context) (int64, error) {
		return s.queries.SignatureDrop(ctx, s.pool, dbsqlc.SignatureDropParams{Ids: ids, Normalizer: signature.Version})
	})
}
