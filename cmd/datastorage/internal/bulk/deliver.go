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

// deliverLines sends lines until each is stored or refused, and returns what became of them, in their order.
func deliverLines(ctx context.Context, send Sender, lines []line) ([]outcome, error) {
	outcomes := make([]outcome, len(lines))
	var open []int
	for i, line := range lines {
		if problem := checkLine(line); problem != nil {
			outcomes[i].problem = problem
		} else {
			open = append(open, i)
		}
	}
	return outcomes, sendOrSplit(ctx, send, lines, open, outcomes)
}

// checkLine finds what would make the whole request unreadable.
func checkLine(line line) *client.Problem {
	switch {
	case line.text == nil:
		return &client.Problem{Title: "The line is too long", Detail: fmt.Sprintf("A record has %d bytes at most.", maxLine)}
	case !json.Valid(line.text):
		return &client.Problem{Title: "The line is not JSON", Detail: "Each line must be one JSON object."}
	}
	return nil
}

// sendOrSplit sends the lines at the indices in open. When the request is refused as a whole, the records that its problem
// names are refused with it and the others are sent again; when it names none, each half is sent alone.
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

// refuseNamedRecords refuses the records that a request's problem names, and returns the indices of the others.
func refuseNamedRecords(problem client.Problem, open []int, outcomes []outcome) (rest []int) {
	named := map[int]bool{}
	for _, fault := range problem.Errors {
		if at, _, ok := splitRecordPath(fault.Field); ok {
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

// problemOfRecord is what a problem says of the record at a place of the request, with fields named as within the record. When
// it names none of the record's fields, all of it is said.
func problemOfRecord(problem client.Problem, at int) *client.Problem {
	var own []client.FieldError
	for _, fault := range problem.Errors {
		if place, field, ok := splitRecordPath(fault.Field); ok && place == at {
			fault.Field = field
			own = append(own, fault)
		}
	}
	if own != nil {
		problem.Errors = own
	}
	return &problem
}

// splitRecordPath takes a path such as records[3].metadata.a apart into 3 and metadata.a.
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
