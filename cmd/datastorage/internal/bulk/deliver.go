package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/client"
)

// deliverLines sends lines until each is stored or refused, and returns their outcomes in the same order.
func deliverLines(ctx context.Context, send Sender, lines []line) ([]outcome, error) {
	outcomes := make([]outcome, len(lines))
	var open []int
	for i, line := range lines {
		if problem := problemOfLine(line); problem != nil {
			outcomes[i].problem = problem
		} else {
			open = append(open, i)
		}
	}
	return outcomes, sendOrSplit(ctx, send, lines, open, outcomes)
}

// problemOfLine returns the problem of a line that would make the whole request invalid, or nil.
func problemOfLine(line line) *client.Problem {
	switch {
	case line.text == nil:
		return &client.Problem{Title: "The line is too long", Detail: fmt.Sprintf("A record has at most %d bytes.", maxLine)}
	case !json.Valid(line.text):
		return &client.Problem{Title: "The line is not JSON", Detail: "Each line must be one JSON object."}
	}
	return nil
}

// sendOrSplit sends the lines at the indexes in open. If the service refuses the whole request, the records named in its problem are
// refused and the others sent again; if it names none, each half is sent separately.
func sendOrSplit(ctx context.Context, send Sender, lines []line, open []int, outcomes []outcome) error {
	if len(open) == 0 {
		return nil
	}
	records := make([]json.RawMessage, len(open))
	for at, i := range open {
		records[at] = lines[i].text
	}
	results, err := send(ctx, records)
	if err == nil {
		for at, i := range open {
			outcomes[i] = outcomeOfResult(results[at], at)
		}
		return nil
	}
	refusal, refused := errors.AsType[*client.Error](err)
	if !refused || !errors.Is(err, client.ErrInvalid) && !errors.Is(err, client.ErrTooLarge) {
		return err
	}
	if len(open) == 1 {
		outcomes[open[0]].problem = problemOfRecord(refusal.Problem, 0)
		return nil
	}
	rest := refuseNamedRecords(refusal.Problem, open, outcomes)
	if len(rest) < len(open) {
		return sendOrSplit(ctx, send, lines, rest, outcomes)
	}
	half := len(open) / 2
	if err := sendOrSplit(ctx, send, lines, open[:half], outcomes); err != nil {
		return err
	}
	return sendOrSplit(ctx, send, lines, open[half:], outcomes)
}

// refuseNamedRecords refuses the records that a request's problem names, and returns the indexes of the others.
func refuseNamedRecords(problem client.Problem, open []int, outcomes []outcome) (rest []int) {
	named := map[int]bool{}
	for _, fieldError := range problem.Errors {
		if at, _, ok := splitRecordPath(fieldError.Field); ok {
			named[at] = true
		}
	}
	for at, i := range open {
		if named[at] {
			outcomes[i].problem = problemOfRecord(problem, at)
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}

func outcomeOfResult(result client.BatchResult, at int) outcome {
	if result.Problem != nil {
		return outcome{problem: problemOfRecord(*result.Problem, at)}
	}
	return outcome{replay: result.Replayed()}
}

// problemOfRecord reduces a problem to the errors of the record at an index of the request, with field names relative to the record. If
// it names none of the record's fields, the problem is returned whole.
func problemOfRecord(problem client.Problem, at int) *client.Problem {
	var own []client.FieldError
	for _, fieldError := range problem.Errors {
		if index, field, ok := splitRecordPath(fieldError.Field); ok && index == at {
			fieldError.Field = field
			own = append(own, fieldError)
		}
	}
	if own != nil {
		problem.Errors = own
	}
	return &problem
}

// splitRecordPath splits a path such as records[3].metadata.a into 3 and metadata.a.
func splitRecordPath(path string) (at int, field string, ok bool) {
	rest, ok := strings.CutPrefix(path, "records[")
	if !ok {
		return 0, "", false
	}
	number, field, ok := strings.Cut(rest, "]")
	if !ok {
		return 0, "", false
	}
	at, err := strconv.Atoi(number)
	return at, strings.TrimPrefix(field, "."), err == nil
}
