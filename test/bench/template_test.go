package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	// lifetime of access tokens: GitHub's.
	lifetime = 8 * time.Hour
	// The names in a template are such as stand nowhere else in its text.
	templateNamespace = "bench-template-namespace"
	templateName      = "bench-template-name"
)

// template is a resource with its Secrets as the API server tells of them, all the fields that it manages among them.
type template struct {
	uid                  types.UID
	resource, seed, pair []byte
}

// makeTemplates takes the templates, and stops the operator.
func makeTemplates(ctx context.Context, startOperator func() error) error {
	if err := makeNamespace(ctx, templateNamespace); err != nil {
		return err
	}
	token, err := the.stage.GitHub.Login(ctx, clientID, templateName)
	if err != nil {
		return err
	}
	resource := suite.Resource(templateNamespace, templateName, the.stage.GitHub.Host(), clientID)
	seed := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: templateNamespace, Name: resource.Spec.RefreshTokenRef.Name},
		StringData: map[string]string{v1alpha1.KeyRefreshToken: token.Reveal()},
	}
	for _, object := range []client.Object{seed, resource} {
		if err := the.admin.Create(ctx, object); err != nil {
			return fmt.Errorf("make the template: %w", err)
		}
	}
	if the.fresh, err = takeTemplate(ctx, false); err != nil {
		return err
	}
	if err := startOperator(); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var now v1alpha1.GitHubUserToken
		if err := the.admin.Get(ctx, client.ObjectKeyFromObject(resource), &now); err != nil {
			return fmt.Errorf("look at the template: %w", err)
		}
		if meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionReady) && now.Status.User != nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("the template is not served: %s; the end of the operator's log:\n%s", suite.Describe(&now), the.stage.Operator.LogTail())
		}
	}
	time.Sleep(time.Second) // Nothing comes after it.
	if the.left, err = takeTemplate(ctx, true); err != nil {
		return err
	}
	return stopOperator(ctx)
}

func takeTemplate(ctx context.Context, served bool) (t template, err error) {
	kube, err := kubernetes.NewForConfig(the.stage.Plane.AdminConfig())
	if err != nil {
		return t, fmt.Errorf("make a client: %w", err)
	}
	get := func(api rest.Interface, path string) []byte {
		content, failed := api.Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
		if failed != nil {
			err = fmt.Errorf("take the template: %w", failed)
		}
		return content
	}
	secrets := "/api/v1/namespaces/" + templateNamespace + "/secrets/" + templateName
	t.resource = get(kube.RESTClient(), "/apis/"+v1alpha1.GroupVersion.String()+"/namespaces/"+templateNamespace+"/githubusertokens/"+templateName)
	t.seed = get(kube.RESTClient(), secrets+"-seed")
	if served {
		t.pair = get(kube.RESTClient(), secrets+"-token")
	}
	if err != nil {
		return t, err
	}
	var named metav1.PartialObjectMetadata
	if err := json.Unmarshal(t.resource, &named); err != nil {
		return t, fmt.Errorf("take the template: %w", err)
	}
	t.uid = named.UID
	return t, nil
}

// makeNamespace makes a namespace with the App's client secret.
func makeNamespace(ctx context.Context, name string) error {
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "github-app"},
			StringData: map[string]string{"client_secret": clientSecret},
		},
	} {
		if err := the.admin.Create(ctx, object); err != nil {
			return fmt.Errorf("make namespace %s: %w", name, err)
		}
	}
	return nil
}

// subject is a resource with its Secrets, as it is put into etcd.
type subject struct {
	resource   *v1alpha1.GitHubUserToken
	seed, pair *corev1.Secret
	state      rotation.State
	// due is when its refresh, or for a first issue its login, is due.
	due time.Time
	// spends is the refresh token that GitHub takes.
	spends credential.RefreshToken
}

func (s *subject) key() client.ObjectKey { return client.ObjectKeyFromObject(s.resource) }

// subject makes one from the template.
func (t *template) subject(namespace, name string, number int) *subject {
	uid := types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012x", nextUID.Add(1)))
	named := strings.NewReplacer(string(t.uid), string(uid), templateNamespace, namespace, templateName, name)
	s := &subject{resource: &v1alpha1.GitHubUserToken{}, seed: &corev1.Secret{}}
	decode(named, t.resource, s.resource)
	decode(named, t.seed, s.seed)
	s.seed.UID = "1" + uid[1:]
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	for _, object := range []metav1.Object{s.resource, s.seed} {
		object.SetResourceVersion("")
		object.SetCreationTimestamp(now)
	}
	if t.pair == nil {
		return s
	}
	s.pair = &corev1.Secret{}
	decode(named, t.pair, s.pair)
	s.pair.ResourceVersion, s.pair.CreationTimestamp = "", now
	s.pair.UID = "2" + uid[1:]
	must(json.Unmarshal([]byte(s.pair.Annotations[v1alpha1.AnnotationState]), &s.state))
	s.state.User = &rotation.User{Login: name, ID: int64(number) + 1}
	s.resource.Status.User = &v1alpha1.User{Login: name, ID: int64(number) + 1}
	return s
}

func decode(named *strings.Replacer, text []byte, into any) {
	must(json.Unmarshal([]byte(named.Replace(string(text))), into))
}

// holds puts a pair into the Secret whose refresh is due at a time.
func (s *subject) holds(access credential.AccessToken, refresh credential.RefreshToken, due time.Time) {
	told := words.Time(s.state.ExpiresAt)
	s.state.AccessToken, s.state.RefreshToken = access.Fingerprint(), refresh.Fingerprint()
	login := credential.NewRefreshToken(string(s.seed.Data[v1alpha1.KeyRefreshToken])).Fingerprint()
	s.state.Seeds, s.state.Former = []rotation.SeedRecord{{Fingerprint: login}}, credential.Trail("").With(login)
	if s.state.Login != nil {
		s.state.Login = &origin.Login{First: login, At: s.state.Login.At}
	}
	s.state.IssuedAt, s.state.ExpiresAt = due, due.Add(lifetime)
	s.due = due
	late := rotation.Policy{}.DueAt(&s.state).Sub(due)
	s.state.IssuedAt, s.state.ExpiresAt = due.Add(-late), due.Add(lifetime-late)
	s.state.RefreshTokenExpiresAt = s.state.IssuedAt.Add(184 * 24 * time.Hour)
	s.pair.Data[v1alpha1.KeyAccessToken], s.pair.Data[v1alpha1.KeyRefreshToken] = []byte(access.Reveal()), []byte(refresh.Reveal())
	s.tellState(s.pair.Annotations)
	for key, value := range s.times() {
		s.pair.Data[key] = []byte(value)
	}
	s.tellStatus(told)
}

// tellState writes what is known of the pair into annotations.
func (s *subject) tellState(annotations map[string]string) {
	text, err := json.Marshal(s.state)
	must(err)
	annotations[v1alpha1.AnnotationState] = string(text)
	annotations[v1alpha1.AnnotationExpiresAt] = words.Time(s.state.ExpiresAt)
	annotations[v1alpha1.AnnotationNextRefreshAt] = words.Time(rotation.Policy{}.DueAt(&s.state))
}

// times are those of the pair in the data of its Secret.
func (s *subject) times() map[string]string {
	return map[string]string{
		v1alpha1.KeyExpiresAt:             words.Time(s.state.ExpiresAt),
		v1alpha1.KeyRefreshTokenExpiresAt: words.Time(s.state.RefreshTokenExpiresAt),
	}
}

// tellStatus makes the status that of the pair; told is the expiry that it has told so far.
func (s *subject) tellStatus(told string) {
	status := &s.resource.Status
	status.AccessTokenExpirationTime, status.RefreshTokenExpirationTime = timeOf(s.state.ExpiresAt), timeOf(s.state.RefreshTokenExpiresAt)
	status.LastRefreshTime, status.NextRefreshTime = timeOf(s.state.IssuedAt), timeOf(rotation.Policy{}.DueAt(&s.state))
	status.RefreshCount = s.state.RefreshCount
	status.Login = revokerequest.Report(&scope.Scope{
		Token: s.resource, Pair: &rotation.Pair{Controlled: true, Owner: scope.OwnerOf(s.resource), State: s.state},
	})
	for i := range status.Conditions {
		status.Conditions[i].Message = strings.ReplaceAll(status.Conditions[i].Message, told, words.Time(s.state.ExpiresAt))
	}
}

func timeOf(t time.Time) *metav1.Time { return &metav1.Time{Time: t.UTC().Truncate(time.Second)} }

// must is for what cannot fail, or shows that the measure itself is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
