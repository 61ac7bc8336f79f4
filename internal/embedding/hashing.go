package embedding

import (
	"context"
	"math/bits"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// minHashingDimensions is the smallest useful length: with fewer dimensions, unrelated texts
// collide more than they differ.
const minHashingDimensions = 64

// Lengths of the character n-grams in runes, including the markers at the ends of a word.
const (
	minGram = 3
	maxGram = 5
)

// Weights of a word and of an n-gram. Of the ratios 0, 1, 2, 3, 4, 5, 6 and 8, 4 ranks within .007
// nDCG@10 of the best on each of three test collections, at 512 and at 4,000 dimensions
// (docs/decisions/004-embedding-cache.md).
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

// hashingProvider uses signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale
// Multitask Learning", 2009). The features are the words of a text without stop words, and the
// character n-grams of those words (Bojanowski et al., "Enriching Word Vectors with Subword
// Information", 2017). It runs offline, without model weights, in linear time. The vectors measure
// shared words and parts of words, not meaning.
//
// The vectors are bit-identical on every machine: the sums are integers, the other operations are
// IEEE 754 without fused multiply-add, and the hash is XXH64. Any change of that requires a new
// version in the model's name.
type hashingProvider struct {
	dimensions int
}

func newHashing(dimensions int) (*hashingProvider, error) {
	if err := checkRange("Dimensions", dimensions, minHashingDimensions, maxDimensions); err != nil {
		return nil, err
	}
	return &hashingProvider{dimensions: dimensions}, nil
}

const hashingName = "hash-word-char35-v1"

// Hashed reports whether the vectors measure shared words rather than meaning.
func (m Model) Hashed() bool { return m.Name == hashingName }

// Model implements provider. The name describes the features.
func (h *hashingProvider) Model() Model {
	return Model{Name: hashingName, Dimensions: h.dimensions}
}

// MaxBatch is small enough that a large batch uses all processors and stops soon after it is
// cancelled.
func (h *hashingProvider) MaxBatch() int {
	return 32
}

// Embed implements provider. Documents and queries are embedded alike. The only error is ctx's.
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

// hashText returns the normalized sum of the text's features. A text without features (empty, or
// only stop words and punctuation), or with features that cancel out, gets the vector of the empty
// word: such texts are similar to each other only.
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

// A word is hashed as "=<word>", and its n-grams are cut from "<word>". The markers distinguish a
// prefix or suffix from the middle of a word, and a word from an n-gram with the same letters.
// Words consist of letters, marks and digits and contain no marker.
const (
	wordMarker  = "="
	startMarker = "<"
	endMarker   = ">"
)

// features counts the features of one text by their hash.
type features struct {
	words, grams map[uint64]int
	marked       []byte // the current word with its markers
	starts       []int  // offsets in marked of the runes after wordMarker, and the length of marked
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

// addToSums adds each feature to its slot. Integer sums do not depend on the order of the map.
func addToSums(sums []int, counts map[uint64]int, weight int) {
	for feature, count := range counts {
		index, sign := featureSlot(feature, len(sums))
		sums[index] += sign * weight * sublinearCount(count)
	}
}

// featureSlot returns the index of a feature, which is the upper half of its hash scaled to the
// dimensions (Lemire, "Fast Random Integer Generation in an Interval", 2019), and its sign, which
// is the lowest bit of the hash.
func featureSlot(feature uint64, dimensions int) (index, sign int) {
	return int(feature >> 32 * uint64(dimensions) >> 32), 1 - 2*int(feature&1)
}

// sublinearCount returns 1 + log2(count) in 256ths for a positive count, interpolated linearly
// between powers of two. Unlike math.Log2, it is exact on every machine.
func sublinearCount(count int) int {
	log := bits.Len(uint(count)) - 1
	return 256*(1+log) + (count-1<<log)<<8>>log
}
