package redact

// pairs is the set of the pairs of neighbouring bytes in a text, hashed into 1,024 bits. One look over the text answers of most anchors
// that they are not in it.
type pairs [16]uint64

func pairsOf(s string) (held pairs) {
	for i := 1; i < len(s); i++ {
		word, bit := pairBit(s[i-1], s[i])
		held[word] |= bit
	}
	return held
}

// pairBit is where a pair of bytes stands in the set: multiplicative hashing (Knuth, The Art of Computer Programming 3, section 6.4) by
// 2³² over the golden ratio, of which the upper ten bits are kept.
func pairBit(a, b byte) (word int, bit uint64) {
	hash := (uint32(a)<<8 | uint32(b)) * 0x9E3779B1 >> 22
	return int(hash >> 6), 1 << (hash & 63)
}

// lack is true only if the text does not hold the anchor.
func (held *pairs) lack(anchor string) bool {
	for i := 1; i < len(anchor); i++ {
		if word, bit := pairBit(anchor[i-1], anchor[i]); held[word]&bit == 0 {
			return true
		}
	}
	return false
}
