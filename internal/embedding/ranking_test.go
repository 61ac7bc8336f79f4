package embedding

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datastorage-service/datastorage/internal/signature"
)

// BenchmarkHashingRanking reports the nDCG@10 of the hash vectors on retrieval test collections
// outside the repository: RANKING_SETS lists their directories, separated as in PATH. Without it,
// nothing is measured.
//
// A directory has docs.jsonl with {id, text} or remediation records, queries.jsonl with {id, text},
// and qrels.jsonl with {query, doc, gain}.
func BenchmarkHashingRanking(b *testing.B) {
	for _, dir := range filepath.SplitList(os.Getenv("RANKING_SETS")) {
		docs, queries := readDocuments(b, dir), readQuestions(b, dir)
		for _, dims := range []int{256, 384, 512, 1024, 4000} {
			b.Run(fmt.Sprintf("%s/%d", filepath.Base(dir), dims), func(b *testing.B) {
				h := newHashingProvider(b, dims)
				for b.Loop() {
					b.ReportMetric(ndcg(b, h, docs, queries), "nDCG@10")
				}
			})
		}
	}
}

type document struct{ id, text string }

type question struct {
	text  string
	gains map[string]float64 // by document
}

func readDocuments(b *testing.B, dir string) []document {
	b.Helper()
	var docs []document
	eachLine(b, filepath.Join(dir, "docs.jsonl"), func(line []byte) error {
		var doc struct {
			ID, Text, Name string
			RemediationID  string `json:"remediation_id"`
			ActionType     string `json:"action_type"`
			TargetResource string `json:"target_resource"`
			ErrorMessage   string `json:"error_message"`
			WorkflowYAML   string `json:"workflow_yaml"`
		}
		err := json.Unmarshal(line, &doc)
		_, _, text := signature.Make(signature.Parts{
			Name: doc.Name, ActionType: doc.ActionType, TargetResource: doc.TargetResource, ErrorMessage: doc.ErrorMessage, WorkflowYAML: doc.WorkflowYAML,
		})
		docs = append(docs, document{id: cmp.Or(doc.ID, doc.RemediationID), text: cmp.Or(doc.Text, text)})
		return err
	})
	return docs
}

func readQuestions(b *testing.B, dir string) []question {
	b.Helper()
	gains := map[string]map[string]float64{}
	eachLine(b, filepath.Join(dir, "qrels.jsonl"), func(line []byte) error {
		var judged struct {
			Query, Doc string
			Gain       float64
		}
		err := json.Unmarshal(line, &judged)
		if gains[judged.Query] == nil {
			gains[judged.Query] = map[string]float64{}
		}
		gains[judged.Query][judged.Doc] = judged.Gain
		return err
	})
	var queries []question
	eachLine(b, filepath.Join(dir, "queries.jsonl"), func(line []byte) error {
		var query struct{ ID, Text string }
		err := json.Unmarshal(line, &query)
		queries = append(queries, question{text: signature.Normalize(query.Text), gains: gains[query.ID]})
		return err
	})
	return queries
}

func eachLine(b *testing.B, path string, do func(line []byte) error) {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if err := do(lines.Bytes()); err != nil {
			b.Fatalf("%s: %v", path, err)
		}
	}
	if err := lines.Err(); err != nil {
		b.Fatal(err)
	}
}

// ndcg returns the mean normalized discounted cumulative gain of the first ten documents (Järvelin
// and Kekäläinen, 2002), with linear gains; ties keep the order of the documents.
func ndcg(b *testing.B, h *hashingProvider, docs []document, queries []question) float64 {
	b.Helper()
	vectors := make([][]float32, len(docs))
	for i, doc := range docs {
		vectors[i] = hashText(b, h, doc.text)
	}
	var total float64
	for _, query := range queries {
		vector := hashText(b, h, query.text)
		scores := make(map[string]float64, len(docs))
		ranked := make([]string, len(docs))
		for i, doc := range docs {
			ranked[i], scores[doc.id] = doc.id, cosine(vector, vectors[i])
		}
		slices.SortStableFunc(ranked, func(x, y string) int { return cmp.Compare(scores[y], scores[x]) })
		found := make([]float64, len(ranked))
		for i, id := range ranked {
			found[i] = query.gains[id]
		}
		ideal := slices.Sorted(func(yield func(float64) bool) {
			for _, gain := range query.gains {
				if !yield(-gain) {
					return
				}
			}
		})
		total += discountedGain(found) / -discountedGain(ideal)
	}
	return total / float64(len(queries))
}

// discountedGain returns the discounted cumulative gain of the first ten.
func discountedGain(gains []float64) float64 {
	var sum float64
	for i, gain := range gains[:min(10, len(gains))] {
		sum += gain / math.Log2(float64(i+2))
	}
	return sum
}
