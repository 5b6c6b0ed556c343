package controllers

import (
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// An output that could not be written with the others still holds the dead token. Those who read it are told
// again when it is written at last: what they were told before says which outputs were missing, so that the
// later word differs from it. After a crash the same word comes about again, and changes nothing.

// word is what workloads are told: of a token, named as handoffName does, that some outputs do not hold yet.
type word struct {
	token   string
	without []string
}

// String is what stands in the annotation.
func (w word) String() string {
	if len(w.without) == 0 {
		return w.token
	}
	return w.token + " without " + strings.Join(w.without, ",")
}

// covers says whether another word would tell nothing new: the token is the same, and no output that lacked it
// has it now.
func (w word) covers(next word) bool {
	return w.token == next.token && !haveCaughtUp(w.without, next.without)
}

// whole says whether the word is of a token that every output holds.
func (w word) whole(token string) bool { return w.token == token && len(w.without) == 0 }

// keep forgets outputs that are wanted no longer.
func (w *word) keep(outputs []v1alpha1.Output) {
	w.without = slices.DeleteFunc(slices.Clone(w.without), func(name string) bool {
		return !slices.ContainsFunc(outputs, func(o v1alpha1.Output) bool { return o.Name == name })
	})
}

// among is the word for somebody who reads these Secrets only.
func (w word) among(secrets []string) word {
	return word{w.token, slices.DeleteFunc(slices.Clone(w.without), func(name string) bool { return !slices.Contains(secrets, name) })}
}

// haveCaughtUp says whether some of the outputs that were late are so no more.
func haveCaughtUp(before, now []string) bool {
	return slices.ContainsFunc(before, func(name string) bool { return !slices.Contains(now, name) })
}

// late are the outputs of a resource that could not be written, sorted.
func (m *outputMemories) late(token *v1alpha1.GitHubUserToken) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, output := range token.Spec.Outputs {
		if remembered := m.byUID[token.UID][output.Name]; remembered != nil && remembered.trouble != nil {
			names = append(names, output.Name)
		}
	}
	slices.Sort(names)
	return names
}
