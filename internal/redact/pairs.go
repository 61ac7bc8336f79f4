package redact

// bytePairs is the set of adjacent byte pairs in a text, hashed into 1,024 bits. It serves as a
// Bloom filter: after one pass over the text, most anchors that the text does not contain are
// excluded without a search.
type bytePairs [16]uint64

func newBytePairs(s string) (pairs bytePairs) {
	for i := 1; i < len(s); i++ {
		word, bit := bytePairBit(s[i-1], s[i])
		pairs[word] |= bit
	}
	return pairs
}

// bytePairBit returns the position of a byte pair in the set: multiplicative hashing (Knuth, The
// Art of Computer Programming 3, section 6.4) by 2³² over the golden ratio, keeping the upper ten
// bits.
func bytePairBit(a, b byte) (word int, bit uint64) {
	hash := (uint32(a)<<8 | uint32(b)) * 0x9E3779B1 >> 22
	return int(hash >> 6), 1 << (hash & 63)
}

// excludes reports whether the text certainly lacks the anchor. False means that it may contain it.
func (pairs *bytePairs) excludes(anchor string) bool {
	for i := 1; i < len(anchor); i++ {
		if word, bit := bytePairBit(anchor[i-1], anchor[i]); pairs[word]&bit == 0 {
			return true
		}
	}
	return false
}
