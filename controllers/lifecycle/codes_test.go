package lifecycle

import (
	"errors"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestCodesThatNobodyCanEnterAnyMoreAreRemoved(t *testing.T) {
	offered, older := owner.CodeRef("offered"), owner.CodeRef("older")
	foreign := rotation.Owner{Namespace: owner.Namespace, Name: owner.Name, UID: "another"}.CodeRef("offered")
	offers := func(code credential.Fingerprint, ended string) *rotation.Pair {
		return pairAt("1", func(p *rotation.Pair) { p.State.Device = &rotation.DeviceAuthorization{DeviceCode: code, Ended: ended} })
	}
	for name, c := range map[string]struct {
		seen, live *rotation.Pair
		backup     bool
		want       []rotation.Ref
	}{
		"all but the one that is offered":              {offers("offered", ""), offers("offered", ""), false, []rotation.Ref{older}},
		"all when the series has ended":                {offers("offered", "AuthorizationDenied"), offers("offered", "AuthorizationDenied"), false, []rotation.Ref{offered, older}},
		"all when a login has come":                    {pairAt("1"), pairAt("1"), false, []rotation.Ref{offered, older}},
		"all when there is no pair Secret":             {nil, nil, false, []rotation.Ref{offered, older}},
		"not the one that another process has offered": {pairAt("1"), offers("offered", ""), false, []rotation.Ref{older}},
		"none while the pair Secret is being replaced": {nil, nil, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cluster.codes = []leftovers.Code{{Ref: offered}, {Ref: older}, {Ref: foreign}}
			if c.live != nil {
				w.secrets[inPlace] = c.live
			}
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
			s := &scope.Scope{Token: token, Owner: owner, Ref: inPlace, Pair: c.seen}
			s.Input.Backup = c.backup
			if err := w.Controller.codes.Sweep(t.Context(), s); err != nil || !slices.Equal(w.removed, c.want) {
				t.Errorf("removed were %v (%v), not %v", w.removed, err, c.want)
			}
		})
	}
}

func TestCodesGoWithTheirResource(t *testing.T) {
	w := newWorld(t)
	mine, foreign := owner.CodeRef("mine"), rotation.Owner{Namespace: owner.Namespace, Name: owner.Name, UID: "another"}.CodeRef("code")
	w.cluster.codes = []leftovers.Code{{Ref: mine, Orphan: true}, {Ref: foreign}}
	if err := w.Controller.codes.RemoveAll(t.Context(), owner); err != nil || !slices.Equal(w.removed, []rotation.Ref{mine}) {
		t.Errorf("removed were %v (%v)", w.removed, err)
	}
	w.removed = nil
	named := owner.CodeRef("named")
	if err := w.Controller.codes.RemoveNamed(t.Context(), owner, &rotation.State{Device: &rotation.DeviceAuthorization{DeviceCode: "named"}}); err != nil || !slices.Equal(w.removed, []rotation.Ref{named}) {
		t.Errorf("removed were %v (%v)", w.removed, err)
	}
	w.fails = errors.New("refused")
	w.cluster.codes = []leftovers.Code{{Ref: mine}}
	if err := w.Controller.codes.RemoveAll(t.Context(), owner); err == nil {
		t.Error("a code that is still there counts as removed")
	}
}

func TestOrphanedCodesGoWhenNoResourceBearsTheirName(t *testing.T) {
	w := newWorld(t)
	orphan, held := owner.CodeRef("orphan"), owner.CodeRef("held")
	w.cluster.codes = []leftovers.Code{{Ref: orphan, Orphan: true}, {Ref: held}}
	if _, err := w.Gone(t.Context(), types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}); err != nil || !slices.Equal(w.removed, []rotation.Ref{orphan}) {
		t.Errorf("removed were %v (%v)", w.removed, err)
	}
}
