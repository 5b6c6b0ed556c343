package leftovers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestReleaseRemembersOneNameForEachSecret(t *testing.T) {
	d := &deleting{}
	secret := &rotation.Pair{Ref: rotation.Ref{Namespace: "team-a", Name: "octocat-token"}, UID: "s", Deleting: true, Orphan: true}
	secret.State.Retained = true
	for n := range 100 {
		secret.State.OwnerName = fmt.Sprintf("name-%d", n)
		d.see(secret, false)
	}
	if len(d.byName) != 1 || len(d.nameOf) != 1 {
		t.Fatalf("%d names and %d Secrets are remembered, want one of each", len(d.byName), len(d.nameOf))
	}
	secret.State.OwnerName = strings.Repeat("n", maxName+1)
	d.see(secret, false)
	if len(d.byName)+len(d.nameOf) != 0 {
		t.Error("a name is remembered that no resource can have")
	}
	secret.State.OwnerName = "octocat"
	d.see(secret, false)
	secret.State.OwnerName = "hubot" // The last that is heard of it may tell of yet another.
	d.see(secret, true)
	if len(d.byName)+len(d.nameOf) != 0 {
		t.Error("a Secret that is gone is remembered")
	}
}
