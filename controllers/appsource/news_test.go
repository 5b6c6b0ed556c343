package appsource

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/internal/systemclock"
)

// scene is Apps over a cluster that stands in for the cache.
type scene struct {
	*Apps

	mu     sync.Mutex
	told   []string
	limits map[string]int
}

func newScene(t *testing.T, objects ...client.Object) *scene {
	t.Helper()
	s := &scene{limits: map[string]int{}}
	cluster := newCluster(t, objects...)
	source := Source{Cache: cluster, Live: cluster, Watched: watched{}, Cluster: true}
	s.Apps = New(Options{
		Source: source, Resolver: apps.New(apps.Options{Source: source}), Client: cluster, SecretNamespace: "operator", Limiter: s, Clock: systemclock.New(),
		Changed: func(token *v1alpha1.GitHubUserToken) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, token.Namespace+"/"+token.Name)
		},
	})
	return s
}

// SetLimit implements Limiter.
func (s *scene) SetLimit(app string, perHour int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[app] = perHour
}

// tells waits until nothing is left to tell, and returns who was told.
func (s *scene) tells() []string {
	time.Sleep(5 * time.Second)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	slices.Sort(told)
	return told
}

func token(namespace, name string, app v1alpha1.App) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.GitHubUserTokenSpec{App: app}}
}

func to(kind, name string) v1alpha1.App {
	return v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: name}}
}

func inlineApp(clientID string) v1alpha1.App { return v1alpha1.App{ClientID: clientID} }

// users are resources that use Apps in each way.
func users() []client.Object {
	return []client.Object{
		token("team-a", "own", to(v1alpha1.KindGitHubApp, "mine")), token("team-b", "own", to(v1alpha1.KindGitHubApp, "mine")),
		token("team-a", "shared", to(v1alpha1.KindClusterGitHubApp, "shared")), token("team-b", "shared", to(v1alpha1.KindClusterGitHubApp, "shared")),
		token("team-a", "inline", inlineApp("Iv23liSHARED")), token("team-b", "inline", inlineApp("iv23lishared")), token("team-b", "other", inlineApp("Iv23liOTHER")),
		app("team-a", "mine", "Iv23liSHARED"), app("team-b", "mine", "Iv23liMINE"), clusterApp("shared", "Iv23liSHARED"),
	}
}

func TestAppNewsAreForThoseWhomTheyConcern(t *testing.T) {
	changed := func(object client.Object) func(*scene) {
		return func(s *scene) {
			before := object.DeepCopyObject().(client.Object)
			object.SetGeneration(before.GetGeneration() + 1)
			s.AppEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: object}, nil)
		}
	}
	mine, shared := app("team-a", "mine", "Iv23liSHARED"), clusterApp("shared", "Iv23liSHARED")
	mine.Spec.ClientSecretRef, shared.Spec.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "app", Key: "k"}, &v1alpha1.ClientSecretReference{Name: "app", Key: "k"}
	for name, c := range map[string]struct {
		happens func(*scene)
		want    []string
	}{
		"a GitHubApp": {changed(mine), []string{"team-a/own"}},
		"a ClusterGitHubApp, and all of its host and client ID": {changed(shared), []string{"team-a/inline", "team-a/own", "team-a/shared", "team-b/inline", "team-b/shared"}},
		"a ClusterGitHubApp that gets another client ID": {func(s *scene) {
			after := clusterApp("shared", "Iv23liOTHER")
			after.Generation = shared.Generation + 1
			s.AppEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: shared, ObjectNew: after}, nil)
		}, []string{"team-a/inline", "team-a/own", "team-a/shared", "team-b/inline", "team-b/other", "team-b/shared"}},
		"a status": {func(s *scene) {
			s.AppEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: mine, ObjectNew: mine}, nil)
		}, nil},
		"the labels of a namespace": {func(s *scene) {
			s.NamespaceEvents().Update(t.Context(), event.UpdateEvent{
				ObjectOld: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b"}},
				ObjectNew: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b", Labels: map[string]string{"team": "b"}}},
			}, nil)
		}, []string{"team-b/inline", "team-b/other", "team-b/own", "team-b/shared"}},
		"an annotation of a namespace": {func(s *scene) {
			s.NamespaceEvents().Update(t.Context(), event.UpdateEvent{
				ObjectOld: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b"}},
				ObjectNew: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b", Annotations: map[string]string{"a": "b"}}},
			}, nil)
		}, nil},
		"the client secret of a GitHubApp":        {func(s *scene) { s.SecretChanged(named(mine)) }, []string{"team-a/own"}},
		"the client secret of a ClusterGitHubApp": {func(s *scene) { s.SecretChanged(named(shared)) }, []string{"team-a/shared", "team-b/shared"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, users()...)
				c.happens(s)
				if got := s.tells(); !slices.Equal(slices.Compact(got), c.want) {
					t.Errorf("told are %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A start has every resource looked at, in its turn: to tell the users of each App would have them stand before the others.
func TestAppNewsAStartTellsNobodyOfTheAppsThatItFinds(t *testing.T) {
	for name, c := range map[string]struct {
		starting bool
		want     []string
	}{
		"at a start":     {true, nil},
		"one that comes": {false, []string{"team-a/inline", "team-a/own", "team-a/shared", "team-b/inline", "team-b/shared"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, users()...)
				for _, object := range []client.Object{app("team-a", "mine", "Iv23liSHARED"), clusterApp("shared", "Iv23liSHARED")} {
					s.AppEvents().Create(t.Context(), event.CreateEvent{Object: object, IsInInitialList: c.starting}, nil)
				}
				if got := slices.Compact(s.tells()); !slices.Equal(got, c.want) {
					t.Errorf("told are %v, want %v", got, c.want)
				}
				if len(s.limits) != 1 {
					t.Errorf("the limits are %v, want that of the App", s.limits)
				}
			})
		})
	}
}

// A thousand changes of an App that many use are told once a second, and cost where they are received nothing.
func TestAppNewsAreToldBesideTheEventsAndOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var objects []client.Object
		for n := range 100 {
			objects = append(objects, token("team-a", fmt.Sprint(n), to(v1alpha1.KindGitHubApp, "mine")))
		}
		s := newScene(t, append(objects, app("team-a", "mine", "Iv23liMINE"))...)
		began := time.Now()
		for n := range 1000 {
			after := app("team-a", "mine", "Iv23liMINE")
			after.Generation = int64(n + 2)
			s.AppEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: app("team-a", "mine", "Iv23liMINE"), ObjectNew: after}, nil)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the events took %s", took)
		}
		if got := s.tells(); len(got) != 100 && len(got) != 200 {
			t.Errorf("%d were told", len(got))
		}
	})
}

func TestAppSecretsAreThoseThatAppsName(t *testing.T) {
	in := func(spec *v1alpha1.GitHubAppSpec, key string) {
		spec.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "app", Key: key}
	}
	a, b, c := app("team-a", "mine", "Iv23li"), app("operator", "mine", "Iv23li"), clusterApp("shared", "Iv23li")
	in(&a.Spec, "a")
	in(&b.Spec, "b")
	in(&c.Spec.GitHubAppSpec, "c")
	s := newScene(t, a, b, c)
	for secret, want := range map[types.NamespacedName][]string{
		{Namespace: "team-a", Name: "app"}: {"a"}, {Namespace: "operator", Name: "app"}: {"b", "c"}, {Namespace: "team-a", Name: "other"}: nil,
		{Namespace: "team-b", Name: "app"}: nil,
	} {
		var keys []string
		for _, found := range s.Naming(t.Context(), secret) {
			keys = append(keys, found.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s is named under %v, want %v", secret, keys, want)
		}
	}
}

func TestAppLimitIsTheSmallestOfThoseThatCount(t *testing.T) {
	limited := func(app *v1alpha1.GitHubApp, limit int32) client.Object {
		app.Spec.TokenRequestsPerHour = limit
		return app
	}
	offered := func(name string, limit int32) client.Object {
		app := clusterApp(name, "Iv23liX")
		app.Spec.TokenRequestsPerHour = limit
		return app
	}
	for name, c := range map[string]struct {
		objects []client.Object
		want    int
	}{
		"none sets one":                               {[]client.Object{app("a", "one", "Iv23liX")}, 0},
		"the smallest of a namespace":                 {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), limited(app("a", "two", "Iv23liX"), 5), app("a", "three", "Iv23liX")}, 5},
		"its own inline users":                        {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), token("a", "t", inlineApp("Iv23liX"))}, 9},
		"a GitHubApp of another namespace":            {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), limited(app("b", "one", "Iv23liX"), 1)}, 0},
		"an inline user of another namespace":         {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), token("b", "t", inlineApp("Iv23liX"))}, 0},
		"one that others hold alone":                  {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), released(token("b", "t", inlineApp("Iv23liX")))}, 9},
		"the smallest of the cluster's":               {[]client.Object{offered("one", 9), offered("two", 7), offered("three", 0), limited(app("a", "one", "Iv23liX"), 1)}, 7},
		"one of the cluster that sets none":           {[]client.Object{offered("one", 0), limited(app("a", "one", "Iv23liX"), 3)}, 0},
		"another client ID, of another namespace too": {[]client.Object{limited(app("a", "one", "Iv23liX"), 9), token("b", "t", inlineApp("Iv23liY"))}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.objects...)
			if _, err := s.setLimit(t.Context(), "github.com/Iv23liX"); err != nil {
				t.Fatal(err)
			}
			if got, set := s.limits["github.com/Iv23liX"]; !set || got != c.want {
				t.Errorf("the limit is %d, want %d", got, c.want)
			}
		})
	}
}

// released is a resource that is being deleted, without our finalizer.
func released(token *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
	token.DeletionTimestamp, token.Finalizers = new(metav1.Now()), []string{"example.com/mine"}
	return token
}

// An App has one user less as soon as the operator is done with a resource, although that is there.
func TestAppIsLookedAtWhenAResourceIsReleased(t *testing.T) {
	asked := &added{}
	before := token("a", "t", to(v1alpha1.KindGitHubApp, "one"))
	after := released(before.DeepCopy())
	before.DeletionTimestamp, before.Finalizers = after.DeletionTimestamp, []string{v1alpha1.Finalizer, "example.com/mine"}
	newScene(t).usersCome(v1alpha1.KindGitHubApp).Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, asked)
	if len(asked.names) == 0 || asked.names[0] != "a/one" {
		t.Errorf("looked at are %v", asked.names)
	}
}

// added is a queue that keeps what was added.
type added struct {
	requests

	names []string
}

func (a *added) AddAfter(request reconcile.Request, _ time.Duration) {
	a.names = append(a.names, request.String())
}

// An App that its namespace may not use has no part in a limit, and is not told of to those who share one.
func TestAppSharesItsLimitWithThoseThatMayBeUsed(t *testing.T) {
	named := func(uid types.UID, object client.Object) client.Object {
		object.SetUID(uid)
		return object
	}
	shared, own := clusterApp("shared", "Iv23liX"), app("a", "one", "Iv23liX")
	shared.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{
		From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "yes"}},
	}
	for name, c := range map[string]struct {
		inline v1alpha1.InlineUse
		others int
	}{
		"the ClusterGitHubApp binds all": {"", 2},
		"it binds nobody":                {v1alpha1.InlineUnrestricted, 4},
	} {
		t.Run(name, func(t *testing.T) {
			shared.Spec.InlineUse = c.inline
			s := newScene(t, named("1", shared.DeepCopy()), named("2", own.DeepCopy()), named("3", app("a", "two", "Iv23liX")), named("4", app("b", "one", "Iv23liX")), named("5", app("b", "two", "Iv23liX")),
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"team": "yes"}}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "b"}})
			for _, object := range []client.Object{named("1", shared.DeepCopy()), named("2", own.DeepCopy())} {
				if got, err := s.sharing(t.Context(), object); err != nil || got.Others != c.others {
					t.Errorf("%s shares with %d, want %d, %v", object.GetName(), got.Others, c.others, err)
				}
			}
		})
	}
}

// An inline user that comes from another namespace takes the limit away, and gives it back by going.
func TestAppLimitFollowsThoseWhoUseTheClientID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := app("a", "one", "Iv23liX")
		limited.Spec.TokenRequestsPerHour = 5
		s := newScene(t, limited)
		s.AppEvents().Create(t.Context(), event.CreateEvent{Object: limited}, nil)
		s.tells()
		if s.limits["github.com/Iv23liX"] != 5 {
			t.Fatalf("the limits are %v", s.limits)
		}
		other := token("b", "t", inlineApp("Iv23liX"))
		if err := s.options.Client.Create(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		s.usersCome(v1alpha1.KindGitHubApp).Create(t.Context(), event.CreateEvent{Object: other}, nil)
		s.tells()
		if s.limits["github.com/Iv23liX"] != 0 {
			t.Fatalf("the limits are %v", s.limits)
		}
		if err := s.options.Client.Delete(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		s.usersCome(v1alpha1.KindGitHubApp).Delete(t.Context(), event.DeleteEvent{Object: other}, nil)
		s.tells()
		if s.limits["github.com/Iv23liX"] != 5 {
			t.Fatalf("the limits are %v", s.limits)
		}
	})
}
