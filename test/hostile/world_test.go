package hostile

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// patience is how long a test waits for what must come. It is generous: machines are shared.
const patience = 3 * time.Minute

// world is what one test has of its own.
type world struct {
	t   *testing.T
	ctx context.Context

	mu sync.Mutex
	// logins are the first refresh tokens of all logins, by the namespace that may hold what comes of them.
	logins map[string][]string
	// writable are the Secrets, by namespace and name, that the operator may write; prefixes ends in a star.
	writable map[client.ObjectKey]bool
	// namespaces are those of this test.
	namespaces []string
	// kills are the moments at which the operator was killed.
	kills []time.Time
}

var worlds atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, logins: map[string][]string{}, writable: map[client.ObjectKey]bool{}}
	t.Cleanup(func() {
		if path := os.Getenv("HOSTILE_LOG"); path != "" { // for a look at it afterwards
			content, err := os.ReadFile(the.stage.Operator.LogPath())
			if err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("the end of the operator's log:\n%s", the.stage.Operator.LogTail())
		}
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.must(the.admin.Create(w.ctx, object))
}

// namespace makes one, with an App's client secret in it.
func (w *world) namespace(name string, labels map[string]string) string {
	w.t.Helper()
	name = fmt.Sprintf("%s-%d", name, worlds.Add(1))
	w.namespaces = append(w.namespaces, name)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "github-app"},
		StringData: map[string]string{"client_secret": clientSecret},
	})
	return name
}

// member is a client of a service account that is bound to a ClusterRole in its namespace.
func (w *world) member(namespace, clusterRole string) client.WithWatch {
	w.t.Helper()
	const name = "member"
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: name}},
	})
	config, err := the.stage.Plane.ServiceAccountConfig(w.ctx, namespace, name)
	w.must(err)
	config.QPS = -1
	scheme, err := stage.Scheme()
	w.must(err)
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	w.must(err)
	return c
}

// login is a user's login, whose tokens may stand in one namespace and nowhere else.
func (w *world) login(namespace, app, user string) string {
	token := the.gh.Mint(app, user).RefreshToken
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logins[namespace] = append(w.logins[namespace], token)
	return token
}

// app registers a GitHub App.
func (w *world) app(clientID string, lifetime time.Duration) string {
	the.gh.AddApp(githubtest.App{ClientID: clientID, Secrets: []string{clientSecret}, AccessTokenLifetime: lifetime, MaxTokens: -1})
	the.apps[clientID] = true
	return clientID
}

// watch tells of each object of a namespace that is there, and of each that changes, until the test ends. The API server may
// end a watch at any time, as it does when the definition of a resource changes; then another one is begun, which tells of
// all that is there once more.
func (w *world) watch(api client.WithWatch, list client.ObjectList, namespace string, tell func(client.Object), options ...client.ListOption) {
	w.t.Helper()
	const pause = 100 * time.Millisecond
	options = append(options, client.InNamespace(namespace))
	changes, err := api.Watch(w.ctx, list, options...)
	w.must(err)
	go func() {
		for {
			if err == nil {
				for change := range changes.ResultChan() {
					if object, ok := change.Object.(client.Object); ok && change.Type != watch.Deleted {
						tell(object)
					}
				}
			}
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(pause):
			}
			changes, err = api.Watch(w.ctx, list, options...)
		}
	}()
}

// eventually waits until a condition holds, and says what was there last when it never did.
func (w *world) eventually(what string, holds func() (bool, string)) {
	w.t.Helper()
	suite.Eventually(w.t, patience, what, holds)
}

// kill is kill -9 of the operator, and a start of the next process in the same pod.
func (w *world) kill() {
	w.t.Helper()
	noteMemory()
	the.stage.Operator.Kill()
	w.mu.Lock()
	w.kills = append(w.kills, time.Now())
	w.mu.Unlock()
	w.restart()
}

// restart starts the operator, which has ended.
func (w *world) restart() {
	w.t.Helper()
	the.lives++
	w.must(the.stage.Operator.Start(w.ctx))
}

// metric is the value of one of the operator's metrics that has no labels.
func (w *world) metrics() string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+the.stage.MetricsAddress+"/metrics", nil)
	w.must(err)
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	defer response.Body.Close()
	return readAll(w.t, response.Body)
}

// each does something for 0 to n-1, many at a time.
func each(n int, do func(int)) {
	const hands = 16
	numbers := make(chan int)
	var working sync.WaitGroup
	for range hands {
		working.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	working.Wait()
}

// expected reports whether an error is one that the API server gives to who asks for what cannot be, such as a conflict, or
// that comes of an operator or a test that ends.
func expected(err error) bool {
	return err == nil || apierrors.ReasonForError(err) != metav1.StatusReasonUnknown
}
