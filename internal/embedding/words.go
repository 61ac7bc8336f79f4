package embedding

import (
	"iter"
	"strings"

	"github.com/datastorage-service/datastorage/internal/lexical"
)

// featureWords yields the words of a text in lower case, without stop words. A word is a run of
// letters, marks and digits. A compound in camel case yields its parts and the whole:
// KubePodCrashLooping yields kube, pod, crash, looping and kubepodcrashlooping. Any change requires
// a new version of the hashing model.
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
