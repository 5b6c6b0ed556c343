package scopedtokens

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// cluster keeps the Secrets of one namespace, and stands in for the API server and, as client.Client, for the cache of their metadata.
type cluster struct {
	client.Client

	mu      sync.Mutex
	secrets map[string]*corev1.Secret
	version int
	// before is called ahead of each write, with its verb and the Secret's name. Its error is the answer. May be nil.
	before func(verb, name string) error
	// noneMade is the answer to a dry run: nothing can be made in the namespace.
	noneMade error
	writes   []string
}

func (c *cluster) write(verb, name string) error {
	c.mu.Lock()
	c.writes = append(c.writes, verb+" "+name)
	before := c.before
	c.mu.Unlock()
	if before != nil {
		return before(verb, name)
	}
	return nil
}

var secrets = corev1.Resource("secrets")

func (c *cluster) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	secret := c.secrets[key.Name]
	if secret == nil {
		return apierrors.NewNotFound(secrets, key.Name)
	}
	switch object := object.(type) {
	case *corev1.Secret:
		*object = *secret.DeepCopy()
	case *metav1.PartialObjectMetadata:
		object.ObjectMeta = *secret.ObjectMeta.DeepCopy()
	}
	return nil
}

func (c *cluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.secrets)) {
		if c.secrets[name].Labels[v1alpha1.LabelRole] == v1alpha1.RoleOutput {
			all := list.(*metav1.PartialObjectMetadataList)
			all.Items = append(all.Items, metav1.PartialObjectMetadata{ObjectMeta: *c.secrets[name].ObjectMeta.DeepCopy()})
		}
	}
	return nil
}

// keep stores a Secret; the caller holds the lock.
func (c *cluster) keep(secret *corev1.Secret) {
	c.version++
	secret.ResourceVersion = strconv.Itoa(c.version)
	if secret.UID == "" {
		secret.UID = types.UID("secret-" + secret.ResourceVersion)
	}
	var fields []string
	for key := range secret.Data {
		fields = append(fields, fmt.Sprintf(`"f:%s":{}`, key))
	}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "github-user-token-operator", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:data":{` + strings.Join(fields, ",") + `}}`),
	}}
	c.secrets[secret.Name] = secret.DeepCopy()
	if secret.DeletionTimestamp != nil && len(secret.Finalizers) == 0 {
		delete(c.secrets, secret.Name)
	}
}

func (c *cluster) Create(_ context.Context, object client.Object, options ...client.CreateOption) error {
	if len((&client.CreateOptions{}).ApplyOptions(options).DryRun) > 0 {
		if c.noneMade != nil {
			return c.noneMade
		}
		return apierrors.NewAlreadyExists(secrets, object.GetName())
	}
	if err := c.write("create", object.GetName()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets[object.GetName()] != nil {
		return apierrors.NewAlreadyExists(secrets, object.GetName())
	}
	c.keep(object.(*corev1.Secret))
	return nil
}

func (c *cluster) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	if err := c.write("update", object.GetName()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch known := c.secrets[object.GetName()]; {
	case known == nil:
		return apierrors.NewNotFound(secrets, object.GetName())
	case known.ResourceVersion != object.GetResourceVersion():
		return apierrors.NewConflict(secrets, object.GetName(), errors.New("it has changed"))
	}
	c.keep(object.(*corev1.Secret))
	return nil
}

// Patch takes merge patches of annotations under a version, as Note makes them.
func (c *cluster) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	if err := c.write("patch", object.GetName()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.secrets[object.GetName()]
	if known == nil {
		return apierrors.NewNotFound(secrets, object.GetName())
	}
	changed, err := patched(known, patch, object)
	if err != nil {
		return err
	}
	if changed.ResourceVersion != known.ResourceVersion {
		return apierrors.NewConflict(secrets, object.GetName(), errors.New("it has changed"))
	}
	c.keep(changed)
	object.(*metav1.PartialObjectMetadata).ObjectMeta = changed.ObjectMeta
	return nil
}

func (c *cluster) Delete(_ context.Context, object client.Object, _ ...client.DeleteOption) error {
	if err := c.write("delete", object.GetName()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(object.GetName())
	return nil
}

// remove deletes a Secret, which stays for its finalizers; the caller holds the lock.
func (c *cluster) remove(name string) {
	if secret := c.secrets[name]; secret != nil && len(secret.Finalizers) > 0 {
		secret = secret.DeepCopy()
		secret.DeletionTimestamp = &metav1.Time{Time: epoch}
		c.keep(secret)
		return
	}
	delete(c.secrets, name)
}

// delete deletes a Secret as somebody else does.
func (c *cluster) delete(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(name)
}

func (c *cluster) get(name string) *corev1.Secret {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secrets[name].DeepCopy()
}

// edit changes a Secret as somebody else does.
func (c *cluster) edit(name string, change func(*corev1.Secret)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	secret := c.secrets[name].DeepCopy()
	change(secret)
	c.keep(secret)
}

// hub is GitHub: it makes tokens, and knows which of them are alive.
type hub struct {
	mu      sync.Mutex
	made    int
	alive   map[string]bool
	asked   []github.TokenScope
	revoked []string
	// ask and revoke answer the next requests, in turn: nil is a success. Without any, all succeed.
	ask, revoke []error
	// lifetime is that of scoped tokens; zero where GitHub does not say.
	lifetime time.Duration
	// on is called when a token is asked for. May be nil.
	on  func()
	now func() time.Time
}

func take(answers *[]error) error {
	if len(*answers) == 0 {
		return nil
	}
	answer := (*answers)[0]
	*answers = (*answers)[1:]
	return answer
}

func (h *hub) ScopeToken(_ context.Context, _ github.App, _ credential.AccessToken, asked github.TokenScope) (github.ScopedToken, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, asked)
	if h.on != nil {
		h.on()
	}
	if err := take(&h.ask); err != nil {
		if github.MayHaveIssued(err) {
			h.made++
			h.alive[fmt.Sprintf("ghu_scoped%d", h.made)] = true
		}
		return github.ScopedToken{}, err
	}
	h.made++
	token := fmt.Sprintf("ghu_scoped%d", h.made)
	h.alive[token] = true
	made := github.ScopedToken{Token: credential.NewAccessToken(token)}
	if h.lifetime > 0 {
		made.ExpiresAt = h.now().Add(h.lifetime)
	}
	return made, nil
}

func (h *hub) WithSecret(_ restlimit.Caller, _ github.App, request func() error) error {
	return request()
}

func (h *hub) RevokeToken(_ context.Context, _ restlimit.Caller, _ github.App, token credential.AccessToken) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := take(&h.revoke); err != nil {
		return err
	}
	h.revoked = append(h.revoked, token.Reveal())
	if !h.alive[token.Reveal()] {
		return errUnknown
	}
	delete(h.alive, token.Reveal())
	return nil
}

func (h *hub) CheckHost(string) error { return nil }

var (
	errUnknown = &github.Error{Class: github.Transient, Reason: github.TokenInvalid, Status: 404}
	errGateway = &github.Error{Class: github.Ambiguous, Reason: github.ServerError, Status: 502, Sent: true}
	errDenied  = &github.Error{Class: github.Misconfigured, Reason: github.ScopeNotGranted, Status: 422, Sent: true}
	errSecret  = &github.Error{Class: github.Misconfigured, Reason: github.IncorrectClientCredentials, Status: 401, Sent: true}
	errDown    = &github.Error{Class: github.Transient, Reason: github.HostUnreachable}
)

// pairs is where the pair of the resource is.
type pairs struct{ pair *rotation.Pair }

func (p *pairs) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	if p.pair == nil {
		return nil, rotation.ErrNotFound
	}
	return p.pair.Clone(), nil
}

// events are those that were told.
type events struct {
	mu   sync.Mutex
	told []string
}

func (e *events) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, reason+": "+fmt.Sprintf(note, args...))
}

// world is a Keeper with real outputs, and all that it works on.
type world struct {
	t *testing.T
	*Keeper
	outputs *outputs.Outputs
	cluster *cluster
	hub     *hub
	clock   *runnertest.Clock
	queue   *runnertest.Queue
	runner  *runner.Runner
	pairs   *pairs
	events  *events
	token   *v1alpha1.GitHubUserToken
	app     scope.App
	// secret is the App's client secret, and lacking why there is none.
	secret  string
	lacking *problem.Problem
	// off is an operator without --enable-scoped-outputs.
	off bool
}

func newWorld(t *testing.T, specs ...v1alpha1.Output) *world {
	w := &world{
		t: t, cluster: &cluster{secrets: map[string]*corev1.Secret{}}, clock: &runnertest.Clock{Start: epoch}, queue: &runnertest.Queue{}, pairs: &pairs{}, events: &events{},
		app: scope.App{App: github.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"}}, secret: "client secret",
	}
	w.hub = &hub{alive: map[string]bool{}, now: w.clock.Now}
	w.token = &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid", Generation: 1}, Spec: v1alpha1.GitHubUserTokenSpec{Outputs: specs},
	}
	w.exchange("ghu_first")
	w.restart()
	return w
}

// restart is a new process.
func (w *world) restart() {
	remembered := memory.NewStore()
	remembered.Learn(w.token.UID, types.NamespacedName{Namespace: "team-a", Name: "octocat"})
	w.runner = runner.New(runner.Options{Limit: 4, Go: w.queue.Go})
	written := outputs.New(outputs.Options{Client: w.cluster, Live: w.cluster, Store: w.pairs, Clock: w.clock, Memory: remembered})
	w.outputs = written
	w.Keeper = New(Options{
		Enabled: !w.off,
		GitHub:  w.hub, Asking: w.hub, Outputs: written, Live: w.cluster, Runner: w.runner, Memory: remembered, Clock: w.clock, Events: w.events,
		App: func(context.Context, *v1alpha1.GitHubUserToken) (scope.App, error) { return w.app, nil },
		ClientSecret: func(context.Context, scope.App) (credential.ClientSecret, *problem.Problem, error) {
			return credential.NewClientSecret(w.secret), w.lacking, nil
		},
	})
}

// exchange has the resource another pair.
func (w *world) exchange(access string) {
	token := credential.NewAccessToken(access)
	w.pairs.pair = &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Controlled: true, Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"},
		AccessToken: token, RefreshToken: credential.NewRefreshToken("ghr_1"), UID: "pair",
		State: rotation.State{
			App: app, Owner: "uid", AccessToken: token.Fingerprint(), RefreshToken: "refresh", IssuedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(8 * time.Hour),
		},
	}
	w.pairs.pair.NextRefreshAt = scope.PolicyOf(w.token).DueAt(&w.pairs.pair.State)
}

// publish is what follows a commit, and the work that it begins.
func (w *world) publish() {
	w.Publish(w.t.Context(), w.token, w.app, w.pairs.pair.Clone())
	w.queue.Run()
}

// sync is a reconcile, and the work that it begins.
func (w *world) sync() (*problem.Problem, time.Time) {
	w.t.Helper()
	s := &scope.Scope{Token: w.token, Owner: scope.OwnerOf(w.token), App: w.app, Now: w.clock.Now()}
	if w.pairs.pair != nil {
		s.Ref, s.Pair = w.pairs.pair.Ref, w.pairs.pair.WithoutTokens()
		s.Input.Policy = scope.PolicyOf(w.token)
	}
	found, at, err := w.Sync(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return found, at
}

// settled reconciles until there is nothing to do, and returns what is told then.
func (w *world) settled() (*problem.Problem, time.Time) {
	w.t.Helper()
	for range 10 {
		found, at := w.sync()
		if w.queue.Len() == 0 {
			return found, at
		}
		w.queue.Run()
	}
	w.t.Fatal("it does not come to rest")
	return nil, time.Time{}
}

// held is the token that an output gives its readers, and all that it keeps.
func (w *world) held(name string) (token string, all []string) {
	w.t.Helper()
	secret := w.cluster.get(name)
	if secret == nil {
		return "", nil
	}
	return string(secret.Data[v1alpha1.KeyAccessToken]), strings.Fields(string(secret.Data[v1alpha1.KeyScopedTokens]))
}

// ledger is what an output says of its tokens.
func (w *world) ledger(name string) ledger {
	w.t.Helper()
	l, err := ledgerOf(&w.cluster.get(name).ObjectMeta)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}
