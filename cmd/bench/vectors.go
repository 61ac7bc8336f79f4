package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgvector/pgvector-go"
	pgvectorpgx "github.com/pgvector/pgvector-go/pgx"
)

// benchVectors measures the forms in which vectors can travel to the server, each with a statement that makes a halfvec of every vector,
// for docs/decisions/005-vector-wire-format.md.
func benchVectors(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openStand(ctx, "bench_vectors")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	for _, count := range []int{1, 500} {
		vectors, err := s.sampleVectors(ctx, count)
		if err != nil {
			return lines, err
		}
		measured, err := s.compareForms(ctx, vectors)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured...)
	}
	registering, err := s.measureRegistering(ctx)
	return append(lines, registering), err
}

// sampleVectors returns vectors of different incidents.
func (s *stand) sampleVectors(ctx context.Context, count int) ([][]float32, error) {
	var vectors [][]float32
	for k := range count {
		vector, err := s.functions.Models[0].Query(ctx, sampleIncident(k).errorText())
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, vector)
	}
	return vectors, nil
}

// vectorForm is one way to send vectors as a statement's parameter.
type vectorForm struct {
	name string
	// kind is the parameter's type, sql the statement: it takes the vectors and their number.
	kind, sql string
	value     func([][]float32) any
}

func vectorForms() []vectorForm {
	return []vectorForm{
		{
			"real[] in binary, cast to halfvec", "_float4",
			`SELECT sum(l2_norm(v)) FROM (
				SELECT ($1::real[])[(i - 1) * 512 + 1 : i * 512]::halfvec AS v FROM generate_series(1, $2::integer) AS i) AS n`,
			func(vectors [][]float32) any { return flattenVectors(vectors) },
		},
		{
			"text literals", "_text",
			`SELECT sum(l2_norm(v)) FROM (SELECT unnest($1::text[])::halfvec AS v LIMIT $2::integer) AS n`,
			func(vectors [][]float32) any { return convertVectors(vectors, pgvector.HalfVector.String) },
		},
		{
			"halfvec[] in binary (pgvector-go, registered)", "_halfvec",
			`SELECT sum(l2_norm(v)) FROM (SELECT unnest($1::halfvec[]) AS v LIMIT $2::integer) AS n`,
			func(vectors [][]float32) any {
				return convertVectors(vectors, func(v pgvector.HalfVector) pgvector.HalfVector { return v })
			},
		},
	}
}

func flattenVectors(vectors [][]float32) []float32 {
	var all []float32
	for _, vector := range vectors {
		all = append(all, vector...)
	}
	return all
}

func convertVectors[T any](vectors [][]float32, as func(pgvector.HalfVector) T) []T {
	all := make([]T, len(vectors))
	for i, vector := range vectors {
		all[i] = as(pgvector.NewHalfVector(vector))
	}
	return all
}

// compareForms measures the forms alternately on one connection. Ratios are relative to the first form.
func (s *stand) compareForms(ctx context.Context, vectors [][]float32) ([]line, error) {
	config, err := pgx.ParseConfig(s.readerURL())
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := pgvectorpgx.RegisterTypes(ctx, conn); err != nil {
		return nil, err
	}
	all := vectorForms()
	bytes, encoding, roundTrips := make([]int, len(all)), make([][]float64, len(all)), make([][]float64, len(all))
	for range s.options.fullOrShort(30, 3) * s.options.rounds {
		for i, f := range all {
			encoded, size, err := f.encodeVectors(conn.TypeMap(), vectors)
			if err != nil {
				return nil, err
			}
			roundTrip, err := f.sendVectors(ctx, conn, vectors)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			bytes[i], encoding[i], roundTrips[i] = size, append(encoding[i], encoded), append(roundTrips[i], roundTrip)
		}
	}
	var lines []line
	for i, f := range all {
		lines = append(lines, line{
			what: fmt.Sprintf("vectors: %s of 512 dimensions, %s", pluralize(len(vectors), "vector"), f.name),
			result: fmt.Sprintf("%d bytes, encoded in %s, round trip %s", bytes[i], formatMicroseconds(medianOf(encoding[i])),
				formatMicroseconds(medianOf(roundTrips[i]))),
			floor: formatMicroseconds(medianOf(roundTrips[0])), ratio: medianOf(roundTrips[i]) / medianOf(roundTrips[0]),
		})
	}
	return lines, nil
}

func (f vectorForm) encodeVectors(types *pgtype.Map, vectors [][]float32) (took float64, size int, err error) {
	kind, ok := types.TypeForName(f.kind)
	if !ok {
		return 0, 0, fmt.Errorf("type %s is not known", f.kind)
	}
	var wire []byte
	took, err = timeSeconds(func() error {
		wire, err = types.Encode(kind.OID, pgtype.BinaryFormatCode, f.value(vectors), nil)
		return err
	})
	return took, len(wire), err
}

func (f vectorForm) sendVectors(ctx context.Context, conn *pgx.Conn, vectors [][]float32) (float64, error) {
	return timeSeconds(func() error {
		var norms float64
		if err := conn.QueryRow(ctx, f.sql, f.value(vectors), len(vectors)).Scan(&norms); err != nil {
			return err
		}
		if all := float64(len(vectors)); norms < 0.99*all || norms > 1.01*all {
			return fmt.Errorf("%d unit vectors arrived with a total length of %v", len(vectors), norms)
		}
		return nil
	})
}

// measureRegistering measures what registering the types adds to each new connection.
func (s *stand) measureRegistering(ctx context.Context) (line, error) {
	var connecting, registering []float64
	for range s.options.fullOrShort(10, 2) * s.options.rounds {
		var conn *pgx.Conn
		connected, err := timeSeconds(func() (err error) {
			conn, err = pgx.Connect(ctx, s.readerURL())
			return err
		})
		if err != nil {
			return line{}, err
		}
		registered, err := timeSeconds(func() error { return pgvectorpgx.RegisterTypes(ctx, conn) })
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			return line{}, err
		}
		connecting, registering = append(connecting, connected), append(registering, registered)
	}
	return line{
		what:   "vectors: registering the types on a new connection; floor: connecting",
		result: formatMicroseconds(medianOf(registering)), floor: formatMicroseconds(medianOf(connecting)),
		ratio: medianOf(registering) / medianOf(connecting),
	}, nil
}

func formatMicroseconds(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Microsecond).String()
}
