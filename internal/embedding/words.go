package embedding

import (
	"iter"
	"strings"

	"github.com/datastorage-service/datastorage/internal/lexical"
)

// featureWords yields the words of a text in lower case: runs of letters, marks and digits that are not stop words. A word that a
// change of case joins together comes in its parts and whole: KubePodCrashLooping is kube, pod, crash, looping and
// kubepodcrashlooping. A change of this is a new version of the hashing model.
func featureWords(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for run := range lexical.Runs(text) {
			whole := strings.ToLower(run)
			for part := range lexical.Parts(run) {
				if part != whole && !lexical.StopWord(part) && !yield(part) {
					return
				}
			}
			if !lexical.StopWord(whole) && !yield(whole) {
				return
			}
		}
	}
}
