package signature

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// maxComparedTokens is the number of tokens of a text that NearDuplicates compares; the rest is
// ignored. It bounds the work to as many hashes per text.
const maxComparedTokens = 64

// Slot is a position in which texts differ that are otherwise equal: a value that the normalizer
// should have replaced, or a word that tells incidents apart.
type Slot struct {
	// Text is the text with the slot as *, up to its 64th token.
	Text string
	// Values counts the distinct tokens in the slot. Example is one of them.
	Values  int
	Example string
}

// NearDuplicates counts the texts that have a near duplicate among the others: an equal text after
// masking every token with a digit or a placeholder, or one that differs in a single token. It also
// returns the slots in which they differ, the one with the most values first.
//
// It takes time and space linear in the number of texts.
func NearDuplicates(texts []string) (count int64, slots []Slot) {
	masked, wildcards := map[uint64][]int{}, map[uint64][]neighbor{}
	seed := maphash.MakeSeed()
	for i, text := range texts {
		tokens := comparedTokens(text)
		hashes := make([]uint64, len(tokens))
		maskedSum, sum := uint64(len(tokens)), uint64(len(tokens))
		for j, token := range tokens {
			hashes[j] = hashToken(seed, j, token)
			sum += hashes[j]
			maskedSum += hashToken(seed, j, maskToken(token))
		}
		masked[maskedSum] = append(masked[maskedSum], i)
		for j := range tokens {
			key := sum - hashes[j] + hashToken(seed, j, "*")
			wildcards[key] = append(wildcards[key], neighbor{text: i, token: j})
		}
	}
	near := make([]bool, len(texts))
	for _, group := range masked {
		for _, i := range group {
			near[i] = near[i] || len(group) > 1
		}
	}
	for _, group := range wildcards {
		if len(group) < 2 {
			continue
		}
		for _, n := range group {
			near[n.text] = true
		}
		slots = append(slots, makeSlot(texts, group))
	}
	for _, isNear := range near {
		if isNear {
			count++
		}
	}
	slices.SortFunc(slots, func(a, b Slot) int { return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(a.Text, b.Text)) })
	return count, slots
}

// neighbor is a text without one of its tokens.
type neighbor struct{ text, token int }

func makeSlot(texts []string, group []neighbor) Slot {
	tokens := comparedTokens(texts[group[0].text])
	example := tokens[group[0].token]
	tokens[group[0].token] = "*"
	return Slot{Text: strings.Join(tokens, " "), Values: len(group), Example: example}
}

func comparedTokens(text string) []string {
	tokens := strings.Fields(text)
	return tokens[:min(len(tokens), maxComparedTokens)]
}

// maskToken returns the token, or * if it is like a value.
func maskToken(token string) string {
	if ascii.Digits.Index(token) >= 0 || strings.Contains(token, phValue) || strings.Contains(token, phTime) || strings.Contains(token, phAddress) {
		return "*"
	}
	return token
}

// hashToken returns a hash of a token and its position. The hash of a text is the sum over its
// tokens.
func hashToken(seed maphash.Seed, position int, token string) uint64 {
	return maphash.String(seed, token) * (2*uint64(position) + 1)
}
