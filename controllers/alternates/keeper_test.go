package alternates

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// cluster is a cache of one resource, and takes down what is written.
type cluster struct {
	client.Writer

	found   *v1alpha1.GitHubUserToken
	refuses error
	did     []string
	written *v1alpha1.GitHubUserToken
}

func (c *cluster) Resource(_ context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
	if c.found == nil || c.found.Name != name.Name {
		return nil, true
	}
	return c.found, true
}

func (c *cluster) note(did string, object client.Object) error {
	c.did = append(c.did, did)
	if c.refuses == nil {
		c.written, _ = object.(*v1alpha1.GitHubUserToken)
	}
	return c.refuses
}

func (c *cluster) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	return c.note("create", object)
}

func (c *cluster) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	return c.note("patch", object)
}

func (c *cluster) Delete(_ context.Context, object client.Object, _ ...client.DeleteOption) error {
	return c.note("delete", object)
}

// primary is a resource with the strategy Alternate.
func primary() *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid", Labels: map[string]string{"shard": "a"}, Annotations: map[string]string{v1alpha1.AnnotationHoldUntil: "2026-03-04T08:00:00Z"}},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{ClientID: "Iv1"}, Secret: v1alpha1.SecretTemplate{Name: "token", Labels: v1alpha1.Labels{"a": "b"}}, DeletionPolicy: v1alpha1.DeletionPolicyRevoke,
			User: &v1alpha1.UserSelector{Login: "octocat"}, Outputs: []v1alpha1.Output{{Name: "out"}},
			Rotation: &v1alpha1.Rotation{Strategy: v1alpha1.RotationAlternate, AlternateRefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: "second", Key: "refresh_token"}},
		},
	}
}

// scopeOf is what is known of a resource whose first pair is good, of an account that is known.
func scopeOf(token *v1alpha1.GitHubUserToken, edit ...func(*rotation.Pair)) *scope.Scope {
	owner := scope.OwnerOf(token)
	pair := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{
		Owner: owner.UID, App: "github.com/Iv1", AccessToken: "access", RefreshToken: "refresh", IssuedAt: now, ExpiresAt: now.Add(8 * time.Hour), User: &rotation.User{Login: "octocat", ID: 7},
	}}
	for _, e := range edit {
		e(pair)
	}
	s := &scope.Scope{Token: token, Owner: owner, Pair: pair, Now: now}
	s.Input.App = "github.com/Iv1"
	return s
}

// made is the alternate as the Keeper makes it.
func made(t *testing.T) *v1alpha1.GitHubUserToken {
	t.Helper()
	c := &cluster{}
	if found := (Keeper{Cache: c, Client: c}).Sync(context.Background(), scopeOf(primary())); found != nil || c.written == nil {
		t.Fatalf("it is not made: %+v", found)
	}
	return c.written
}

func TestKeeperMakesTheAlternateOfTheAccountThatIsKnown(t *testing.T) {
	alternate := made(t)
	if name, uid, ok := alternate.AlternateOf(); !ok || name != "octocat" || uid != "uid" || alternate.Namespace != "team-a" {
		t.Errorf("it is the alternate of %q (%s), %t", name, uid, ok)
	}
	if controller := metav1.GetControllerOf(alternate); controller == nil || controller.UID != "uid" {
		t.Errorf("its controller is %+v", controller)
	}
	spec := alternate.Spec
	if spec.User == nil || spec.User.ID != 7 || spec.User.Login != "octocat" || spec.Secret.Name != "token-alternate" || len(spec.Secret.Labels) != 0 || spec.RefreshTokenRef == nil || spec.RefreshTokenRef.Name != "second" {
		t.Errorf("its spec is %+v", spec)
	}
	if spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke || spec.App.ClientID != "Iv1" || spec.Rotation != nil || len(spec.Outputs) != 0 || spec.Handoff != nil {
		t.Errorf("its spec is %+v", spec)
	}
	if alternate.Labels["shard"] != "a" || alternate.Annotations[v1alpha1.AnnotationHoldUntil] == "" {
		t.Errorf("its labels are %v and its annotations %v", alternate.Labels, alternate.Annotations)
	}
}

func TestKeeper(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "githubusertokens"}, "octocat-alternate", errors.New("quota"))
	replace := func(token *v1alpha1.GitHubUserToken) { token.Spec.Rotation = nil }
	for name, c := range map[string]struct {
		found   func(*v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken
		primary func(*v1alpha1.GitHubUserToken)
		pair    func(*rotation.Pair)
		refuses error
		does    string
		says    string
		stalled bool
	}{
		"is as it should be":                      {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { return a }},
		"has labels of others":                    {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { a.Labels["x"] = "y"; return a }},
		"was edited":                              {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { a.Spec.Suspend = true; return a }, does: "patch"},
		"is of another account":                   {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { a.Spec.User.ID = 8; return a }, does: "patch"},
		"keeps its account when it is not known":  {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { return a }, pair: func(p *rotation.Pair) { p.State.User = nil }},
		"is not made before the account is known": {pair: func(p *rotation.Pair) { p.State.User = nil }},
		"is made":            {does: "create"},
		"is refused":         {refuses: forbidden, does: "create", says: "could not be made"},
		"was just made":      {refuses: apierrors.NewAlreadyExists(schema.GroupResource{}, "x"), does: "create"},
		"is somebody else's": {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { a.Annotations = nil; return a }, says: "is somebody else's", stalled: true},
		"is that of a former resource": {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
			a.Annotations[v1alpha1.AnnotationAlternateOf] = "former"
			return a
		}, says: "is somebody else's", stalled: true},
		"is being deleted": {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
			a.DeletionTimestamp = &metav1.Time{Time: now}
			a.Spec.Suspend = true
			return a
		}},
		"is not wanted any more":                {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { return a }, primary: replace, does: "delete"},
		"is not wanted, and somebody else's":    {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { a.Annotations = nil; return a }, primary: replace},
		"is not taken from one that is no good": {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { return a }, primary: replace, pair: func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{Reason: "x"} }},
		"cannot be removed":                     {found: func(a *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken { return a }, primary: replace, refuses: forbidden, does: "delete", says: "could not be removed"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := &cluster{refuses: c.refuses}
			if c.found != nil {
				cluster.found = c.found(made(t))
			}
			token := primary()
			if c.primary != nil {
				c.primary(token)
			}
			var edit []func(*rotation.Pair)
			if c.pair != nil {
				edit = append(edit, c.pair)
			}
			found := Keeper{Cache: cluster, Client: cluster}.Sync(context.Background(), scopeOf(token, edit...))
			if did := strings.Join(cluster.did, ","); did != c.does {
				t.Errorf("it did %q, want %q", did, c.does)
			}
			switch {
			case c.says == "" && found != nil:
				t.Errorf("it says %q", found.Message)
			case c.says == "":
			case found == nil || !strings.Contains(found.Message, c.says) || found.Reason != v1alpha1.ReasonAlternateNotMade || !found.Aside || found.Stalled != c.stalled:
				t.Errorf("it says %+v, want %q", found, c.says)
			case !c.stalled && !found.RetryAt.Equal(now.Add(retryAfter)):
				t.Errorf("it is tried again at %s", found.RetryAt)
			}
			if c.does == "patch" && (cluster.written == nil || cluster.written.Spec.Suspend || cluster.written.Spec.User.ID != 7) {
				t.Errorf("it is put right to %+v", cluster.written)
			}
		})
	}
}

func TestKeeperLeavesAnAlternateAlone(t *testing.T) {
	c := &cluster{}
	if found := (Keeper{Cache: c, Client: c}).Sync(context.Background(), scopeOf(made(t))); found != nil || len(c.did) > 0 {
		t.Errorf("of an alternate it does %v (%+v)", c.did, found)
	}
}
