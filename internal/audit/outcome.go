package audit

import "math"

// Outcome counts ended remediations.
type Outcome struct {
	Success int64
	Failure int64
}

// wilsonZ is the standard normal quantile of a two-sided 95 % interval.
const wilsonZ = 1.959963984540054

// Rate returns the success rate with its Wilson 95 % score interval (Wilson 1927; Brown, Cai and
// DasGupta 2001, Statistical Science 16(2)), each from 0 to 1. ok is false if no remediation has
// ended. The SQL function wilson_low computes the same lower bound.
func (o Outcome) Rate() (rate, low, high float64, ok bool) {
	n := float64(o.Success + o.Failure)
	if n == 0 {
		return 0, 0, 0, false
	}
	p := float64(o.Success) / n
	z2 := wilsonZ * wilsonZ
	centre := (p + z2/(2*n)) / (1 + z2/n)
	half := wilsonZ / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	low, high = max(0, centre-half), min(1, centre+half)
	// Rounding would miss the exact bounds.
	if o.Success == 0 {
		low = 0
	}
	if o.Failure == 0 {
		high = 1
	}
	return p, low, high, true
}
