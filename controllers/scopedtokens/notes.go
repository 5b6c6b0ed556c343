package scopedtokens

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// notes is what this process remembers of the outputs of a resource that have a scope, or had one.
type notes struct {
	byName map[string]*note
	// removed are the Secrets that this process has removed and that the cache may show still.
	removed []types.UID
	// lost is when tokens were lost of outputs that are not asked for any more.
	lost []time.Time
	// tokens are the names of the outputs that held scoped tokens when they were last seen.
	tokens map[string]bool
	// made is when tokens were made of late for outputs that are not asked for any more.
	made []time.Time
	// parent is the user's token that this process has stored last.
	parent credential.Fingerprint
	// tried reports that it was tried to end the tokens of a resource that is being deleted.
	tried bool
	// lacking reports that the App's client secret was gone then.
	lacking bool
}

// note is about one output.
type note struct {
	// answered is when GitHub was asked last, if what came of it is known.
	answered time.Time
	// stored is the token that was last written into the output.
	stored credential.Fingerprint
	// lost is when tokens may have been made that never arrived, and that could not be noted in the output since there was none.
	lost []time.Time
	// made is when tokens were made of late by this process.
	made []time.Time
	// failures counts the tries in a row to end a token that have failed, endAgain is when the next one is, and ending says why.
	failures int
	endAgain backoff.Due
	ending   *problem.Problem
}

// with runs a function on what is remembered of an output.
func (k *Keeper) with(uid types.UID, name string, use func(*note)) {
	k.notes.With(uid, func(n *notes) {
		if n.byName == nil {
			n.byName = map[string]*note{}
		}
		known := n.byName[name]
		if known == nil {
			known = &note{}
			n.byName[name] = known
		}
		use(known)
	})
}

// keep forgets all outputs but the named ones.
func (k *Keeper) keep(uid types.UID, all []output, now time.Time) {
	k.notes.Peek(uid, func(n *notes) {
		for name := range n.byName {
			if !slices.ContainsFunc(all, func(o output) bool { return o.name == name }) {
				n.drop(name, now)
			}
		}
	})
	k.notes.DropIf(uid, func(n *notes) bool {
		return len(n.byName) == 0 && len(n.removed) == 0 && len(n.tokens) == 0 && len(n.lost) == 0 && len(n.made) == 0 && n.parent == "" && !n.tried
	})
}

// drop forgets an output. What was lost of it counts on: who renames outputs and deletes their Secrets must not have more made than others.
func (n *notes) drop(name string, now time.Time) {
	known := n.byName[name]
	delete(n.byName, name)
	if known.stored != "" {
		known.lose(now) // It was not ended here.
	}
	kept := ledger{Lost: append(n.lost, known.lost...)}
	kept.Lost = kept.lostSince(now)
	n.lost = kept.Lost[max(0, len(kept.Lost)-maxLost):]
	n.made = append(n.made, known.made...)
	n.made = n.made[max(0, len(n.made)-maxMade):]
}

// lost is how many tokens are lost of outputs that are not asked for any more.
func (k *Keeper) lost(uid types.UID, now time.Time) (count int) {
	k.notes.Peek(uid, func(n *notes) {
		n.lost = ledger{Lost: n.lost}.lostSince(now)
		count = len(n.lost)
	})
	return count
}

// saw notes whether an output was seen with scoped tokens.
func (k *Keeper) saw(uid types.UID, name string, holds bool) {
	known := false
	k.notes.Peek(uid, func(n *notes) { known = n.tokens[name] })
	if known == holds {
		return
	}
	k.notes.With(uid, func(n *notes) {
		if n.tokens == nil {
			n.tokens = map[string]bool{}
		}
		if n.tokens[name] = true; !holds {
			delete(n.tokens, name)
		}
	})
}

// forgetGone forgets outputs that hold no scoped tokens any more, or that are neither asked for nor there, and takes those out of what
// was found that this process has removed: otherwise they would be removed again and again until the cache knows.
func (k *Keeper) forgetGone(token *v1alpha1.GitHubUserToken, found map[string]*metav1.ObjectMeta) {
	k.notes.Peek(token.UID, func(n *notes) {
		n.removed = slices.DeleteFunc(n.removed, func(uid types.UID) bool {
			return !slices.ContainsFunc(slices.Collect(maps.Values(found)), func(meta *metav1.ObjectMeta) bool { return meta != nil && meta.UID == uid })
		})
		maps.DeleteFunc(found, func(_ string, meta *metav1.ObjectMeta) bool {
			return meta != nil && slices.Contains(n.removed, meta.UID)
		})
		for name := range n.tokens {
			isAsked := slices.ContainsFunc(token.AllOutputs(), func(o v1alpha1.Output) bool { return o.Name == name })
			if meta := found[name]; meta == nil && !isAsked || meta != nil && meta.Annotations[v1alpha1.AnnotationScopedTokens] == "" {
				delete(n.tokens, name)
			}
		}
	})
}

// weight is how many tokens are lost of an output that could not be noted in it.
func (k *Keeper) weight(uid types.UID, name string, now time.Time) (weight int) {
	k.notes.Peek(uid, func(n *notes) {
		if known := n.byName[name]; known != nil {
			weight = len(ledger{Lost: known.lost}.lostSince(now))
		}
	})
	return weight
}

// missed counts the token that was last written into an output where nothing there tells of it any more: somebody has deleted the
// Secret, or what the operator has noted in it.
func (k *Keeper) missed(uid types.UID, name string, s state, now time.Time) {
	k.notes.Peek(uid, func(n *notes) {
		known := n.byName[name]
		if known == nil || known.stored == "" || s.told[known.stored] {
			return
		}
		known.lose(now)
		known.stored = ""
	})
}

// lose counts a token that may be alive without anybody knowing it, where that cannot be noted in the output.
func (k *Keeper) lose(uid types.UID, name string, now time.Time) {
	k.with(uid, name, func(n *note) { n.lose(now) })
}

func (n *note) lose(now time.Time) {
	l := ledger{Lost: n.lost}
	l.lose(now, now)
	n.lost = l.Lost
}

// noteLost takes over what is remembered of tokens that never arrived into the ledger of an output that is about to be written.
func (k *Keeper) noteLost(uid types.UID, name string, l *ledger, now time.Time) {
	k.notes.Peek(uid, func(n *notes) {
		if known := n.byName[name]; known != nil {
			for _, at := range known.lost {
				l.lose(at, now)
			}
		}
	})
}

// quietFailures is how many tries to end a token may fail before it is told.
const quietFailures = 2

// problem is what is wrong beside the outputs' own problems: none is made here at all, or tokens that were replaced live on. nil is nothing.
func (k *Keeper) problem(s *scope.Scope) (shown *problem.Problem) {
	if !k.options.Enabled && hasScope(s.Token) {
		return notEnabled(s.Token)
	}
	now, mono := s.Now, k.options.Clock.Monotonic()
	k.notes.Peek(s.Token.UID, func(n *notes) {
		for _, known := range n.byName {
			if known.ending != nil && known.failures > quietFailures {
				found := *known.ending
				found.RetryAt = known.endAgain.At(now, mono)
				if shown == nil || found.Message < shown.Message {
					shown = &found
				}
			}
		}
	})
	return shown
}
