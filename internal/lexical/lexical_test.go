package lexical_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/text/unicode/norm"

	"github.com/datastorage-service/datastorage/internal/lexical"
)

// termTexts returns a query's terms as written, sorted.
func termTexts(q lexical.Query) []string {
	var all []string
	for _, term := range q {
		all = append(all, term.Text)
	}
	slices.Sort(all)
	return all
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		want        []string
	}{
		{"nothing", "the of and", nil},
		{"words and pairs", "Disk is full", []string{"disk", "disk full", "full"}},
		{"one term for one stem", "pod pods", []string{"pod", "pod pods"}},
		{"camel case", "CrashLoopBackOff", []string{"back", "back off", "crash", "crash loop", "loop", "loop back", "off"}},
		{"a compound", "crashloopbackoff", []string{"back", "back off", "crash", "crash loop", "loop", "loop back", "off"}},
		{"an abbreviation", "PVC", []string{"claim", "persistent", "persistent volume", "pvc", "pvc persistent", "volume", "volume claim"}},
		{"placeholders", "<n> errors on <ip>", []string{"errors"}},
		{"no pair across lines", "disk\nfull", []string{"disk", "full"}},
		{"a script without spaces", "磁盘空间", []string{"盘空", "盘空 空间", "磁盘", "磁盘 盘空", "空间"}},
		{"scripts that meet", "CPU使用率", []string{"cpu", "cpu 使用", "使用", "使用 用率", "用率"}},
		{"one character", "满 full", []string{"full", "满", "满 full"}},
		{"letters with marks", "เต็ม", []string{"ต็ม", "เต็", "เต็ ต็ม"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, termTexts(lexical.Parse(tt.query)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("terms (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlainFormsMatch checks that abbreviations and compounds match their long forms, whichever of
// the two is stored.
func TestPlainFormsMatch(t *testing.T) {
	t.Parallel()
	for short, long := range map[string]string{
		"OOMKilled": "killed, out of memory", "oom": "out of memory", "PVC": "PersistentVolumeClaim", "hpa": "horizontal pod autoscaler",
		"statefulset": "StatefulSet", "ImagePullBackOff": "image pull back-off", "k8s": "Kubernetes", "KubePodCrashLooping": "pod is crashlooping",
	} {
		for query, document := range map[string]string{short: long, long: short} {
			if got := scoreOfFirst(query, document, "certificate expired", "disk full"); got <= 0 {
				t.Errorf("%q finds nothing in %q", query, document)
			}
		}
	}
}

// TestScripts checks what is found in scripts without spaces, whatever form of Unicode and whatever
// case it is in, and that a text with other words is not.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, query, document string
		other                 string // a text in the same script that must not be found
	}{
		{"Chinese", "空间不足", "节点的磁盘空间不足，无法写入日志", "证书已经过期，请更新"},
		{"traditional Chinese", "連線逾時", "資料庫連線逾時三次", "憑證已過期"},
		{"Japanese", "メモリ不足", "ポッドはメモリ不足のため終了しました", "証明書の期限が切れました"},
		{"Japanese with the prolonged sound", "サーバー", "ウェブサーバーが応答しない", "証明書"},
		{"Thai", "พื้นที่ไม่พอ", "ดิสก์มีพื้นที่ไม่พอสำหรับบันทึก", "ใบรับรองหมดอายุแล้ว"},
		{"Khmer", "ថាសពេញ", "ម៉ាស៊ីនមេមានថាសពេញហើយ", "វិញ្ញាបនបត្រ"},
		{"Lao", "ດິສເຕັມ", "ເຄື່ອງແມ່ຂ່າຍດິສເຕັມແລ້ວ", "ໃບຢັ້ງຢືນໝົດອາຍຸ"},
		{"Burmese", "ဒစ်ပြည့်", "ဆာဗာဒစ်ပြည့်နေသည်", "လက်မှတ်"},
		{"Korean with a particle", "메모리", "컨테이너의 메모리가 부족합니다", "인증서 만료"},
		{"decomposed Hangul", norm.NFD.String("메모리 부족"), "컨테이너 메모리 부족", norm.NFD.String("인증서 만료")},
		{"Hangul stored decomposed", "메모리 부족", norm.NFD.String("컨테이너 메모리 부족"), "인증서 만료"},
		{"full width", "ＯＯＭＫｉｌｌｅｄ", "container was OOMKilled", "ｄｉｓｋ"},
		{"stored in full width", "disk full", "警告：ｄｉｓｋ　ｆｕｌｌ！", "ｏｔｈｅｒ"},
		{"half-width kana", "ｻｰﾊﾞｰ", "サーバー", "ｴﾗｰ"},
		{"ligatures", "file not found", "ﬁle is gone", "ﬂow"},
		{"compatibility symbols", "kg", "12 ㎏", "㎞"},
		{"sharp s", "GROSSE Dateien", "große Ordner", "kleine"},
		{"capital sharp s", "STRAẞE", "strasse", "weg"},
		{"Greek sigma", "ΣΦΑΛΜΑΤΟΣ", "σφάλμα σφαλματος", "δίσκος"},
		{"Turkish dotted i", "DİSK", "disk dolu", "bellek"},
		{"Turkish dotless i", "SINIRI", "bellek sınırı aşıldı", "dolu"},
		{"composed and decomposed", norm.NFD.String("Überlauf"), "ÜBERLAUF im Puffer", "voll"},
		{"composed capitals", norm.NFD.String("ÉCHEC"), "échec", "panne"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := scoreOfFirst(tt.query, tt.document, tt.other, "x"); got <= 0 {
				t.Errorf("%q finds nothing in %q", tt.query, tt.document)
			}
			if got := scoreOfFirst(tt.query, tt.other, tt.document, "x"); got != 0 {
				t.Errorf("%q has score %v in %q", tt.query, got, tt.other)
			}
			scorer := lexical.NewScorer(lexical.Parse(tt.query), statistics(tt.document, tt.other))
			spansOfParts(t, scorer, tt.document)
		})
	}
}

// scoreOfFirst returns the score of the first document for the query in a collection of all documents.
func scoreOfFirst(query string, documents ...string) float64 {
	scorer := lexical.NewScorer(lexical.Parse(query), statistics(documents...))
	got, _ := scorer.Score(lexical.Analyze(documents[0]))
	return got
}

func statistics(documents ...string) lexical.Statistics {
	s := lexical.Statistics{Signatures: int64(len(documents)), Holding: map[lexical.Term]int64{}}
	for _, document := range documents {
		d := lexical.Analyze(document)
		s.MeanLength += float64(d.Length) / float64(len(documents))
		for _, term := range d.Terms {
			s.Holding[term]++
		}
	}
	return s
}

func TestAnalyze(t *testing.T) {
	t.Parallel()
	// Words of the first line count twice, its pairs once: disk 2+1, full 2, error 1, and the pairs
	// "disk full" and "error disk".
	d := lexical.Analyze("DiskFull\nerror: <n> disk")
	if d.Length != 6 || len(d.Terms) != 5 {
		t.Errorf("%d words, %d terms; want 6, 5", d.Length, len(d.Terms))
	}
	counts := slices.Sorted(slices.Values(d.Counts))
	if diff := cmp.Diff([]int16{1, 1, 1, 2, 3}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(d.Terms) || len(slices.Compact(slices.Clone(d.Terms))) != len(d.Terms) {
		t.Errorf("the terms %v are not sorted and distinct", d.Terms)
	}
}

// TestURLs checks that words of a URL count once, and only if they do not occur before it.
func TestURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]int16{
		"x\nsee http://web.example.com/web/web, or web http://web.example.com": {"web": 2, "exampl": 1, "see": 1, "see http": 0, "com": 1},
		"x\nGet \"https://api.github.com/x\": dial tcp":                        {"github": 1, "api github": 0, "dial tcp": 1, "get": 1},
		"x\nhttp://<ip>:<n>/healthz healthz":                                   {"healthz": 2},
		"x\n:// web web ://web a:// b":                                         {"web": 3, "b": 1},
		"x\n漢http://web web web":                                               {"web": 3},
	} {
		d := lexical.Analyze(text)
		got := map[string]int16{}
		for i, term := range d.Terms {
			for stems := range want {
				if lexical.Term(xxhash.Sum64String(stems)) == term {
					got[stems] = d.Counts[i]
				}
			}
		}
		maps.DeleteFunc(want, func(_ string, n int16) bool { return n == 0 })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestScore compares with BM25 computed by hand: k1 is 1.5, b is 0.75; one of four documents
// contains disk, two contain full, none lunch. 30 documents more contain nothing, and a score of 1
// is the sum of the weights of three words and two more of their mean weight.
func TestScore(t *testing.T) {
	t.Parallel()
	collection := []string{"x\ndisk full full", "y\nqueue full", "z\nlost", "w\nlost"}
	s := statistics(collection...)
	scorer := lexical.NewScorer(lexical.Parse("disk, full, lunch"), s)
	d := lexical.Analyze(collection[0])
	if d.Length != 5 || s.MeanLength != (5+4+3+3)/4.0 {
		t.Fatalf("length %d, mean %v", d.Length, s.MeanLength)
	}
	idf := func(holding float64) float64 { return math.Log(1 + (30+4-holding+0.5)/(holding+0.5)) }
	damping := 1.5 * (1 - 0.75 + 0.75*5/3.75)
	part := func(weight, count float64) float64 { return weight * count * 2.5 / (count + damping) }
	want := part(idf(1), 1) + part(idf(2), 2) + part(0.3*idf(1), 1)
	score, raw := scorer.Score(d)
	if math.Abs(raw-want) > 1e-9 {
		t.Errorf("raw score %v, want %v", raw, want)
	}
	if full := 2.5 * (idf(1) + idf(2) + idf(1)) * (3 + 2) / 3; math.Abs(score-want/full) > 1e-9 {
		t.Errorf("score %v, want %v", score, want/full)
	}
	var sum float64
	parts := scorer.Parts(d)
	for _, p := range parts {
		sum += p.Score
	}
	if len(parts) != 3 || math.Abs(sum-raw) > 1e-9 || parts[2].Text != "disk full" {
		t.Errorf("parts %+v add up to %v, want %v", parts, sum, raw)
	}
}

// TestScoreIsOfTheWholeQuery checks that unknown words lower a score, and that it hardly depends on
// how many documents there are and how many of them contain the words.
func TestScoreIsOfTheWholeQuery(t *testing.T) {
	t.Parallel()
	const same = "Disk\ndisk of the node is full"
	for _, c := range []struct {
		name, query string
		collection  []string
		low, high   float64
	}{
		{"the same text alone", same, []string{same}, 0.35, 1},
		{"the same text in all documents", same, []string{same, same, same}, 0.35, 1},
		{"the same text in one of many", same, append(slices.Repeat([]string{"Lost\nqueue was lost"}, 1000), same), 0.35, 1},
		{"one word of one", "disk", []string{same}, 0.17, 0.4},
		{"one word of ten", "disk a1 b2 c3 d4 e5 f6 g7 h8 i9", []string{same}, 0, 0.1},
		{"one word of ten in all documents", "disk a1 b2 c3 d4 e5 f6 g7 h8 i9", []string{same, same, same}, 0, 0.1},
		{"two words in all documents", "disk full", []string{same, same, same}, 0.17, 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			scorer := lexical.NewScorer(lexical.Parse(c.query), statistics(c.collection...))
			if got, _ := scorer.Score(lexical.Analyze(same)); got < c.low || got > c.high {
				t.Errorf("score %v, want %v to %v", got, c.low, c.high)
			}
		})
	}
}

// TestInstanceNamesCountHalf checks that a word in an instance's name has half the weight of other
// words.
func TestInstanceNamesCountHalf(t *testing.T) {
	t.Parallel()
	weight := func(query string) float64 {
		for _, term := range lexical.Parse(query) {
			if term.Text == "api" {
				return term.Weight
			}
		}
		return 0
	}
	if plain, instance := weight("api is down"), weight("api-<hex>-<pod> is down"); plain != 1 || instance != 0.5 {
		t.Errorf("weights %v and %v, want 1 and 0.5", plain, instance)
	}
}

// TestSpans checks that spans count characters rather than bytes, that the parts of a compound have
// its span, and that the span of a pair reaches from its first word to its second.
func TestSpans(t *testing.T) {
	t.Parallel()
	const text = "KubePodOOMKilled\nرفض <pod> “killed”: 漢字 out of\nmemory"
	got := lexical.Spans(text, []string{"pods", "killed", "漢字", "out", "memory", "out memory", "elsewhere"})
	want := [][]lexical.Span{
		{{4, 7}}, {{10, 16}, {28, 34}}, {{37, 39}}, {{7, 10}, {40, 43}}, {{7, 10}, {47, 53}}, {{7, 10}}, nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	// Positions are those of the stored text: decomposed Hangul has a character for each sound.
	decomposed := "ＤＩＳＫ：" + norm.NFD.String("용량") + "不足です㎏"
	got = lexical.Spans(decomposed, []string{"disk", "용량", "不足", "不足 足で", "kg"})
	want = [][]lexical.Span{{{0, 4}}, {{5, 11}}, {{11, 13}}, {{11, 14}}, {{15, 16}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans in %+q (-want +got):\n%s", decomposed, diff)
	}
	for _, spans := range lexical.Spans("", []string{"pods"}) {
		if len(spans) != 0 {
			t.Error("an empty text has terms")
		}
	}
}

func TestNothingInCommon(t *testing.T) {
	t.Parallel()
	if got := scoreOfFirst("database locked", "disk full"); got != 0 {
		t.Errorf("score %v", got)
	}
	if got := scoreOfFirst("the", "disk full"); got != 0 {
		t.Errorf("score of a query without terms %v", got)
	}
}

// spansOfParts checks that each matching term has spans, and that all spans are in order and within
// the text.
func spansOfParts(t *testing.T, scorer *lexical.Scorer, text string) {
	t.Helper()
	var terms []string
	for _, part := range scorer.Parts(lexical.Analyze(text)) {
		terms = append(terms, part.Text)
	}
	for i, spans := range lexical.Spans(text, terms) {
		if len(spans) == 0 {
			t.Fatalf("%q matches but has no span", terms[i])
		}
		for j, span := range spans {
			if span.Start < 0 || span.End <= span.Start || span.End > utf8.RuneCountInString(text) || j > 0 && span.Start < spans[j-1].Start {
				t.Fatalf("%q: spans %v", terms[i], spans)
			}
		}
	}
}

// FuzzAnalyze checks that terms are distinct and sorted and each has a count, that scores are from
// 0 to 1, and that a text matches itself.
func FuzzAnalyze(f *testing.F) {
	for _, seed := range []string{"", "disk full", "KubePodCrashLooping\nrestart_pod\nOOMKilled <n> times", "x\xff<", "磁盘 已满", "ＤＩＳＫ용ﷺ㎏ｶﾞ", "İıßẞ", strings.Repeat("a b ", 3000)} {
		f.Add(seed, "disk full")
	}
	f.Fuzz(func(t *testing.T, text, query string) {
		d := lexical.Analyze(text)
		if len(d.Terms) != len(d.Counts) || !slices.IsSorted(d.Terms) || len(slices.Compact(slices.Clone(d.Terms))) != len(d.Terms) {
			t.Fatalf("%+v", d)
		}
		for _, count := range d.Counts {
			if count < 1 {
				t.Fatalf("%+v", d)
			}
		}
		if (len(d.Terms) == 0) != (d.Length == 0) {
			t.Fatalf("%d terms, length %d", len(d.Terms), d.Length)
		}
		for _, q := range []string{query, text} {
			scorer := lexical.NewScorer(lexical.Parse(q), statistics(text, "something else"))
			got, raw := scorer.Score(d)
			if got < 0 || got > 1 || math.IsNaN(raw) {
				t.Fatalf("score %v, raw %v", got, raw)
			}
			spansOfParts(t, scorer, text)
		}
		if own := scoreOfFirst(text, text, "something else"); d.Length > 0 && own <= 0 {
			t.Fatalf("%q does not find itself", text)
		}
	})
}
