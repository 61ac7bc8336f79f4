package embedding

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func newHashingProvider(tb testing.TB, dimensions int) *hashingProvider {
	tb.Helper()
	h, err := newHashing(dimensions)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func hashText(tb testing.TB, h *hashingProvider, text string) []float32 {
	tb.Helper()
	vectors, err := h.Embed(context.Background(), []string{text}, documentInput)
	if err != nil || len(vectors) != 1 {
		tb.Fatalf("Embed = %d vectors, %v", len(vectors), err)
	}
	return vectors[0]
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// Stored vectors depend on these, so they must not change under the same model name. The
// fingerprints are the same on every machine.
func TestHashingIsStable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text        string
		dimensions  int
		fingerprint string
	}{
		{"KubePodCrashLooping\nrestart_pod\npod\nback-off <duration> restarting failed container=api pod=<pod>", 512, "8ad1834a6da4f8d9"},
		{"disk disk disk disk disk full full full", 384, "db67761ca64c61f7"},
		{"قرص ممتلئ · 磁盘已满 · ดิสก์เต็ม · 💾", 1024, "2399f05409558efe"},
		{"", 64, "5b087b14648115e4"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			sum := fnv.New64a()
			for _, x := range hashText(t, newHashingProvider(t, tt.dimensions), tt.text) {
				_, _ = fmt.Fprintf(sum, "%08x", math.Float32bits(x))
			}
			if got := fmt.Sprintf("%016x", sum.Sum64()); got != tt.fingerprint {
				t.Errorf("fingerprint is %s, want %s", got, tt.fingerprint)
			}
		})
	}
}

// Texts with the same content are nearer than others.
func TestHashingNearness(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, near, far string }{
		{"words in another order", "disk full on node", "node disk full", "certificate expired for host"},
		{"inflection", "container restarted", "containers restarting", "certificates expire"},
		{"misspelling", "deployment rollout stuck", "deploymnet rolout stuck", "volume claim pending"},
		{"joined words", "KubePodCrashLooping", "pod is crash looping", "node memory pressure"},
		{"joined abbreviation", "HTTPServerDown", "http server is down", "node memory pressure"},
		{"case", "OOMKILLED", "oomkilled", "evicted"},
		{"function words", "the pod was not ready for a while", "pod not ready", "the node was for a while in the"},
		{"placeholders", "<ip> refused <num>", "refused", "<ip> dropped <num>"},
		{"Chinese", "磁盘空间已满请清理", "磁盘空间已满", "证书已过期请更新"},
		{"Arabic", "القرص ممتلئ", "قرص ممتلئ", "انتهت الشهادة"},
		{"Thai", "ดิสก์เต็มแล้ว", "ดิสก์เต็ม", "ใบรับรองหมดอายุ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHashingProvider(t, 512)
			text := hashText(t, h, tt.text)
			near, far := cosine(text, hashText(t, h, tt.near)), cosine(text, hashText(t, h, tt.far))
			if near < 0.3 || near < far+0.2 {
				t.Errorf("%q has cosine %.2f with %q and %.2f with %q", tt.text, near, tt.near, far, tt.far)
			}
		})
	}
}

// Case, white space, punctuation, placeholders and stop words do not change the vector.
func TestHashingIgnores(t *testing.T) {
	t.Parallel()
	h := newHashingProvider(t, 512)
	want := hashText(t, h, "pod crash looping")
	for _, text := range []string{
		"Pod CRASH looping", "pod\ncrash\tlooping!", "the pod <id> is (crash) looping on <ip>", "pod <num> crash-looping",
	} {
		if diff := cmp.Diff(want, hashText(t, h, text), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("%q differs:\n%s", text, diff)
		}
	}
	if cosine(want, hashText(t, h, "crash looping")) > 0.999 {
		t.Error("another word does not change the vector")
	}
}

// All texts without features have the same unit vector.
func TestHashingWithoutFeatures(t *testing.T) {
	t.Parallel()
	h := newHashingProvider(t, 512)
	want := hashText(t, h, "")
	for _, text := range []string{" ", "\n\t", "the", "... !!!", "<num> <ip>", "\xff\xfe", "💾"} {
		if diff := cmp.Diff(want, hashText(t, h, text)); diff != "" {
			t.Errorf("%q has another vector:\n%s", text, diff)
		}
	}
	if length := cosine(want, want); length != 1 {
		t.Errorf("the squared length is %v", length)
	}
	if near := cosine(want, hashText(t, h, "disk full")); math.Abs(near) > 0.2 {
		t.Errorf("its cosine with a text with features is %.2f", near)
	}
}

func TestHashingDimensions(t *testing.T) {
	t.Parallel()
	for dimensions, valid := range map[int]bool{63: false, 64: true, 4000: true, 4001: false, 0: false, -1: false} {
		_, err := newHashing(dimensions)
		if (err == nil) != valid || err != nil && !strings.Contains(err.Error(), "Dimensions") {
			t.Errorf("%d dimensions: error is %v, want one naming the field: %v", dimensions, err, !valid)
		}
	}
}

func TestHashingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newHashingProvider(t, 512).Embed(ctx, []string{"a"}, queryInput); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want Canceled", err)
	}
}

// A document and a query with the same words have the same vector.
func TestHashingThroughTheEmbedder(t *testing.T) {
	t.Parallel()
	e, err := newEmbedder(newHashingProvider(t, 512), patientPolicy())
	if err != nil {
		t.Fatal(err)
	}
	sigs := newSignatures(100)
	vectors, err := e.Documents(t.Context(), sigs, nil)
	if err != nil || len(vectors) != len(sigs) {
		t.Fatalf("%d vectors, %v; want %d", len(vectors), err, len(sigs))
	}
	for _, sig := range sigs {
		query, err := e.Query(t.Context(), sig.Text)
		if diff := cmp.Diff(vectors[sig.ID], query); err != nil || diff != "" {
			t.Errorf("%q: error %v, document and query differ:\n%s", sig.Text, err, diff)
		}
	}
}

func FuzzHashing(f *testing.F) {
	for _, seed := range []string{"", "a", "KubePodCrashLooping", "<num> <", "HTTPServer2XX", "磁盘已满", "\xff<\xc3", "ǅungla İstanbul ß"} {
		f.Add(seed, 512)
	}
	f.Fuzz(func(t *testing.T, text string, dimensions int) {
		h := newHashingProvider(t, 64+max(0, dimensions)%(4000-64))
		first := hashText(t, h, text)
		if square := cosine(first, first); math.Abs(square-1) > 1e-4 {
			t.Errorf("the squared length is %v", square)
		}
		if !slices.Equal(first, hashText(t, h, text)) {
			t.Error("the second vector differs")
		}
	})
}

func BenchmarkHashing(b *testing.B) {
	sentence := "KubePodCrashLooping restart_pod pod back-off <duration> restarting failed container in namespace payments; "
	for _, size := range []int{100, 1_000, 10_000, 100_000} {
		text := strings.Repeat(sentence, size/len(sentence)+1)[:size]
		b.Run(fmt.Sprintf("repeated/%d", size), func(b *testing.B) { benchmarkHashing(b, text) })
		b.Run(fmt.Sprintf("distinct/%d", size), func(b *testing.B) { benchmarkHashing(b, distinctWords(size)) })
	}
}

// distinctWords returns a text of distinct words, the most expensive for its size.
func distinctWords(size int) string {
	var text strings.Builder
	for i := uint64(1); text.Len() < size; i++ {
		_, _ = fmt.Fprintf(&text, "%x ", i*0x9e3779b97f4a7c15>>24)
	}
	return text.String()[:size]
}

func benchmarkHashing(b *testing.B, text string) {
	h := newHashingProvider(b, 512)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		hashText(b, h, text)
	}
}
