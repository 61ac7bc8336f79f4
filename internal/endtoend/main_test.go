package endtoend_test

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(writerVariable); url != "" {
		runWriter(url)
	}
	if name := os.Getenv(functionVariable); name != "" {
		runFunction(name)
	}
	code := postgrestest.Run(m)
	for _, check := range []func() error{localStack.close, nothingLeaks, everyOperationSeen} {
		if err := check(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// nothingLeaks reports goroutines that outlive every stack.
func nothingLeaks() error {
	http.DefaultClient.CloseIdleConnections() // closes connections to the embedding provider
	return goleak.Find()
}

// everyOperationSeen checks that every documented status of every operation was returned and checked, and so
// were the problems that all operations share. It does nothing if only some tests were run.
func everyOperationSeen() error {
	if flag.Lookup("test.run").Value.String() != "" || testing.Short() {
		return nil
	}
	contract, err := endtoend.LoadContract()
	if err != nil {
		return err
	}
	seen, checked := contract.Seen(), 0
	problems := map[string]bool{}
	for _, statuses := range seen {
		for status, times := range statuses {
			checked += times
			if status >= 400 {
				problems[fmt.Sprint(status)] = true
			}
		}
	}
	for operation, statuses := range contract.Operations() {
		for _, status := range statuses {
			if seen[operation][status] == 0 {
				return fmt.Errorf("no test has seen %s respond with %d", operation, status)
			}
		}
	}
	for _, status := range []string{"400", "401", "403", "404", "405", "409", "413", "415", "422", "500", "503"} {
		if !problems[status] {
			return fmt.Errorf("no test has seen the problem of status %s", status)
		}
	}
	fmt.Fprintf(os.Stderr, "contract: %d responses of %d operations checked, problems %v\n",
		checked, len(contract.Operations()), slices.Sorted(maps.Keys(problems)))
	return nil
}
