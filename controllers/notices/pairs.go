package notices

import "math/rand/v2"

// Whose a pair is stands in its Secret, where tenants can write. So of the pairs that a notice may be about only so many are
// asked about, and those of one namespace leave the others theirs. What is left out is found dead by its next check or refresh.
const (
	// noticeOfEach is how many pairs of an account are asked about for one notice in each namespace, and noticeInAll in all
	// of them.
	noticeOfEach, noticeInAll = 256, 2048
	// unknownOfEach and unknownInAll are the same for pairs whose account is not known.
	unknownOfEach, unknownInAll = 8, 100
)

// inTurns chooses some of n objects, at random and so many of each namespace and in all at most, in an order in which
// namespaces take turns.
func inTurns(n int, namespaceOf func(i int) string, ofEach, inAll int) (chosen []int) {
	byNamespace := map[string][]int{}
	var namespaces []string
	for _, i := range rand.Perm(n) { //nolint:gosec // It is to be fair, and no secret.
		namespace := namespaceOf(i)
		if byNamespace[namespace] == nil {
			namespaces = append(namespaces, namespace)
		}
		if len(byNamespace[namespace]) < ofEach {
			byNamespace[namespace] = append(byNamespace[namespace], i)
		}
	}
	rand.Shuffle(len(namespaces), func(i, j int) { namespaces[i], namespaces[j] = namespaces[j], namespaces[i] }) //nolint:gosec // as above
	for round := range ofEach {
		before := len(chosen)
		for _, namespace := range namespaces {
			if len(chosen) == inAll {
				return chosen
			}
			if round < len(byNamespace[namespace]) {
				chosen = append(chosen, byNamespace[namespace][round])
			}
		}
		if len(chosen) == before {
			return chosen
		}
	}
	return chosen
}
