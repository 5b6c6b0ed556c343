package outputs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// apiServer stands in for an API server that keeps Secrets in one namespace, and for a cache of it. Requests are
// counted; what is read from the cache is none.
type apiServer struct {
	client.Reader
	client.Writer

	mu       sync.Mutex
	secrets  map[string]*corev1.Secret
	version  int
	requests []string
	// before, when there is one, is called ahead of each request, with its verb and the Secret's name. Its error is
	// the answer.
	before func(verb, name string) error
	// created, when there is one, is called between a creation and its answer.
	created func(types.UID)
	// admit, when there is one, is what admission makes of each Secret that is created or updated.
	admit func(*corev1.Secret)
	// cacheErr is the error of reads from the cache.
	cacheErr error
	// lag is what the cache shows in place of the Secrets, when it is not nil.
	lag map[string]*corev1.Secret
}

var secretsResource = corev1.Resource("secrets")

func (s *apiServer) request(verb, name string) error {
	s.mu.Lock()
	s.requests = append(s.requests, verb+" "+name)
	before := s.before
	s.mu.Unlock()
	if before != nil {
		return before(verb, name)
	}
	return nil
}

// counted are the requests since the last call, sorted.
func (s *apiServer) counted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	slices.Sort(requests)
	return requests
}

// store keeps a Secret as a manager has written it.
func (s *apiServer) store(secret *corev1.Secret, manager string) {
	s.version++
	secret.ResourceVersion = strconv.Itoa(s.version)
	if secret.UID == "" {
		secret.UID = types.UID("secret-" + secret.ResourceVersion)
	}
	before := s.secrets[secret.Name]
	owners := map[string]string{}
	for key, value := range secret.Data {
		owners[key] = manager
		if before != nil && string(before.Data[key]) == string(value) {
			owners[key] = managersOf(before)[key]
		}
	}
	secret.ManagedFields = entriesFor(owners)
	s.secrets[secret.Name] = secret.DeepCopy()
}

// entriesFor are managedFields in which the managers own these keys of the data.
func entriesFor(owners map[string]string) []metav1.ManagedFieldsEntry {
	byManager := map[string]map[string]any{}
	for key, manager := range owners {
		if byManager[manager] == nil {
			byManager[manager] = map[string]any{".": struct{}{}}
		}
		byManager[manager]["f:"+key] = struct{}{}
	}
	var entries []metav1.ManagedFieldsEntry
	for _, manager := range slices.Sorted(maps.Keys(byManager)) {
		raw, _ := json.Marshal(map[string]any{"f:data": byManager[manager], "f:type": struct{}{}})
		entries = append(entries, metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(string(raw)),
		})
	}
	return entries
}

func managersOf(secret *corev1.Secret) map[string]string {
	owners := map[string]string{}
	for _, entry := range secret.ManagedFields {
		var fields struct {
			Data map[string]any `json:"f:data"`
		}
		_ = json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields)
		for field := range fields.Data {
			if field != "." {
				owners[field[2:]] = entry.Manager
			}
		}
	}
	return owners
}

func (s *apiServer) admitted(secret *corev1.Secret) {
	if s.admit != nil {
		s.admit(secret)
	}
}

// edit changes a Secret as a person does.
func (s *apiServer) edit(name string, change func(*corev1.Secret)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := s.secrets[name].DeepCopy()
	change(secret)
	s.store(secret, "kubectl-edit")
}

// add stores a Secret of somebody.
func (s *apiServer) add(secret *corev1.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret.Namespace = "team-a"
	s.store(secret, "kubectl-create")
}

func (s *apiServer) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, name)
}

// get is a Secret, nil when there is none.
func (s *apiServer) get(name string) *corev1.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[name].DeepCopy()
}

// freeze lets the cache lag behind from now on.
func (s *apiServer) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = maps.Clone(s.secrets)
}

// writer implements Client: it writes, and reads the cache.
type writer struct{ *apiServer }

func (w writer) cached() map[string]*corev1.Secret {
	if w.lag != nil {
		return w.lag
	}
	return w.secrets
}

// asCached is the metadata that the cache keeps.
func asCached(secret *corev1.Secret) metav1.ObjectMeta {
	trimmed := secret.ObjectMeta.DeepCopy()
	managers.Trim(trimmed)
	return *trimmed
}

func (w writer) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cacheErr != nil {
		return w.cacheErr
	}
	secret := w.cached()[key.Name]
	if secret == nil || secret.Labels[v1alpha1.LabelRole] == "" {
		return apierrors.NewNotFound(secretsResource, key.Name)
	}
	object.(*metav1.PartialObjectMetadata).ObjectMeta = asCached(secret)
	return nil
}

func (w writer) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cacheErr != nil {
		return w.cacheErr
	}
	var by client.ListOptions
	by.ApplyOptions(options)
	uid, ok := by.FieldSelector.RequiresExactMatch(IndexOwner)
	if !ok || by.Namespace != "team-a" {
		return fmt.Errorf("no such index: %v", by.FieldSelector)
	}
	metas := list.(*metav1.PartialObjectMetadataList)
	for _, secret := range w.cached() {
		if slices.Contains(IndexedOwner(secret), uid) {
			metas.Items = append(metas.Items, metav1.PartialObjectMetadata{ObjectMeta: asCached(secret)})
		}
	}
	return nil
}

func (w writer) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	secret := object.(*corev1.Secret)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := w.request("create", secret.Name); err != nil {
		return err
	}
	w.mu.Lock()
	if w.secrets[secret.Name] != nil {
		w.mu.Unlock()
		return apierrors.NewAlreadyExists(secretsResource, secret.Name)
	}
	var o client.CreateOptions
	o.ApplyOptions(options)
	w.admitted(secret)
	w.store(secret, o.FieldManager)
	w.mu.Unlock()
	if w.created != nil {
		w.created(secret.UID)
	}
	return nil
}

func (w writer) Update(_ context.Context, object client.Object, options ...client.UpdateOption) error {
	secret := object.(*corev1.Secret)
	if err := w.request("update", secret.Name); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.secrets[secret.Name]
	switch {
	case before == nil:
		return apierrors.NewNotFound(secretsResource, secret.Name)
	case before.UID != secret.UID || before.ResourceVersion != secret.ResourceVersion:
		return apierrors.NewConflict(secretsResource, secret.Name, fmt.Errorf("it has changed"))
	case before.Immutable != nil && *before.Immutable || before.Type != secret.Type:
		return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), secret.Name+": field is immutable", nil)
	}
	var o client.UpdateOptions
	o.ApplyOptions(options)
	w.admitted(secret)
	w.store(secret, o.FieldManager)
	return nil
}

func (w writer) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	if err := w.request("patch", object.GetName()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	secret := w.secrets[object.GetName()].DeepCopy()
	if secret == nil {
		return apierrors.NewNotFound(secretsResource, object.GetName())
	}
	body, _ := patch.Data(object)
	var change struct {
		Metadata struct {
			ResourceVersion     string
			UID                 types.UID
			Labels, Annotations map[string]*string
		}
	}
	if err := json.Unmarshal(body, &change); err != nil {
		return err
	}
	if change.Metadata.UID != secret.UID || change.Metadata.ResourceVersion != secret.ResourceVersion {
		return apierrors.NewConflict(secretsResource, secret.Name, fmt.Errorf("it has changed"))
	}
	for current, changes := range map[*map[string]string]map[string]*string{
		&secret.Labels: change.Metadata.Labels, &secret.Annotations: change.Metadata.Annotations,
	} {
		for key, value := range changes {
			if value == nil {
				delete(*current, key)
			} else {
				(*current)[key] = *value
			}
		}
	}
	w.store(secret, "unused, as no data changes")
	object.(*metav1.PartialObjectMetadata).ObjectMeta = *secret.ObjectMeta.DeepCopy()
	return nil
}

func (w writer) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	if err := w.request("delete", object.GetName()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var o client.DeleteOptions
	o.ApplyOptions(options)
	secret := w.secrets[object.GetName()]
	switch {
	case secret == nil:
		return apierrors.NewNotFound(secretsResource, object.GetName())
	case o.Preconditions == nil || *o.Preconditions.UID != secret.UID || *o.Preconditions.ResourceVersion != secret.ResourceVersion:
		return apierrors.NewConflict(secretsResource, secret.Name, fmt.Errorf("it has changed"))
	}
	delete(w.secrets, secret.Name)
	return nil
}

// live implements client.Reader past the cache.
type live struct{ *apiServer }

func (l live) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if err := l.request("get", key.Name); err != nil {
		return err
	}
	secret := l.get(key.Name)
	if secret == nil {
		return apierrors.NewNotFound(secretsResource, key.Name)
	}
	switch into := object.(type) {
	case *corev1.Secret:
		*into = *secret
	case *metav1.PartialObjectMetadata:
		into.ObjectMeta = secret.ObjectMeta
	}
	return nil
}

func (l live) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return fmt.Errorf("nothing is listed past the cache")
}

// pairs is a PairReader with one pair.
type pairs struct {
	server *apiServer
	pair   *rotation.Pair
}

func (p *pairs) Get(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	if err := p.server.request("get pair", ref.Name); err != nil {
		return nil, err
	}
	return p.pair.Clone(), nil
}

// world is Outputs with what they need.
type world struct {
	*Outputs

	t      *testing.T
	server *apiServer
	store  *memory.Store
	pairs  *pairs
	token  *v1alpha1.GitHubUserToken
	// panics counts the calls of OnPanic.
	panics int
}

const (
	firstToken  = "ghu_abcdefghijklmnopqrstuvwxyz0123456789"
	secondToken = "ghu_zyxwvutsrqponmlkjihgfedcba9876543210"
)

// newWorld has a resource with these outputs, of which none is written yet.
func newWorld(t *testing.T, outputs ...v1alpha1.Output) *world {
	t.Helper()
	w := &world{
		t: t, server: &apiServer{secrets: map[string]*corev1.Secret{}}, store: memory.NewStore(),
		token: &v1alpha1.GitHubUserToken{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid-1", Generation: 1},
			Spec:       v1alpha1.GitHubUserTokenSpec{Outputs: outputs},
		},
	}
	w.pairs = &pairs{w.server, newPair(w.token, firstToken)}
	w.Outputs = New(Options{
		Client: writer{w.server}, Live: live{w.server}, Store: w.pairs, Clock: rotation.SystemClock(), Memory: w.store,
		OnPanic: func(types.UID) { w.panics++ },
	})
	return w
}

// newPair is the pair of a resource, with its data.
func newPair(token *v1alpha1.GitHubUserToken, access string) *rotation.Pair {
	pair := &rotation.Pair{
		Ref: scope.PairRefOf(token), Owner: scope.OwnerOf(token), Controlled: true, AccessToken: credential.NewAccessToken(access),
		RefreshToken: credential.NewRefreshToken("ghr_of_" + access),
	}
	pair.State = rotation.State{
		Owner: string(token.UID), App: "github.com/Iv1", AccessToken: pair.AccessToken.Fingerprint(), RefreshToken: pair.RefreshToken.Fingerprint(),
		IssuedAt: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC),
	}
	pair.NextRefreshAt = (&scope.Scope{Token: token, Pair: pair}).NextRefreshAt()
	return pair
}

// scope is what a reconcile knows now.
func (w *world) scope() *scope.Scope {
	pair := w.pairs.pair.Clone()
	pair.AccessToken = credential.AccessToken{}
	return &scope.Scope{Token: w.token, Owner: scope.OwnerOf(w.token), Ref: pair.Ref, Pair: pair, Now: w.options.Clock.Now()}
}

// published has the outputs written, and forgets the requests for that.
func (w *world) published() {
	w.t.Helper()
	w.Publish(w.t.Context(), w.token, w.pairs.pair)
	for _, spec := range w.token.Spec.Outputs {
		if w.server.get(spec.Name) == nil {
			w.t.Fatalf("output %s was not written", spec.Name)
		}
	}
	w.server.counted()
}

// sync is Sync, which must not fail.
func (w *world) sync() (message string, requeueAt time.Time) {
	w.t.Helper()
	found, requeueAt, err := w.Sync(w.t.Context(), w.scope(), nil)
	if err != nil {
		w.t.Fatalf("Sync: %v", err)
	}
	if found == nil {
		return "", requeueAt
	}
	if !found.Aside {
		w.t.Errorf("the problem is said to hold up exchanges: %s", found.Message)
	}
	return found.Reason, requeueAt
}

func (w *world) wantRequests(want ...string) {
	w.t.Helper()
	if got := w.server.counted(); !slices.Equal(got, want) {
		w.t.Errorf("requests were %v, want %v", got, want)
	}
}

// wantToken checks which token an output holds.
func (w *world) wantToken(name, token string) {
	w.t.Helper()
	if secret := w.server.get(name); secret == nil || string(secret.Data[v1alpha1.KeyAccessToken]) != token {
		w.t.Errorf("output %s does not hold the token that it should", name)
	}
}

func opaque(name string) v1alpha1.Output {
	return v1alpha1.Output{Name: name, Format: v1alpha1.OutputFormatOpaque}
}

var errCacheNotStarted error = &cache.ErrCacheNotStarted{}
