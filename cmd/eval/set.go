package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// set is one retrieval test collection.
type set struct {
	name string
	// records are the documents as remediations, in the order of the file.
	records []json.RawMessage
	queries []query
	// templates group documents of the same incident; nil if the set does not judge that.
	templates []template
}

// query is a search text with its judgements.
type query struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	// gains has the gain of each judged document, by remediation ID; other documents gain nothing.
	gains map[string]float64
}

// template is an incident and the documents that are its occurrences.
type template struct {
	Name      string   `json:"template"`
	Documents []string `json:"docs"`
}

// readTestSets reads the set in dir, or the sets in its folders, by name.
func readTestSets(dir string) ([]set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	folders := []string{dir}
	if _, err := os.Stat(filepath.Join(dir, "docs.jsonl")); errors.Is(err, fs.ErrNotExist) {
		if folders, err = filepath.Glob(filepath.Join(dir, "*", "docs.jsonl")); err != nil {
			return nil, err
		}
		for i := range folders {
			folders[i] = filepath.Dir(folders[i])
		}
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("no docs.jsonl in %s or in a folder of it", dir)
	}
	var sets []set
	for _, folder := range folders {
		one, err := readTestSet(folder)
		if err != nil {
			return nil, fmt.Errorf("set %s: %w", folder, err)
		}
		sets = append(sets, one)
	}
	return sets, nil
}

// readTestSet reads one set. Judgements that do not match its documents and queries are an error,
// because they would silently distort the figures.
func readTestSet(dir string) (set, error) {
	s := set{name: filepath.Base(dir)}
	documents, documentsErr := readJSONLines[json.RawMessage](filepath.Join(dir, "docs.jsonl"))
	queries, queriesErr := readJSONLines[query](filepath.Join(dir, "queries.jsonl"))
	judgements, judgementsErr := readJSONLines[judgement](filepath.Join(dir, "qrels.jsonl"))
	templates, templatesErr := readJSONLines[template](filepath.Join(dir, "templates.jsonl"))
	if errors.Is(templatesErr, fs.ErrNotExist) {
		templatesErr = nil
	}
	if err := errors.Join(documentsErr, queriesErr, judgementsErr, templatesErr); err != nil {
		return s, err
	}
	s.queries, s.templates = queries, templates
	known := map[string]bool{}
	for index, document := range documents {
		id, record, err := newRemediation(document, index)
		if err != nil {
			return s, fmt.Errorf("document %d: %w", index+1, err)
		}
		known[id] = true
		s.records = append(s.records, record)
	}
	return s, errors.Join(s.assignJudgements(judgements, known), s.checkTemplates(known))
}

// readJSONLines reads a file of JSON values.
func readJSONLines[T any](path string) (values []T, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	decoder := json.NewDecoder(file)
	for {
		var value T
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s, value %d: %w", path, len(values)+1, err)
		}
		values = append(values, value)
	}
}

// newRemediation returns a document as a remediation, with its ID. A document that is a remediation
// stays unchanged. The text of an {id, text} becomes its error message, and its index in the set
// its start time, so that newest first is a definite order.
func newRemediation(document json.RawMessage, index int) (id string, record json.RawMessage, err error) {
	var d struct {
		ID            string `json:"id"`
		Text          string `json:"text"`
		RemediationID string `json:"remediation_id"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return "", nil, err
	}
	if cmp.Or(d.RemediationID, d.ID) == "" {
		return "", nil, errors.New("has neither remediation_id nor id")
	}
	if d.RemediationID != "" {
		return d.RemediationID, document, nil
	}
	input := client.RemediationInput{
		RemediationID: d.ID, Name: "document", Namespace: "eval", ActionType: "read",
		Phase: client.PhaseCompleted, Status: client.StatusSuccess,
		StartTime: time.Date(2026, 1, 1, 0, 0, index, 0, time.UTC),
	}
	if d.Text != "" {
		input.ErrorMessage = &d.Text
	}
	record, err = json.Marshal(input)
	return d.ID, record, err
}

// judgement is the gain of a document for a query; 0 means irrelevant.
type judgement struct {
	Query string  `json:"query"`
	Doc   string  `json:"doc"`
	Gain  float64 `json:"gain"`
}

// assignJudgements sets the gains of each query.
func (s *set) assignJudgements(judgements []judgement, known map[string]bool) error {
	gains, relevant := map[string]map[string]float64{}, map[string]bool{}
	for _, q := range s.queries {
		gains[q.ID] = map[string]float64{}
	}
	for _, j := range judgements {
		switch {
		case gains[j.Query] == nil:
			return fmt.Errorf("qrels.jsonl judges %q, which is not a query", j.Query)
		case !known[j.Doc]:
			return fmt.Errorf("qrels.jsonl judges %q, which is not a document", j.Doc)
		case j.Gain < 0:
			return fmt.Errorf("qrels.jsonl: the gain of %q for %q is negative", j.Doc, j.Query)
		}
		gains[j.Query][j.Doc] = j.Gain
		relevant[j.Query] = relevant[j.Query] || j.Gain > 0
	}
	for i, q := range s.queries {
		if !relevant[q.ID] {
			return fmt.Errorf("query %q has no relevant document", q.ID)
		}
		s.queries[i].gains = gains[q.ID]
	}
	if len(s.queries) == 0 {
		return errors.New("queries.jsonl is empty")
	}
	return nil
}

func (s *set) checkTemplates(known map[string]bool) error {
	for _, t := range s.templates {
		if len(t.Documents) == 0 {
			return fmt.Errorf("template %q has no documents", t.Name)
		}
		for _, id := range t.Documents {
			if !known[id] {
				return fmt.Errorf("template %q has %q, which is not a document", t.Name, id)
			}
		}
	}
	return nil
}
