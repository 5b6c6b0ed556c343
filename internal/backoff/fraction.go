package backoff

import "hash/fnv"

// Fraction maps a name to a fixed number in [0, 1), by which what has names of one kind is spread.
func Fraction(name string) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	// The low bits of FNV spread better than the high ones for names that differ in their last letters.
	return float64(hash.Sum64()%(1<<20)) / (1 << 20)
}
