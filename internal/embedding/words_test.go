package embedding

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{"the of and", nil},
		{"Disk full", []string{"disk", "full"}},
		{"KubePodCrashLooping", []string{"kube", "pod", "crash", "looping", "kubepodcrashlooping"}},
		{"HTTPServer", []string{"http", "server", "httpserver"}},
		{"getHTTP", []string{"get", "http", "gethttp"}},
		{"KubeletTooManyPods", []string{"kubelet", "many", "pods", "kubelettoomanypods"}},
		{"CPU OOM", []string{"cpu", "oom"}},
		{"Pod", []string{"pod"}},
		{"ÜberGroß", []string{"über", "groß", "übergroß"}},
		{"node_memory-pressure/api:v2", []string{"node", "memory", "pressure", "api", "v2"}},
		{"no space left, not ready, up, down", []string{"no", "space", "left", "not", "ready", "up", "down"}},
		{"failed <num> times on <ip>:<num>", []string{"failed", "times"}},
		{"a<b c<d> <e f> <G> <> <", []string{"b", "c", "e", "f", "g"}},
		{"<averyveryverylongname>", []string{"averyveryverylongname"}},
		{"磁盘 ดิสก์เต็ม", []string{"磁盘", "ดิสก์เต็ม"}},
		{"x\xffy", []string{"x", "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			got := slices.Collect(featureWords(tt.text))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

// Iteration over the words may stop at any word.
func TestWordsStop(t *testing.T) {
	t.Parallel()
	all := slices.Collect(featureWords("KubePod down HTTPServer"))
	for n := range all {
		var got []string
		for word := range featureWords("KubePod down HTTPServer") {
			if got = append(got, word); len(got) == n+1 {
				break
			}
		}
		if diff := cmp.Diff(all[:n+1], got); diff != "" {
			t.Errorf("the first %d words (-want +got):\n%s", n+1, diff)
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		limit      int
		want       string
	}{
		{"short", "abc", 3, "abc"},
		{"trimmed", " abc\n", 3, "abc"},
		{"runes, not bytes", "éèê", 3, "éèê"},
		{"at a rune", "éèêë", 3, "éèê"},
		{"at a space", strings.Repeat("x", 9) + " yz", 10, strings.Repeat("x", 9)},
		{"no space near", "a " + strings.Repeat("x", 20), 16, "a " + strings.Repeat("x", 14)},
		{"nothing allowed", "abc", 0, ""},
		{"blank", "  ", 5, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := truncateText(tt.text, tt.limit); got != tt.want {
				t.Errorf("truncate = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSublinear(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]int{1: 256, 2: 512, 3: 640, 4: 768, 6: 896, 8: 1024, 1 << 20: 21 * 256} {
		if got := sublinearCount(count); got != want {
			t.Errorf("sublinear(%d) = %d, want %d", count, got, want)
		}
	}
}

// Decoding any response returns an error of this package, or one finite vector per text.
func FuzzDecodeOpenAI(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"data": null}`, `{"data": [null]}`, `{"data": [{"index": 0, "embedding": [1, 2]}]}`,
		`{"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2]}]}`, `{"data": [{"index": 0, "embedding": "AACAPw=="}]}`,
		`{"data": [{"index": 0, "embedding": [1e39]}]}`, `{"data": [{"index": 0, "embedding": [NaN]}]}`, `{"data": [{"embedding": "AADAfw=="}]}`,
	} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		n = 1 + max(0, n)%4
		vectors, err := decodeOpenAIResponse(body, n)
		if err == nil && len(vectors) != n {
			t.Errorf("%d vectors for %d texts", len(vectors), n)
		}
		if err == nil {
			err = checkVectors(vectors, n, Model{Dimensions: len(vectors[0])})
		}
		if err != nil {
			if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRefused) {
				t.Errorf("unclassified error: %v", err)
			}
			return
		}
		for _, vector := range vectors {
			if !normalizeVector(vector) {
				t.Errorf("a vector without direction passed: %v", vector)
			}
		}
	})
}
