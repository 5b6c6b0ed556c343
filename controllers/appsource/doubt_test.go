package appsource

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/appstatus"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// accepting is a GitHub that accepts every App.
type accepting struct{ restlimit.GitHub }

func (accepting) CheckToken(context.Context, restlimit.Caller, github.App, credential.AccessToken) (github.Check, error) {
	return github.Check{}, nil
}

func (accepting) Cancel(string) {}

func (accepting) CheckHost(string) error { return nil }

// What GitHub has refused to a resource of another deployment has the App asked about. What a tenant can bring about at will has not.
func TestAppIsDoubtedForWhatGitHubHasRefusedToWhomeverItAdmits(t *testing.T) {
	const closed, open = "closed", "open"
	says := func(reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message, ObservedGeneration: 2}}
	}
	veiled := says(v1alpha1.ReasonAppNotUsable, "The access token expired. "+scope.AppNotUsableYet+" The next try is at noon.")
	for name, c := range map[string]struct {
		app           v1alpha1.App
		before, after []metav1.Condition
		generation    int64
		labels        map[string]string
		want          bool
	}{
		"GitHub refuses one's own App":                {app: to(v1alpha1.KindGitHubApp, "mine"), after: says(v1alpha1.ReasonIncorrectClientCredentials, "No."), want: true},
		"GitHub refuses an App that is lent":          {app: to(v1alpha1.KindClusterGitHubApp, open), after: veiled, want: true},
		"it has refused it before":                    {app: to(v1alpha1.KindClusterGitHubApp, open), before: veiled, after: veiled},
		"one of this deployment":                      {app: to(v1alpha1.KindClusterGitHubApp, open), after: veiled, labels: map[string]string{"shard": "ours"}},
		"it may not use the App":                      {app: to(v1alpha1.KindClusterGitHubApp, closed), after: says(v1alpha1.ReasonAppNotUsable, scope.AppNotUsable)},
		"it may not, and says that GitHub refuses it": {app: to(v1alpha1.KindClusterGitHubApp, closed), after: veiled},
		"it may, and the App forbids it something":    {app: to(v1alpha1.KindClusterGitHubApp, open), after: says(v1alpha1.ReasonAppNotUsable, "Outputs are not allowed.")},
		"it has named another App since":              {app: to(v1alpha1.KindClusterGitHubApp, open), after: veiled, generation: 3},
		"there is no such App":                        {app: to(v1alpha1.KindClusterGitHubApp, "none"), after: veiled},
		"an inline App":                               {app: inlineApp("Iv23liMINE"), after: says(v1alpha1.ReasonIncorrectClientCredentials, "No.")},
	} {
		t.Run(name, func(t *testing.T) {
			mine, shared, other := app("team-a", "mine", "Iv23liMINE"), clusterApp(open, "Iv23liOPEN"), clusterApp(closed, "Iv23liCLOSED")
			mine.UID, shared.UID, other.UID = "mine", "open", "closed"
			mine.Spec.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "app", Key: "k"}
			shared.Spec.ClientSecretRef, other.Spec.ClientSecretRef = mine.Spec.ClientSecretRef, mine.Spec.ClientSecretRef
			shared.Spec.AllowedNamespaces.From = v1alpha1.NamespacesAll
			other.Spec.AllowedNamespaces.From = v1alpha1.NamespacesSelector
			other.Spec.AllowedNamespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "b"}}
			before := token("team-a", "t", c.app)
			before.Generation, before.Labels, before.Status.Conditions = 2, c.labels, c.before
			after := before.DeepCopy()
			if after.Status.Conditions = c.after; c.generation != 0 {
				after.Generation = c.generation
			}
			looked := newDoubtful(t, mine, shared, other, before).doubts(t, before, after)
			if got := looked > 0; got != c.want {
				t.Errorf("it was looked at %d times, want that: %t", looked, c.want)
			}
		})
	}
}

// newDoubtful is a scene of a deployment that has found all Apps to be good.
func newDoubtful(t *testing.T, objects ...client.Object) *scene {
	t.Helper()
	s := newScene(t, objects...)
	var err error
	if s.options.Selector, err = shard.Parse("shard=ours"); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		kind := kindOf(object)
		if _, isToken := object.(*v1alpha1.GitHubUserToken); isToken {
			continue
		}
		if s.statuses[kind] == nil {
			s.statuses[kind] = appstatus.New(appstatus.Options{
				Client: s.options.Client, GitHub: accepting{}, Users: s.usersOf, Admits: s.options.Resolver.Admits, Bars: s.options.Resolver.Bars, Sharing: s.sharing,
				ClientSecret: func(context.Context, types.NamespacedName, string) (credential.ClientSecret, string, *problem.Problem, error) {
					return credential.NewClientSecret("secret"), "1", nil, nil
				},
				Version: func(types.NamespacedName) (string, bool) { return "1", true }, SecretNamespace: "operator", Memory: s.memory, Clock: s.options.Clock,
			}, kind == v1alpha1.KindClusterGitHubApp)
		}
		if _, err := s.statuses[kind].Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// doubts is how often Apps are looked at again for a change of a resource's status, which the controllers of both kinds are told of.
func (s *scene) doubts(t *testing.T, before, after *v1alpha1.GitHubUserToken) int {
	t.Helper()
	looked := &added{}
	for _, look := range s.looks {
		if err := look.Start(t.Context(), looked); err != nil {
			t.Fatal(err)
		}
	}
	for kind := range s.looks {
		s.usersCome(kind).Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, &added{})
	}
	return len(looked.names)
}
