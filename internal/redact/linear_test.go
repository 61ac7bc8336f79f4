package redact

import (
	"math"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTimeIsLinear repeats labels whose values are no secrets, without white space between them, so each
// value could be read to the end of the line. Four times the text may take at most eight times the
// processor time.
func TestTimeIsLinear(t *testing.T) { //nolint:paralleltest // measures the process
	const small, factor, most = 8 << 10, 4, 8
	for _, label := range []string{
		"Cookie=a;", "Cookie:a;", "Cookie=[a;", "AccountKey=", "key=", "key=[", "key='", "key=<", "key=${", "key=>", "Cookie|", "Cookie,a,",
		"Authorization=a;", "token=", "token:", "password=", "password=[", "password={", "secret='", `secret="`, "auth=", "<token>", "--token=", "-p", "curl -u", "pass,",
	} {
		once, more := processorTime(t, repeat(label, small)), processorTime(t, repeat(label, factor*small))
		if more > most*max(once, time.Millisecond) {
			t.Errorf("%q: %d bytes take %v, %d bytes %v", label, small, once, factor*small, more)
		}
	}
}

func repeat(s string, size int) string { return strings.Repeat(s, size/len(s)) }

// processorTime returns the least processor time of two runs of Text.
func processorTime(t *testing.T, text string) time.Duration {
	t.Helper()
	least := time.Duration(math.MaxInt64)
	for range 2 {
		before := usedProcessorTime(t)
		Text(text, Actions{})
		least = min(least, usedProcessorTime(t)-before)
	}
	return least
}

func usedProcessorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestLongValuesAreGoneWhole checks values that are longer than what is read to recognize them.
func TestLongValuesAreGoneWhole(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("aB3dEf7h", 3*reach/8)
	for _, text := range []string{
		"password=§ user=bob", "token: §\nnext", "tool --password § --verbose", "Authorization: Custom §\nAccept: x",
		"Cookie: sid=§; path=/", "https://x.example/a?token=§&b=1", "<password>§</password>", "AccountKey=§;EndpointSuffix=x", `{"log":"password=§"}`,
	} {
		clean, want := Text(strings.ReplaceAll(text, "§", value), Actions{}), strings.ReplaceAll(text, "§", redacted)
		if clean != want {
			t.Errorf("%s: %d bytes are left: %.200s", text, len(clean), clean)
		}
	}
}
