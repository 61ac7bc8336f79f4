package signature

import "github.com/datastorage-service/datastorage/internal/ascii"

// usualPairs has, for each letter, the letters that often follow it within words: those of at least
// one in 2,000 pairs of adjacent letters, in the 36,458 words of three or more letters in Debian 12's
// package names, the retrieval sets cranfield and runbooks, and loghub.
var usualPairs = letterPairs(
	"bcdfgiklmnprstuvwxy", "abcdefghijklmnoprstuvx", "acdehiklmoprstu", "abcdefgilmnoprstu", "abcdefgilmnopqrstuvwxy",
	"aefilorstu", "adeghilmnoprstu", "aeiortuy", "abcdefgklmnoprstvxz", "aes", "adeilostu", "acdefilmopstuy", "abcdeilmopstu",
	"acdefgiklmnopstuvy", "abcdfgiklmnoprstuvwx", "acdeghilmoprstuy", "tu", "abcdefgiklmnoprstuvy", "acdefhiklmnopqrstuwy",
	"abcdefhiklmoprstuwy", "abcdefgilmnprst", "aeio", "aeimos", "ceimpt", "acelmnpst", "ei",
)

// letterPairs returns a table indexed by the low five bits of two letters, which are equal in both
// cases.
func letterPairs(followers ...string) (pairs [32][32]bool) {
	for i, following := range followers {
		for j := range len(following) {
			pairs[i+1][following[j]&31] = true
		}
	}
	return pairs
}

// isRandom reports whether the letters and digits of p follow each other as in a generated
// identifier (base62, base64, base32, cuid, nanoid) and not as in words. Punctuation is skipped.
//
// It counts the breaks: a change between letter and digit, a pair of letters unusual in words, and a
// capital after fewer than three lower-case letters. In a random string two of three characters
// break, in words and names hardly any (TestRandomIdentifiers).
func isRandom(p string) bool {
	if len(p) < 8 {
		return false
	}
	b := countBreaks(p)
	size := b.letters + b.digits
	switch {
	case b.lower == 0 && b.digits > 0 && b.upper > 0 && size >= 16:
		return true
	case b.letters < 4 && b.breaks < 4:
		return false
	case b.upper > 0 && b.lower > 0, b.digits > 1 && size >= 20:
		return b.breaks*3 >= size && b.inWords*2 <= size
	case b.digits > 0:
		return b.breaks*9 >= size*4 && b.inWords*3 <= size && b.digits > 1
	}
	return size >= 14 && b.breaks >= size/4 || size >= 10 && b.breaks >= 3+size/5
}

// isShortRandom reports whether p is a short random suffix with capitals, such as the one that AWS
// Secrets Manager appends to a name.
func isShortRandom(p string) bool {
	if len(p) < 6 || len(p) > 7 {
		return false
	}
	b := countBreaks(p)
	return b.upper > 0 && b.lower > 0 && b.breaks >= 2 && (b.digits > 0 || b.breaks >= 3)
}

// breakCount describes how the characters of a word follow each other.
type breakCount struct {
	breaks, digits, letters, upper, lower int
	inWords                               int // letters in runs of five or more without a break
}

func countBreaks(p string) (b breakCount) {
	hump, run := 0, 0 // lower-case letters since the last capital, letters since the last break
	for i := range len(p) {
		c := p[i]
		if i > 0 && breaksWord(p[i-1], c, hump) {
			b.breaks++
			run = 0
		}
		switch {
		case ascii.IsLower(c):
			b.lower++
			hump++
		case ascii.IsUpper(c):
			b.upper++
			hump = 0
		default:
			hump, run = 0, 0
			if ascii.IsDigit(c) {
				b.digits++
			}
			continue
		}
		b.letters++
		run++
		b.addToWords(run)
	}
	return b
}

// addToWords notes a run of letters that has become one longer.
func (b *breakCount) addToWords(run int) {
	const shortest = 5
	if run == shortest {
		b.inWords += shortest
	} else if run > shortest {
		b.inWords++
	}
}

// breaksWord reports whether the character c rarely follows the one before within words. hump is the
// number of lower-case letters directly before it.
func breaksWord(before, c byte, hump int) bool {
	switch {
	case isLetter(before) && isLetter(c):
		if ascii.IsLower(before) && ascii.IsUpper(c) {
			return hump < 3
		}
		return !usualPairs[before&31][c&31] && (c != 'x' || before != 'x') // 4xx
	case isLetter(before) && ascii.IsDigit(c):
		return true
	}
	return isLetter(c) && ascii.IsDigit(before) && c != 'x'
}

func isLetter(c byte) bool { return ascii.IsLower(c | 0x20) }

// isHexWord reports whether p is hexadecimal digits of the length of an identifier: seven (git's
// short hashes) or more with both letters and digits, or eight or more.
func isHexWord(p string) bool {
	if len(p) < 7 || ascii.PrefixLen(p, ascii.IsHex) != len(p) {
		return false
	}
	return len(p) >= 8 || ascii.Digits.Index(p) >= 0
}
