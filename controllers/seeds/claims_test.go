package seeds

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// What happens in one namespace must not have another look at all its resources for each claim.
func TestOwnerHorizonOfANamespaceStandsWhileOthersChange(t *testing.T) {
	mine := claim{uid: "u", name: in("octocat"), created: time.Unix(1, 0)}
	for name, c := range map[string]struct {
		meanwhile func(*claims)
		settled   bool
	}{
		"nothing happens":                        {func(*claims) {}, true},
		"another namespace changes":              {func(c *claims) { c.unsettle("team-b") }, true},
		"the namespace itself changes":           {func(c *claims) { c.unsettle("team-a") }, false},
		"it has changed, and another does after": {func(c *claims) { c.unsettle("team-a"); c.unsettle("team-b") }, false},
		"it has changed, and very many others do after": {func(c *claims) {
			c.unsettle("team-a")
			for i := range maxLost + 1 {
				c.unsettle(fmt.Sprint(i))
			}
		}, false},
		"a resource of another gives its token up": {func(c *claims) {
			c.enter(claim{uid: "v", name: types.NamespacedName{Namespace: "team-b", Name: "v"}, token: "t"})
			c.forget("v")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			claims := newClaims(memory.NewStore())
			claims.unsettle("team-a") // It has a history.
			_, losses, _ := claims.horizon("team-a")
			c.meanwhile(claims)
			claims.settle(mine, losses)
			if _, _, ok := claims.horizon("team-a"); ok != c.settled {
				t.Errorf("settled is %t, want %t", ok, c.settled)
			}
			if len(claims.lost) > maxLost {
				t.Errorf("%d namespaces are remembered", len(claims.lost))
			}
		})
	}
}
