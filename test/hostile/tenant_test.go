package hostile

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// tenant may do in one namespace what the ClusterRole edit allows, and does it.
type tenant struct {
	w         *world
	namespace string
	api       client.WithWatch
	limiter   *rate.Limiter

	mu sync.Mutex
	// done and refused count its requests by what they were about.
	done, refused map[string]int
	// own are its Secrets that the operator has no business to write: seeds, and such as stand in its way.
	own map[string]bool
}

func (w *world) tenant(namespace string) *tenant {
	w.t.Helper()
	t := &tenant{
		w: w, namespace: namespace, api: w.member(namespace, "edit"), limiter: rate.NewLimiter(rate.Inf, 1),
		done: map[string]int{}, refused: map[string]int{}, own: map[string]bool{},
	}
	w.eventually("the tenant to have its rights", func() (bool, string) {
		err := t.api.List(w.ctx, &v1alpha1.GitHubUserTokenList{}, client.InNamespace(namespace))
		return err == nil, fmt.Sprint(err)
	})
	return t
}

// do makes one request, when it is its turn. A refusal is what a tenant that tries everything gets now and then.
func (t *tenant) do(what string, request func(context.Context) error) {
	if t.limiter.Wait(t.w.ctx) != nil {
		return // the test has ended
	}
	err := request(t.w.ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[what]++
	if err != nil && t.w.ctx.Err() == nil {
		t.refused[what]++
		if !expected(err) {
			t.w.t.Errorf("%s: %v", what, err)
		}
	}
}

// secret is one of its Secrets, not made yet. mine says that the operator must leave it alone.
func (t *tenant) secret(name string, mine bool, data map[string][]byte) *corev1.Secret {
	if mine {
		t.mu.Lock()
		t.own[name] = true
		t.mu.Unlock()
	}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}, Data: data}
}

// resource is one of its resources, not made yet.
func (t *tenant) resource(name, app string) *v1alpha1.GitHubUserToken {
	return suite.Resource(t.namespace, name, "github.com", app)
}

func (t *tenant) make(what string, object client.Object) {
	t.do(what, func(ctx context.Context) error { return t.api.Create(ctx, object) })
}

// patch is a merge patch of a Secret or a resource by name.
func (t *tenant) patch(what string, object client.Object, name, patch string) {
	object.SetNamespace(t.namespace)
	object.SetName(name)
	t.do(what, func(ctx context.Context) error {
		return t.api.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
	})
}

func (t *tenant) remove(what string, object client.Object, name string) {
	object.SetNamespace(t.namespace)
	object.SetName(name)
	t.do(what, func(ctx context.Context) error { return t.api.Delete(ctx, object) })
}

// touch changes an annotation and nothing else.
func touch(n int) string {
	return fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, n)
}

// forged is a Secret that claims to be the pair Secret of a resource.
func forged(resource *v1alpha1.GitHubUserToken, data map[string][]byte) *corev1.Secret {
	yes := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: resource.Namespace, Name: resource.Name + "-token",
			Labels:     map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: resource.Name},
			Finalizers: []string{v1alpha1.Finalizer},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: resource.Name, UID: resource.UID,
				Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Data: data,
	}
}

// junk is a token that looks like GitHub's and never was one.
func junk(r *rand.Rand, prefix string, length int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	text := []byte(prefix)
	for range length {
		text = append(text, letters[r.IntN(len(letters))])
	}
	return string(text)
}

func junkRefresh(r *rand.Rand) string { return junk(r, "ghr_", 76) }

// floods does what flood does, again and again.
func (w *world) floods(connections int) (end func()) {
	const every = 10 * time.Second
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for ctx.Err() == nil {
			end := w.flood(connections)
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
			end()
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// flood opens connections to the webhook receiver, each with a large body of which the last byte never comes, and holds
// them until the returned function is called.
func (w *world) flood(connections int) (end func()) {
	const size = 1 << 20
	body := make([]byte, size-1)
	ctx, cancel := context.WithCancel(w.ctx)
	var open sync.WaitGroup
	var sent sync.WaitGroup
	for range connections {
		sent.Add(1)
		open.Go(func() {
			once := sync.OnceFunc(sent.Done)
			defer once()
			var dialer net.Dialer
			connection, err := dialer.DialContext(ctx, "tcp", the.receiver)
			if err != nil {
				return
			}
			defer connection.Close()
			_ = connection.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: receiver\r\nX-GitHub-Event: github_app_authorization\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256=%064x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", 0, size); err != nil {
				return
			}
			_, _ = connection.Write(body) // it is taken, or not: both is an answer
			once()
			<-ctx.Done()
		})
	}
	sent.Wait()
	return func() {
		cancel()
		open.Wait()
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
