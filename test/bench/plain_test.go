package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// bareGroup is the API group of a resource type without a schema.
const bareGroup = "bare.example.dev"

// plain is a client that makes the exchange and the writes of a cycle and nothing else: it decides nothing, reads
// nothing and compares nothing.
type plain struct {
	api client.Client
	web *http.Client
	// bare says that the resources are of the type without a schema.
	bare bool
	end  []func()
}

// newPlain makes one, with the watches that the operator has open; a bare one has none.
func newPlain(ctx context.Context, bare bool) (*plain, error) {
	scheme, err := stage.Scheme()
	if err != nil {
		return nil, err
	}
	p := &plain{bare: bare}
	if p.api, err = client.New(the.plain, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("make the plain client: %w", err)
	}
	ca, err := os.ReadFile(the.stage.GitHub.CAFile())
	if err != nil {
		return nil, fmt.Errorf("make the plain client: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	p.web = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	if !bare {
		return p, p.watch(ctx)
	}
	return p, nil
}

// watch opens the watches of the operator: on resources, on the metadata of its Secrets and of all Secrets, and on what
// hardly changes.
func (p *plain) watch(ctx context.Context) error {
	ofMetadata, err := metadata.NewForConfig(metadata.ConfigFor(the.plain))
	if err != nil {
		return fmt.Errorf("make the plain client's watches: %w", err)
	}
	whole, err := dynamic.NewForConfig(the.plain)
	if err != nil {
		return fmt.Errorf("make the plain client's watches: %w", err)
	}
	secrets, ours := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, v1alpha1.GroupVersion.WithResource
	for _, begin := range []func(metav1.ListOptions) (watcher, error){
		func(o metav1.ListOptions) (watcher, error) {
			return whole.Resource(ours("githubusertokens")).Watch(ctx, o)
		},
		func(o metav1.ListOptions) (watcher, error) {
			o.LabelSelector = v1alpha1.LabelRole
			return ofMetadata.Resource(secrets).Watch(ctx, o)
		},
		func(o metav1.ListOptions) (watcher, error) { return ofMetadata.Resource(secrets).Watch(ctx, o) },
		func(o metav1.ListOptions) (watcher, error) { return whole.Resource(ours("githubapps")).Watch(ctx, o) },
		func(o metav1.ListOptions) (watcher, error) {
			return whole.Resource(ours("clustergithubapps")).Watch(ctx, o)
		},
		func(o metav1.ListOptions) (watcher, error) {
			return ofMetadata.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Watch(ctx, o)
		},
	} {
		w, err := begin(metav1.ListOptions{AllowWatchBookmarks: true})
		if err != nil {
			return fmt.Errorf("open the plain client's watches: %w", err)
		}
		p.end = append(p.end, w.Stop)
		go func() {
			for range w.ResultChan() { // It is to be read, and nothing more.
			}
		}()
	}
	return nil
}

func (p *plain) stop() {
	for _, end := range p.end {
		end()
	}
}

// renew makes the cycle of a renewal.
func (p *plain) renew(ctx context.Context, s *subject) error {
	fenced := s.object()
	err := p.patch(ctx, fenced, map[string]any{"metadata": map[string]any{
		"resourceVersion": s.pair.ResourceVersion, "uid": s.pair.UID,
		"annotations": map[string]any{v1alpha1.AnnotationIntent: s.intent(false)},
	}})
	if err != nil {
		return err
	}
	told := words.Time(s.state.ExpiresAt)
	stored, err := p.exchangeAndStore(ctx, s, fenced)
	if err != nil {
		return err
	}
	s.pair = stored
	return p.report(ctx, s, told)
}

// issue makes the cycle of a first issue: the finalizer, the Secret with the fence, the pair, whose it is, and the status.
func (p *plain) issue(ctx context.Context, s *subject) error {
	resource := p.resource(s)
	patch := fmt.Appendf(nil, `{"metadata":{"finalizers":[%q]}}`, v1alpha1.Finalizer)
	if err := p.api.Patch(ctx, resource, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("the finalizer: %w", err)
	}
	made := the.left.subject(s.resource.Namespace, s.resource.Name, 0)
	fenced := made.pair
	fenced.UID, fenced.CreationTimestamp, fenced.ManagedFields = "", metav1.Time{}, nil
	fenced.OwnerReferences[0].UID = s.resource.UID
	fenced.Data = map[string][]byte{}
	if p.bare {
		fenced.OwnerReferences, fenced.Labels = nil, nil
	}
	told := words.Time(made.state.ExpiresAt)
	s.state, s.resource.Status = made.state, made.resource.Status
	s.state.Owner = string(s.resource.UID)
	account := s.state.User
	s.state.User = nil
	fenced.Annotations = map[string]string{v1alpha1.AnnotationState: fenced.Annotations[v1alpha1.AnnotationState], v1alpha1.AnnotationIntent: s.intent(true)}
	if err := p.api.Create(ctx, fenced); err != nil {
		return fmt.Errorf("the first fence: %w", err)
	}
	s.pair = fenced
	stored, err := p.exchangeAndStore(ctx, s, fenced)
	if err != nil {
		return err
	}
	s.state.User = account
	known := map[string]string{}
	s.tellState(known)
	err = p.patch(ctx, stored, map[string]any{"metadata": map[string]any{
		"resourceVersion": stored.ResourceVersion, "uid": stored.UID,
		"annotations": map[string]any{v1alpha1.AnnotationState: known[v1alpha1.AnnotationState]},
	}})
	if err != nil {
		return fmt.Errorf("the account: %w", err)
	}
	return p.report(ctx, s, told)
}

// exchangeAndStore spends the token and stores the pair.
func (p *plain) exchangeAndStore(ctx context.Context, s *subject, fenced *corev1.Secret) (*corev1.Secret, error) {
	access, refresh, err := p.exchange(ctx, s.spends)
	if err != nil {
		return nil, err
	}
	s.state.Former = s.state.Former.With(s.state.RefreshToken)
	s.state.AccessToken, s.state.RefreshToken = access.Fingerprint(), refresh.Fingerprint()
	s.state.IssuedAt = time.Now()
	s.state.ExpiresAt, s.state.RefreshTokenExpiresAt = s.state.IssuedAt.Add(lifetime), s.state.IssuedAt.Add(184*24*time.Hour)
	s.state.Revision++
	s.state.RefreshCount++
	annotations := map[string]string{}
	s.tellState(annotations)
	changed := map[string]any{v1alpha1.AnnotationIntent: nil}
	for key, value := range annotations {
		changed[key] = value
	}
	data := map[string]any{v1alpha1.KeyAccessToken: []byte(access.Reveal()), v1alpha1.KeyRefreshToken: []byte(refresh.Reveal())}
	for key, value := range s.times() {
		data[key] = []byte(value)
	}
	if len(fenced.Data) == 0 {
		data[v1alpha1.KeyTokenType] = []byte("bearer")
	}
	stored := s.object()
	return stored, p.patch(ctx, stored, map[string]any{
		"metadata": map[string]any{"resourceVersion": fenced.ResourceVersion, "uid": fenced.UID, "annotations": changed}, "data": data,
	})
}

// exchange is a request on a connection of its own.
func (p *plain) exchange(ctx context.Context, spends credential.RefreshToken) (access credential.AccessToken, refresh credential.RefreshToken, err error) {
	form := url.Values{
		"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"refresh_token"}, "refresh_token": {spends.Reveal()},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+the.stage.GitHub.Host()+"/login/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return access, refresh, fmt.Errorf("the exchange: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := p.web.Do(request)
	if err != nil {
		return access, refresh, fmt.Errorf("the exchange: %w", err)
	}
	defer response.Body.Close()
	var reply struct {
		Error        string `json:"error"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil || reply.AccessToken == "" {
		return access, refresh, fmt.Errorf("the exchange: %s %s: %w", response.Status, reply.Error, err)
	}
	return credential.NewAccessToken(reply.AccessToken), credential.NewRefreshToken(reply.RefreshToken), nil
}

// report writes what the operator's status would tell; told is the expiry that it has told so far.
func (p *plain) report(ctx context.Context, s *subject, told string) error {
	s.tellStatus(told)
	text, err := json.Marshal(map[string]any{"status": s.resource.Status})
	must(err)
	if err := p.api.Status().Patch(ctx, p.resource(s), client.RawPatch(types.MergePatchType, text)); err != nil {
		return fmt.Errorf("the status: %w", err)
	}
	return nil
}

func (p *plain) patch(ctx context.Context, secret *corev1.Secret, change map[string]any) error {
	text, err := json.Marshal(change)
	must(err)
	if err := p.api.Patch(ctx, secret, client.RawPatch(types.MergePatchType, text)); err != nil {
		return fmt.Errorf("a write of the Secret: %w", err)
	}
	return nil
}

// resource is what writes of it take.
func (p *plain) resource(s *subject) client.Object {
	if !p.bare {
		return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: s.resource.Namespace, Name: s.resource.Name}}
	}
	resource := &unstructured.Unstructured{}
	resource.SetGroupVersionKind(schema.GroupVersionKind{Group: bareGroup, Version: "v1alpha1", Kind: "GitHubUserToken"})
	resource.SetNamespace(s.resource.Namespace)
	resource.SetName(s.resource.Name)
	return resource
}

// object is what writes of the Secret take.
func (s *subject) object() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.pair.Namespace, Name: s.pair.Name}}
}

// intent is one as the operator writes it.
func (s *subject) intent(login bool) string {
	text, err := json.Marshal(rotation.Intent{
		ID: uuid.NewString(), Holder: rotation.Holder{Outbox: uuid.NewString(), Process: uuid.NewString()},
		Spends: s.spends.Fingerprint(), Login: login, App: s.state.App, StartedAt: time.Now(),
	})
	must(err)
	return string(text)
}

type watcher = watch.Interface

// bareType is a resource type of the same name without a schema.
func bareType() client.Object {
	crd := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": bareGroup, "scope": "Namespaced",
		"names": map[string]any{"kind": "GitHubUserToken", "listKind": "GitHubUserTokenList", "plural": "githubusertokens", "singular": "githubusertoken"},
		"versions": []any{map[string]any{
			"name": "v1alpha1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		}},
	}}}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.SetName("githubusertokens." + bareGroup)
	return crd
}
