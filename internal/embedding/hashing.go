package embedding

import (
	"context"
	"math/bits"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// minHashingDimensions is the smallest useful length: with fewer dimensions, unrelated texts collide more than they differ.
const minHashingDimensions = 64

// The character n-grams that are features, in runes, counted with the marker at each end of a word.
const (
	minGram = 3
	maxGram = 5
)

// A word counts for four times one of its n-grams. Of 0, 1, 2, 3, 4, 5, 6 and 8 times, 4 ranks within .007 nDCG@10 of the best
// on each of three test collections, at 512 and at 4,000 dimensions (docs/decisions/004-embedding-cache.md).
const (
	wordWeight = 4
	gramWeight = 1
)

func hashingKind() providerKind {
	return providerKind{
		name: "hashing", defaults: Settings{Dimensions: 512},
		open: func(_ context.Context, s Settings) (provider, error) { return newHashing(s.Dimensions) },
	}
}

// hashingProvider embeds by signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009):
// the features are the words of a text that are not stop words, and the character n-grams of those words (Bojanowski et al.,
// "Enriching Word Vectors with Subword Information", 2017). It needs no network and no weights, takes time in proportion to
// the text, and tells how many words and parts of words two texts share, not what they mean.
//
// The vectors are the same bit for bit on every machine: sums are of integers, the rest is IEEE 754 operations that may not
// be fused, and the hash is XXH64. A change to any of it is a new version in the model's name.
type hashingProvider struct {
	dimensions int
}

// newHashing makes the provider. The dimensions are part of the model's name: vectors of different lengths do not compare.
func newHashing(dimensions int) (*hashingProvider, error) {
	if err := checkRange("Dimensions", dimensions, minHashingDimensions, maxDimensions); err != nil {
		return nil, err
	}
	return &hashingProvider{dimensions: dimensions}, nil
}

const hashingName = "hash-word-char35-v1"

// Hashed reports whether the model's vectors are hashed words: near to each other where texts share words, whatever those mean.
func (m Model) Hashed() bool { return m.Name == hashingName }

// Model is named after what the vectors are made of.
func (h *hashingProvider) Model() Model {
	return Model{Name: hashingName, Dimensions: h.dimensions}
}

// MaxBatch is small enough that a large batch spreads over the processors and stops soon after it is cancelled.
func (h *hashingProvider) MaxBatch() int {
	return 32
}

// Embed makes one vector of unit length for each text. Documents and queries are embedded alike. The only error is ctx's.
func (h *hashingProvider) Embed(ctx context.Context, texts []string, _ inputKind) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		vectors[i] = h.hashText(text)
	}
	return vectors, nil
}

// hashText is the sum of a text's features, brought to unit length. A text without features (empty, or of stop words and
// punctuation alone), or whose features cancel out, gets the vector of the empty word: such texts are near to each other and
// to nothing else.
func (h *hashingProvider) hashText(text string) []float32 {
	found := features{words: map[uint64]int{}, grams: map[uint64]int{}}
	for word := range featureWords(text) {
		found.addWord(word)
	}
	sums := make([]int, h.dimensions)
	addToSums(sums, found.words, wordWeight)
	addToSums(sums, found.grams, gramWeight)

	vector := make([]float32, h.dimensions)
	for i, sum := range sums {
		vector[i] = float32(sum)
	}
	if !normalizeVector(vector) {
		index, sign := featureSlot(xxhash.Sum64String(wordMarker+startMarker+endMarker), h.dimensions)
		vector[index] = float32(sign)
	}
	return vector
}

// Markers: a word is hashed as "=<word>", its n-grams are cut from "<word>", so that a beginning and an end tell from a
// middle, and a whole word from an n-gram that spells it. Words are letters, marks and digits, so no marker occurs in one.
const (
	wordMarker  = "="
	startMarker = "<"
	endMarker   = ">"
)

// features counts the occurrences of the features of one text by their hash.
type features struct {
	words, grams map[uint64]int
	marked       []byte // the word at hand with its markers
	starts       []int  // where each rune after wordMarker begins in marked, and its length at the end
}

func (f *features) addWord(word string) {
	f.marked = append(f.marked[:0], wordMarker+startMarker...)
	f.marked = append(f.marked, word...)
	f.marked = append(f.marked, endMarker...)
	f.words[xxhash.Sum64(f.marked)]++

	f.starts = f.starts[:0]
	for i := len(wordMarker); i < len(f.marked); {
		f.starts = append(f.starts, i)
		_, size := utf8.DecodeRune(f.marked[i:])
		i += size
	}
	f.starts = append(f.starts, len(f.marked))
	for i := range f.starts {
		for n := minGram; n <= maxGram && i+n < len(f.starts); n++ {
			f.grams[xxhash.Sum64(f.marked[f.starts[i]:f.starts[i+n]])]++
		}
	}
}

// addToSums adds each feature to its place among the sums. Integer sums do not depend on the order of the map.
func addToSums(sums []int, counts map[uint64]int, weight int) {
	for feature, count := range counts {
		index, sign := featureSlot(feature, len(sums))
		sums[index] += sign * weight * sublinearCount(count)
	}
}

// featureSlot is where a feature falls and with which sign: the upper half of its hash scaled to the dimensions (Lemire, "Fast
// Random Integer Generation in an Interval", 2019), and its lowest bit.
func featureSlot(feature uint64, dimensions int) (index, sign int) {
	return int(feature >> 32 * uint64(dimensions) >> 32), 1 - 2*int(feature&1)
}

// sublinearCount dampens a count above 0: 1 + log2(count) in 256ths, a straight line between powers of two, so that it is exact
// everywhere, which a logarithm of the standard library is not.
func sublinearCount(count int) int {
	log := bits.Len(uint(count)) - 1
	return 256*(1+log) + (count-1<<log)<<8>>log
}
