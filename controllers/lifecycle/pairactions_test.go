package lifecycle

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A Secret in the place of the one that was known may be a copy from a backup for the next resource of the name, while
// the cache still shows the former.
func TestAnotherSecretIsTakenUpOnlyForAResourceThatIsStillThere(t *testing.T) {
	cachedToken := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
	changed := func(change func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken {
		token := cachedToken.DeepCopy()
		change(token)
		return token
	}
	for name, c := range map[string]struct {
		secretUID string
		live      *v1alpha1.GitHubUserToken
		taken     bool
	}{
		"another Secret of a resource that is there": {secretUID: "secret-2", live: cachedToken, taken: true},
		"another Secret, and the resource is gone":   {secretUID: "secret-2"},
		"another Secret, and another resource of the name is there": {
			secretUID: "secret-2", live: changed(func(token *v1alpha1.GitHubUserToken) { token.UID = "uid-2" }),
		},
		"another Secret, and the resource is going": {
			secretUID: "secret-2", live: changed(func(token *v1alpha1.GitHubUserToken) { token.DeletionTimestamp = new(metav1.NewTime(start)) }),
		},
		"the same Secret is taken up without a look": {secretUID: "secret-1", taken: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.resource = c.live
			w.notes.seen(uid, pairAt("1"))
			found := pairAt("2", func(p *rotation.Pair) {
				p.UID = c.secretUID
				p.AccessToken, p.RefreshToken = credential.NewAccessToken("a"), credential.NewRefreshToken("r")
				p.State.AccessToken, p.State.RefreshToken = p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
			})
			w.hold(found)
			result := w.pairs.takeUp(t.Context(), &scope.Scope{Token: cachedToken, Owner: owner, Ref: inPlace, Pair: found, Now: start})
			if taken := result.State == Again; taken != c.taken {
				t.Errorf("it was taken up: %t", taken)
			}
			if !c.taken && (result.Problem == nil || result.Problem.Reason != v1alpha1.ReasonExchanging || result.Problem.RetryAt.IsZero()) {
				t.Errorf("nothing is said of a later look: %+v", result.Problem)
			}
			if !c.taken != w.notes.isAnother(uid, found) {
				t.Errorf("it is looked at again the next time: %t", w.notes.isAnother(uid, found))
			}
		})
	}
}

// While the pair is being put back under a former name the cache shows none, and a retained pair of a former resource may stand
// under the new one.
func TestRetainedPairIsNotTakenUpBesideTheResourcesOwn(t *testing.T) {
	retained := pairAt("7", func(p *rotation.Pair) {
		p.Owner, p.Controlled, p.Orphan = rotation.Owner{}, false, true
		p.State.Owner, p.State.Retained, p.State.RetainedAs = "former", true, p.UID
	})
	for name, c := range map[string]struct {
		generation int64
		own, taken bool
	}{
		"the spec was changed, and there is another": {generation: 2, own: true},
		"the spec was changed, and there is none":    {generation: 2, taken: true},
		"the spec is as it was made":                 {generation: 1, own: true, taken: true}, // No former name, and no look.
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Generation: c.generation}}
			w.resource = token
			w.secrets[inPlace] = retained.Clone()
			if c.own {
				w.hold(pairAt("6", func(p *rotation.Pair) { p.Ref.Name = "former-name" }))
			}
			result := w.pairs.adopt(t.Context(), &scope.Scope{Token: token, Owner: owner, Ref: inPlace, Pair: retained, Now: start})
			if taken := result.State == Again; taken != c.taken || w.secrets[inPlace].Controlled != c.taken {
				t.Errorf("it was taken up: %t, %+v", taken, result.Problem)
			}
			if !c.taken && (result.Problem == nil || result.Problem.RetryAt.IsZero()) {
				t.Errorf("nothing is said of a later look: %+v", result.Problem)
			}
		})
	}
}

// The seed may hold another login than the retained pair, and the pair of the resource may wait in its backup.
func TestRetainedPairIsNotTakenUpWhenItIsNotKnownToBeTheOne(t *testing.T) {
	retained := pairAt("7", func(p *rotation.Pair) {
		p.Owner, p.Controlled, p.Orphan = rotation.Owner{}, false, true
		p.State.Owner, p.State.Retained, p.State.RetainedAs = "former", true, p.UID
	})
	for name, c := range map[string]struct {
		unread error
		backup bool
		says   string
	}{
		"the seed could not be read":    {unread: context.DeadlineExceeded, says: "whether the seed holds another login"},
		"its own pair is in the backup": {backup: true, says: "belongs to somebody else"},
		"there is nothing in the way":   {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Generation: 1}}
			w.resource = token
			w.secrets[inPlace] = retained.Clone()
			if c.backup {
				own := wholePair(uid)
				own.Ref = owner.BackupRef()
				w.hold(own)
			}
			s := &scope.Scope{Token: token, Owner: owner, Ref: inPlace, Pair: retained, Now: start, Seed: scope.Seed{Unread: c.unread}}
			result := w.pairs.adopt(t.Context(), s)
			if taken := result.State == Again; taken != (c.says == "") || w.secrets[inPlace].Controlled != taken {
				t.Fatalf("it was taken up: %t, %+v", taken, result.Problem)
			}
			if c.says != "" && !strings.Contains(result.Problem.Message, c.says) {
				t.Errorf("it says %q", result.Problem.Message)
			}
		})
	}
}
