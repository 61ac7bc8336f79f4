package audit

import "testing"

func TestValidIdentifier(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     bool
	}{
		{"empty is checked separately", "", true},
		{"kubernetes name", "deployment/my-app-delete-jobs", true},
		{"punctuation", `a "b" 'c' & d; -- /*e*/ \ % _`, true},
		{"arabic", "فشل-التشغيل", true},
		{"chinese", "磁盘空间不足", true},
		{"thai combining marks", "ที่เก็บข้อมูล", true},
		{"emoji joined with zero-width joiner", "👩‍🚒-🇪🇺", true},
		{"bidirectional marks", "a\u200Eb\u200Fc\u061C", true},
		{"nul", "a\x00", false},
		{"newline", "a\nb", false},
		{"tab", "a\tb", false},
		{"delete", "a\x7f", false},
		{"c1", "a\u0085", false},
		{"right-to-left override", "a\u202Eb", false},
		{"left-to-right embedding", "a\u202Ab", false},
		{"isolate", "a\u2066b", false},
		{"pop isolate", "a\u2069b", false},
		{"line separator", "a\u2028b", false},
		{"less than", "a<b", false},
		{"greater than", "a>b", false},
		{"invalid utf-8", "a\xffb", false},
		{"replacement character", "a\uFFFDb", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ValidIdentifier(tt.in); got != tt.want {
				t.Errorf("ValidIdentifier(%q) = %t, want %t", tt.in, got, tt.want)
			}
		})
	}
}
