package apps

import (
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

func TestAppPolicyForbidsTheTokenServer(t *testing.T) {
	forbids := func(s *standIn) { s.shared().Policy.TokenServer = v1alpha1.PermissionForbidden }
	second := func(policy v1alpha1.Permission) func(*standIn) {
		return func(s *standIn) {
			second := s.offered["shared"].DeepCopy()
			second.Name, second.Spec.Policy.TokenServer = "second", policy
			s.offered["second"] = second
		}
	}
	both := func(changes ...func(*standIn)) func(*standIn) {
		return func(s *standIn) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	for name, c := range map[string]struct {
		namespace string
		app       v1alpha1.App
		change    func(*standIn)
		want      bool
	}{
		"by default it does not":                        {app: toShared, want: true},
		"it does":                                       {app: toShared, change: forbids},
		"it says something of a later version":          {app: toShared, change: func(s *standIn) { s.shared().Policy.TokenServer = "Audited" }},
		"one that is not offered to the namespace":      {namespace: "team-b", app: toShared},
		"one that is not there":                         {app: ref(v1alpha1.KindClusterGitHubApp, "absent")},
		"inline":                                        {app: inline(host, clientID), change: forbids},
		"inline, however it is spelt":                   {app: inline("GitHub.example.com", "iv23lishared"), change: forbids},
		"inline, where that does not bind":              {app: inline(host, clientID), change: both(forbids, func(s *standIn) { s.shared().InlineUse = v1alpha1.InlineUnrestricted }), want: true},
		"inline, not offered to the namespace":          {namespace: "team-b", app: inline(host, clientID)},
		"inline, of another client ID":                  {app: inline(host, "Iv23liINLINE"), change: forbids, want: true},
		"inline, and another one allows it":             {app: inline(host, clientID), change: both(second(v1alpha1.PermissionAllowed), forbids), want: true},
		"inline, and both forbid it":                    {app: inline(host, clientID), change: both(forbids, second(v1alpha1.PermissionForbidden))},
		"a GitHubApp":                                   {app: toOwn, change: forbids, want: true},
		"a GitHubApp that forbids it":                   {app: toOwn, change: func(s *standIn) { s.ownApp().Policy.TokenServer = v1alpha1.PermissionForbidden }},
		"a GitHubApp of the client ID of one that does": {app: toOwn, change: both(forbids, func(s *standIn) { s.ownApp().ClientID = clientID })},
		"a GitHubApp that is not there":                 {app: ref(v1alpha1.KindGitHubApp, "absent"), want: true},
		"where there are no ClusterGitHubApps":          {app: inline(host, clientID), change: func(s *standIn) { s.off = true }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn()
			if c.change != nil {
				c.change(s)
			}
			namespace := c.namespace
			if namespace == "" {
				namespace = "team-a"
			}
			got, err := s.resolver().Serves(t.Context(), resource(namespace, c.app))
			if err != nil || got != c.want {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
	// Whatever the resource names, the App of its pair is asked as well.
	s := newStandIn()
	forbids(s)
	if got, err := s.resolver().ServesOf(t.Context(), "team-a", scope.AppKey(host, clientID)); err != nil || got {
		t.Errorf("got %t, %v", got, err)
	}
	// What cannot be found out is no permission.
	s.err = errors.New("the API server is not there")
	for _, app := range []v1alpha1.App{toShared, toOwn, inline(host, clientID)} {
		if got, err := s.resolver().Serves(t.Context(), resource("team-a", app)); !errors.Is(err, s.err) || got {
			t.Errorf("got %t, %v", got, err)
		}
	}
}

func (s *standIn) ownApp() *v1alpha1.GitHubAppSpec {
	for _, app := range s.own {
		return &app.Spec
	}
	return nil
}
