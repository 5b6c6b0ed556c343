package apps

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// standIn is a Source of a test.
type standIn struct {
	own     map[types.NamespacedName]*v1alpha1.GitHubApp
	offered map[string]*v1alpha1.ClusterGitHubApp
	labels  map[string]map[string]string
	off     bool
	err     error
}

func (s *standIn) GitHubApp(_ context.Context, name types.NamespacedName) (*v1alpha1.GitHubApp, error) {
	return s.own[name], s.err
}

func (s *standIn) HasClusterGitHubApps() bool { return !s.off }

func (s *standIn) ClusterGitHubApp(_ context.Context, name string) (*v1alpha1.ClusterGitHubApp, error) {
	return s.offered[name], s.err
}

func (s *standIn) ClusterGitHubAppsOf(_ context.Context, key string) (found []v1alpha1.ClusterGitHubApp, err error) {
	for _, app := range s.offered {
		if scope.AppKey(app.Spec.Host, app.Spec.ClientID) == key {
			found = append(found, *app)
		}
	}
	return found, s.err
}

func (s *standIn) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	return s.labels[namespace], s.err
}

const (
	host     = "github.example.com"
	clientID = "Iv23liSHARED"
)

func spec() v1alpha1.GitHubAppSpec {
	return v1alpha1.GitHubAppSpec{Host: host, ClientID: clientID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "secret", Key: "client_secret"}}
}

// newStandIn has a GitHubApp "own" in team-a and a ClusterGitHubApp "shared" of another client ID that allows it.
func newStandIn() *standIn {
	shared := &v1alpha1.ClusterGitHubApp{Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: spec(), InlineUse: v1alpha1.InlineRestricted}}
	shared.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}}
	own := &v1alpha1.GitHubApp{Spec: spec()}
	own.Spec.ClientID = "Iv23liOWN"
	return &standIn{
		own:     map[types.NamespacedName]*v1alpha1.GitHubApp{{Namespace: "team-a", Name: "own"}: own},
		offered: map[string]*v1alpha1.ClusterGitHubApp{"shared": shared},
		labels:  map[string]map[string]string{"team-a": {"team": "a"}, "team-b": {"team": "b"}, "bare": {}},
	}
}

func (s *standIn) shared() *v1alpha1.ClusterGitHubAppSpec { return &s.offered["shared"].Spec }

func (s *standIn) resolver() *Resolver {
	return New(Options{Source: s, SecretNamespace: "operator"})
}

func resource(namespace string, app v1alpha1.App) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "octocat"},
		Spec:       v1alpha1.GitHubUserTokenSpec{App: app, DeletionPolicy: v1alpha1.DeletionPolicyDelete},
	}
}

func ref(kind, name string) v1alpha1.App {
	return v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: name}}
}

func inline(host, clientID string) v1alpha1.App {
	return v1alpha1.App{Host: host, ClientID: clientID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "mine", Key: "client_secret"}}
}

var (
	toOwn    = ref(v1alpha1.KindGitHubApp, "own")
	toShared = ref(v1alpha1.KindClusterGitHubApp, "shared")
)

func resolve(t *testing.T, s *standIn, token *v1alpha1.GitHubUserToken) scope.App {
	t.Helper()
	app, err := s.resolver().App(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestAppIsTheOneThatTheSpecNames(t *testing.T) {
	forged := toShared
	forged.Host, forged.ClientID, forged.ClientSecretRef = "evil.example", "Iv23liEVIL", &v1alpha1.ClientSecretReference{Name: "mine", Key: "k"}
	for name, c := range map[string]struct {
		app    v1alpha1.App
		want   github.App
		secret scope.SecretKey
	}{
		"inline": {inline("", "Iv23liINLINE"), github.App{Host: "github.com", ClientID: "Iv23liINLINE"}, scope.SecretKey{Secret: types.NamespacedName{Namespace: "team-a", Name: "mine"}, Key: "client_secret"}},
		"a GitHubApp, with its secret in the same namespace":                {toOwn, github.App{Host: host, ClientID: "Iv23liOWN"}, scope.SecretKey{Secret: types.NamespacedName{Namespace: "team-a", Name: "secret"}, Key: "client_secret"}},
		"a GitHubApp, when no kind is given":                                {ref("", "own"), github.App{Host: host, ClientID: "Iv23liOWN"}, scope.SecretKey{Secret: types.NamespacedName{Namespace: "team-a", Name: "secret"}, Key: "client_secret"}},
		"a ClusterGitHubApp, with its secret in the operator's":             {toShared, github.App{Host: host, ClientID: clientID}, scope.SecretKey{Secret: types.NamespacedName{Namespace: "operator", Name: "secret"}, Key: "client_secret"}},
		"a ClusterGitHubApp, whatever host and Secret stand beside the ref": {forged, github.App{Host: host, ClientID: clientID}, scope.SecretKey{Secret: types.NamespacedName{Namespace: "operator", Name: "secret"}, Key: "client_secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			app := resolve(t, newStandIn(), resource("team-a", c.app))
			if app.App != c.want || app.Secret == nil || *app.Secret != c.secret || app.Problem != nil || app.Refused {
				t.Errorf("got %+v with the secret %+v, %+v", app.App, app.Secret, app.Problem)
			}
		})
	}
}

func TestAppWhatIsSaidOfOneThatIsNotAllowedIsSaidOfOneThatIsNotThere(t *testing.T) {
	s := newStandIn()
	absent := resolve(t, s, resource("team-b", ref(v1alpha1.KindClusterGitHubApp, "absent")))
	for name, token := range map[string]*v1alpha1.GitHubUserToken{
		"another namespace":       resource("team-b", toShared),
		"a namespace of no label": resource("bare", toShared),
		"an unknown namespace":    resource("unknown", toShared),
	} {
		app := resolve(t, s, token)
		if app.IsKnown() || app.Secret != nil || !app.Refused || *app.Problem != *absent.Problem || !absent.Refused {
			t.Errorf("%s: got %+v, %+v, and of one that is not there %+v", name, app, app.Problem, absent.Problem)
		}
		if app.Problem.Message != "The App is not usable here. Ask its administrator." || app.Problem.Reason != v1alpha1.ReasonAppNotUsable {
			t.Errorf("%s: said is %q", name, app.Problem.Message)
		}
	}
}

func TestAppBindsEveryUseOfItsHostAndClientID(t *testing.T) {
	own := func(s *standIn, namespace, host, id string) {
		app := &v1alpha1.GitHubApp{Spec: spec()}
		app.Spec.Host, app.Spec.ClientID = host, id
		s.own[types.NamespacedName{Namespace: namespace, Name: "own"}] = app
	}
	uses := map[string]func(s *standIn, namespace, host, id string) *v1alpha1.GitHubUserToken{
		"inline": func(_ *standIn, namespace, host, id string) *v1alpha1.GitHubUserToken {
			return resource(namespace, inline(host, id))
		},
		"by a GitHubApp": func(s *standIn, namespace, host, id string) *v1alpha1.GitHubUserToken {
			own(s, namespace, host, id)
			return resource(namespace, toOwn)
		},
	}
	for name, c := range map[string]struct {
		namespace, host, id string
		change              func(*v1alpha1.ClusterGitHubAppSpec)
		refused             bool
		reason              string
	}{
		"in a namespace that is not allowed":          {"team-b", host, clientID, nil, true, v1alpha1.ReasonAppNotUsable},
		"with the client ID spelt differently":        {"team-b", host, strings.ToLower(clientID), nil, true, v1alpha1.ReasonAppNotUsable},
		"with the host spelt differently":             {"team-b", host + ":443", clientID, nil, true, v1alpha1.ReasonAppNotUsable},
		"with the host as the address of its API":     {"team-b", host + "/api/v3", clientID, nil, true, v1alpha1.ReasonAppNotUsable},
		"when none is allowed":                        {"team-a", host, clientID, func(s *v1alpha1.ClusterGitHubAppSpec) { s.AllowedNamespaces = v1alpha1.AllowedNamespaces{} }, true, v1alpha1.ReasonAppNotUsable},
		"of another client ID":                        {"team-b", host, "Iv23liOTHER", nil, false, ""},
		"at another host":                             {"team-b", "other.example.com", clientID, nil, false, ""},
		"in a namespace that is allowed":              {"team-a", host, clientID, nil, false, ""},
		"in an allowed namespace, against the policy": {"team-a", host, clientID, func(s *v1alpha1.ClusterGitHubAppSpec) { s.Policy.User = v1alpha1.UserRequired }, false, v1alpha1.ReasonAppPolicyViolated},
		"in a namespace that is not allowed, unbound": {"team-b", host, clientID, func(s *v1alpha1.ClusterGitHubAppSpec) { s.InlineUse = v1alpha1.InlineUnrestricted }, false, ""},
		"with a selector that is none": {"team-a", host, clientID, func(s *v1alpha1.ClusterGitHubAppSpec) {
			s.AllowedNamespaces.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "!", Operator: "?"}}
		}, true, v1alpha1.ReasonAppNotUsable},
	} {
		for by, use := range uses {
			t.Run(by+" "+name, func(t *testing.T) {
				s := newStandIn()
				if c.change != nil {
					c.change(s.shared())
				}
				app := resolve(t, s, use(s, c.namespace, c.host, c.id))
				reason := ""
				if app.Problem != nil {
					reason = app.Problem.Reason
				}
				if app.Refused != c.refused || reason != c.reason {
					t.Errorf("got refused %v, %+v", app.Refused, app.Problem)
				}
				if c.refused && app.Problem.Message != scope.AppNotUsable {
					t.Errorf("said is %q", app.Problem.Message)
				}
				barred, err := s.resolver().Bars(t.Context(), c.namespace, c.host, c.id)
				if err != nil || barred != c.refused {
					t.Errorf("barred is %v, %v", barred, err)
				}
			})
		}
	}
}

func TestAppThatIsOfferedTwiceIsUsableWhereOneOfThemAllowsIt(t *testing.T) {
	s := newStandIn()
	strict := s.offered["shared"].DeepCopy()
	strict.Spec.AllowedNamespaces, strict.Spec.Policy.User = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}, v1alpha1.UserRequired
	s.offered["strict"] = strict
	if app := resolve(t, s, resource("team-a", inline(host, clientID))); app.Problem != nil {
		t.Errorf("where one asks for less: %+v", app.Problem)
	}
	if app := resolve(t, s, resource("team-b", inline(host, clientID))); app.Problem == nil || app.Problem.Reason != v1alpha1.ReasonAppPolicyViolated || app.Refused {
		t.Errorf("where only the strict one allows the namespace: %+v", app.Problem)
	}
}

func TestAppWithoutClusterGitHubAppsBindsNobodyAndSaysSo(t *testing.T) {
	s := newStandIn()
	s.off = true
	if app := resolve(t, s, resource("team-b", inline(host, clientID))); app.Problem != nil {
		t.Errorf("inline: %+v", app.Problem)
	}
	app := resolve(t, s, resource("team-a", toShared))
	if app.IsKnown() || app.Problem == nil || !strings.Contains(app.Problem.Message, "has no ClusterGitHubApps") {
		t.Errorf("by a reference: %+v", app.Problem)
	}
}

func TestAppWhoseSecretsNamespaceIsNotKnownIsNotUsedWithTheSecretOfAnother(t *testing.T) {
	app, err := New(Options{Source: newStandIn()}).App(t.Context(), resource("team-a", toShared))
	if err != nil || app.Problem == nil || app.Problem.Message != scope.AppNotUsable {
		t.Errorf("got %+v, %v", app.Problem, err)
	}
}

func TestAppThatCannotBeLookedUpIsAnError(t *testing.T) {
	for name, app := range map[string]v1alpha1.App{"inline": inline(host, clientID), "own": toOwn, "shared": toShared} {
		s := newStandIn()
		s.err = errors.New("the cache is not there")
		token := resource("team-a", app)
		if _, err := s.resolver().App(t.Context(), token); !errors.Is(err, s.err) {
			t.Errorf("%s: got the error %v", name, err)
		}
		if _, err := s.resolver().Bars(t.Context(), "team-a", host, clientID); !errors.Is(err, s.err) {
			t.Errorf("got the error %v", err)
		}
	}
}

func TestAppPolicy(t *testing.T) {
	output := func(edit func(*v1alpha1.Output)) func(*v1alpha1.GitHubUserTokenSpec) {
		return func(spec *v1alpha1.GitHubUserTokenSpec) {
			made := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatDockerConfigJSON}
			edit(&made)
			spec.Outputs = append(spec.Outputs, v1alpha1.Output{Name: "plain", Format: v1alpha1.OutputFormatNetrc}, made)
		}
	}
	// What the output is for by default counts as well.
	hosts := v1alpha1.AppPolicy{OutputHosts: []string{"ghcr.io", "containers." + host}}
	others := v1alpha1.AppPolicy{OutputHosts: []string{"ghcr.io"}}
	for name, c := range map[string]struct {
		policy v1alpha1.AppPolicy
		edit   func(*v1alpha1.GitHubUserTokenSpec)
		want   string // in the sentence; empty when it is allowed
		left   int    // outputs
	}{
		"nothing is forbidden":   {policy: v1alpha1.AppPolicy{}, edit: output(func(o *v1alpha1.Output) { o.IncludeRefreshToken = true }), left: 2},
		"the account is missing": {policy: v1alpha1.AppPolicy{User: v1alpha1.UserRequired}, want: "spec.user must name the account"},
		"the account is named":   {policy: v1alpha1.AppPolicy{User: v1alpha1.UserRequired}, edit: func(s *v1alpha1.GitHubUserTokenSpec) { s.User = &v1alpha1.UserSelector{ID: 1} }},
		"a deletion policy": {policy: v1alpha1.AppPolicy{DeletionPolicies: []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyRevoke, v1alpha1.DeletionPolicyDelete}},
			edit: func(s *v1alpha1.GitHubUserTokenSpec) { s.DeletionPolicy = v1alpha1.DeletionPolicyRetain }, want: "spec.deletionPolicy Retain is not among Delete, Revoke"},
		"the refresh token in an output": {policy: v1alpha1.AppPolicy{IncludeRefreshToken: v1alpha1.PermissionForbidden}, edit: output(func(o *v1alpha1.Output) { o.IncludeRefreshToken = true }), want: "output out: includeRefreshToken is forbidden", left: 1},
		"a format":                       {policy: v1alpha1.AppPolicy{OutputFormats: []v1alpha1.OutputFormat{v1alpha1.OutputFormatNetrc}}, edit: output(func(*v1alpha1.Output) {}), want: "output out: the format DockerConfigJSON is forbidden", left: 1},
		"a host":                         {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.Host = "elsewhere.example" }), want: "output out: the host elsewhere.example is forbidden", left: 1},
		"a registry":                     {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.Registry = "docker.io" }), want: "output out: the host docker.io is forbidden", left: 1},
		"an allowed registry":            {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.Registry = "GHCR.io" }), left: 2},
		"the registry by default":        {policy: others, edit: output(func(*v1alpha1.Output) {}), want: "output out: the host containers." + host + " is forbidden", left: 1},
		"none by default":                {policy: others, edit: output(func(o *v1alpha1.Output) { o.Format = v1alpha1.OutputFormatGitHubCLI }), left: 2},
		"the App's own host":             {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.Host = host }), left: 2},
		"the host of a URL":              {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.URL = "https://user@elsewhere.example/x" }), want: "output out: the host elsewhere.example is forbidden", left: 1},
		"a URL that is none":             {policy: hosts, edit: output(func(o *v1alpha1.Output) { o.URL = "https://%zz" }), want: "is forbidden", left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, app := range map[string]v1alpha1.App{"shared": toShared, "inline": inline(host, clientID), "own": toOwn} {
				s := newStandIn()
				s.shared().Policy = c.policy
				s.own[types.NamespacedName{Namespace: "team-a", Name: "own"}].Spec.Policy = c.policy
				token := resource("team-a", app)
				if c.edit != nil {
					c.edit(&token.Spec)
				}
				got := resolve(t, s, token)
				if (got.Problem == nil) != (c.want == "") || got.Problem != nil && (got.Problem.Reason != v1alpha1.ReasonAppPolicyViolated || !strings.Contains(got.Problem.Message, c.want)) {
					t.Errorf("%s: got %+v", kind, got.Problem)
				}
				if permitted := got.Permitted(token); len(permitted.Spec.Outputs) != c.left || got.Refused {
					t.Errorf("%s: left are the outputs %+v", kind, permitted.Spec.Outputs)
				}
			}
		})
	}
}

func TestAppPolicyTellsOfSomeOfMuchThatIsForbidden(t *testing.T) {
	s := newStandIn()
	s.shared().Policy.OutputFormats = []v1alpha1.OutputFormat{v1alpha1.OutputFormatNetrc}
	token := resource("team-a", toShared)
	for range 16 {
		token.Spec.Outputs = append(token.Spec.Outputs, v1alpha1.Output{Name: strings.Repeat("n", 253), Format: v1alpha1.OutputFormatDockerConfigJSON})
	}
	if app := resolve(t, s, token); !strings.Contains(app.Problem.Message, "and 11 more") || len(app.Problem.Message) > 2000 {
		t.Errorf("said are %d characters: %s", len(app.Problem.Message), app.Problem.Message)
	}
}

// What one of several policies forbids is removed, also when another is what stops the exchange.
func TestAppOutputsAreThoseThatEachPolicyAllows(t *testing.T) {
	s := newStandIn()
	s.shared().Policy.User, s.shared().Policy.OutputFormats = v1alpha1.UserRequired, []v1alpha1.OutputFormat{v1alpha1.OutputFormatNetrc, v1alpha1.OutputFormatDockerConfigJSON}
	own := s.own[types.NamespacedName{Namespace: "team-a", Name: "own"}]
	own.Spec.ClientID, own.Spec.Policy.IncludeRefreshToken = clientID, v1alpha1.PermissionForbidden
	token := resource("team-a", toOwn)
	token.Spec.Outputs = []v1alpha1.Output{
		{Name: "good", Format: v1alpha1.OutputFormatNetrc}, {Name: "own", Format: v1alpha1.OutputFormatNetrc, IncludeRefreshToken: true}, {Name: "shared", Format: v1alpha1.OutputFormatGitCredentials},
	}
	app := resolve(t, s, token)
	if left := app.Permitted(token).Spec.Outputs; len(left) != 1 || left[0].Name != "good" || app.Problem == nil {
		t.Errorf("left are %+v, %+v", left, app.Problem)
	}
	if len(token.Spec.Outputs) != 3 {
		t.Error("the resource itself was changed")
	}
}

func TestAppOfTheChainBindsWhatIsDerivedFromIt(t *testing.T) {
	s := newStandIn()
	chain := github.App{Host: host, ClientID: clientID}.Key()
	token := resource("team-b", inline(host, "Iv23liOTHER")) // Another App now, which nobody binds.
	token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatNetrc}}
	app := resolve(t, s, token)
	left := func() int {
		t.Helper()
		permitted, err := s.resolver().Permitted(t.Context(), token, app, chain)
		if err != nil {
			t.Fatal(err)
		}
		return len(permitted.Spec.Outputs)
	}
	if n := left(); app.Problem != nil || n != 0 {
		t.Errorf("%d outputs are left of a pair whose App is not allowed here, %+v", n, app.Problem)
	}
	if token.Namespace = "team-a"; left() != 1 {
		t.Error("the output of a pair whose App is allowed is gone")
	}
	s.err = errors.New("the cache is not there")
	if _, err := s.resolver().Permitted(t.Context(), token, app, chain); !errors.Is(err, s.err) {
		t.Errorf("got the error %v", err)
	}
}

func TestAppDeletionPolicyThatIsForbiddenIsDelete(t *testing.T) {
	s := newStandIn()
	s.shared().Policy.DeletionPolicies = []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyRevoke}
	token := resource("team-a", toShared)
	for wanted, carriedOut := range map[v1alpha1.DeletionPolicy]v1alpha1.DeletionPolicy{
		v1alpha1.DeletionPolicyRetain: v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRevoke: v1alpha1.DeletionPolicyRevoke,
	} {
		token.Spec.DeletionPolicy = wanted
		if got := resolve(t, s, token).DeletionPolicyOf(token); got != carriedOut {
			t.Errorf("%s is carried out as %s", wanted, got)
		}
	}
}

func TestAppUsersAreThoseThatMayUseIt(t *testing.T) {
	s := newStandIn()
	s.shared().Policy.User = v1alpha1.UserRequired
	pinned := resource("team-a", toShared)
	pinned.Spec.User = &v1alpha1.UserSelector{ID: 1}
	elsewhere := pinned.DeepCopy()
	elsewhere.Namespace = "team-b"
	for name, c := range map[string]struct {
		token *v1alpha1.GitHubUserToken
		want  bool
	}{"one that may": {pinned, true}, "one that the policy refuses": {resource("team-a", toShared), false}, "one of another namespace": {elsewhere, false}} {
		if got, err := s.resolver().Admits(t.Context(), s.offered["shared"], c.token); err != nil || got != c.want {
			t.Errorf("%s: admitted is %v, %v", name, got, err)
		}
	}
}

func TestAppUserIsRequiredOfWhoeverNamesNoneWhateverTheAppAllows(t *testing.T) {
	named := func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} }
	for name, c := range map[string]struct {
		namespace string
		app       v1alpha1.App
		edit      func(*v1alpha1.GitHubUserToken)
		want      string
	}{
		"inline":                        {"team-a", inline("", "Iv23liINLINE"), nil, v1alpha1.ReasonUserRequired},
		"a GitHubApp":                   {"team-a", toOwn, nil, v1alpha1.ReasonUserRequired},
		"a ClusterGitHubApp":            {"team-a", toShared, nil, v1alpha1.ReasonUserRequired},
		"with a name":                   {"team-a", toShared, named, ""},
		"of an App that is not offered": {"team-b", toShared, nil, v1alpha1.ReasonAppNotUsable},
	} {
		t.Run(name, func(t *testing.T) {
			token := resource(c.namespace, c.app)
			if c.edit != nil {
				c.edit(token)
			}
			resolver := New(Options{Source: newStandIn(), SecretNamespace: "operator", RequireUser: true})
			app, err := resolver.App(t.Context(), token)
			reason := ""
			if app.Problem != nil {
				reason = app.Problem.Reason
			}
			if err != nil || reason != c.want {
				t.Errorf("got %q, %v", reason, err)
			}
		})
	}
	s := newStandIn()
	resolver := New(Options{Source: s, SecretNamespace: "operator", RequireUser: true})
	for name, edit := range map[string]func(*v1alpha1.GitHubUserToken){"named": named, "unnamed": func(*v1alpha1.GitHubUserToken) {}} {
		token := resource("team-a", toShared)
		edit(token)
		// Its deletion may want the App, so that the App waits for it.
		if admitted, err := resolver.Admits(t.Context(), s.offered["shared"], token); err != nil || !admitted {
			t.Errorf("%s: it does not hold the deletion of its App: %v", name, err)
		}
	}
	token := resource("team-a", toShared)
	token.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	if app, err := resolver.App(t.Context(), token); err != nil || app.Problem != nil {
		t.Errorf("of one that is being deleted: %+v, %v", app.Problem, err)
	}
}

// Who leaves out the kind is told of it where the App is offered, and nowhere else.
func TestAppThatIsOfferedUnderAnotherKindIsSuggested(t *testing.T) {
	toNone := ref(v1alpha1.KindGitHubApp, "shared")
	for namespace, suggests := range map[string]bool{"team-a": true, "team-b": false} {
		app := resolve(t, newStandIn(), resource(namespace, toNone))
		if p := app.Problem; p == nil || p.Reason != v1alpha1.ReasonAppNotUsable || strings.Contains(p.Message, "ClusterGitHubApp") != suggests {
			t.Errorf("%s: said is %+v", namespace, p)
		}
	}
	s := newStandIn()
	s.off = true
	if p := resolve(t, s, resource("team-a", toNone)).Problem; strings.Contains(p.Message, "ClusterGitHubApp") {
		t.Errorf("without any, said is %+v", p)
	}
}
