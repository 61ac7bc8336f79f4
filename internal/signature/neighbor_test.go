package signature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearDuplicates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		texts []string
		count int64
		slots []Slot
	}{
		{"none", nil, 0, nil},
		{"different texts", []string{"disk is full", "connection refused by peer", "disk full"}, 0, nil},
		{
			"a slot leaks",
			[]string{"job qzxa is late", "job lmno is late", "job abcd is late", "disk is full"},
			3,
			[]Slot{{Text: "job * is late", Values: 3, Example: "qzxa"}},
		},
		{"values in several tokens", []string{"a1 waits for b2", "a3 waits for b4", "a waits for b"}, 2, nil},
		{"same tokens elsewhere", []string{"a b c", "b a c"}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			count, slots := NearDuplicates(tt.texts)
			if count != tt.count {
				t.Errorf("%d near duplicates, want %d", count, tt.count)
			}
			if diff := cmp.Diff(tt.slots, slots); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
		})
	}
}
