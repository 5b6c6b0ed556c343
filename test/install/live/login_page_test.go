package live

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/accounttokens"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// What the page's account may do, by its role and by the policy that comes with it: ask for a login, and bring back its code. Nobody
// else is concerned.
func TestWallsHoldTheLoginPageToAskingForLoginsAndBringingBackCodes(t *testing.T) {
	const (
		annotation = v1alpha1.AnnotationWebLoginRequested
		ours       = "p-0123456789ab-0123456789abcdef0123456789abcdef01234567 https://login.example.com/callback"
		plugins    = "request-1 http://127.0.0.1:8976/callback"
	)
	w := newWorld(t)
	w.helm("install", release, chart, "--namespace", stage.Namespace, "--create-namespace",
		"--set", "loginPage.enabled=true,loginPage.url=https://login.example.com,loginPage.myTokens.app=login-page,walls.enabled=true")
	w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	w.must(w.api.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
	}))
	page := w.as(w.Plane.ServiceAccountConfig(t.Context(), stage.Namespace, release+"-login-page"))
	tenant := w.as(w.Plane.UserConfig("tenant"))

	resource := suite.Resource(namespace, "octocat", "github.com", clientID)
	resource.Labels, resource.Annotations = map[string]string{"team": "a"}, map[string]string{"team": "a", v1alpha1.AnnotationPurpose: "tests"}
	resource.Finalizers = []string{v1alpha1.Finalizer} // As the operator, which is not here, does.
	w.must(w.api.Create(t.Context(), resource))
	asked := resource.DeepCopy()
	asked.ResourceVersion, asked.UID, asked.Name = "", "", "asked"
	asked.Annotations[annotation] = ours
	w.must(w.api.Create(t.Context(), asked))
	loopback := asked.DeepCopy()
	loopback.ResourceVersion, loopback.UID, loopback.Name = "", "", "loopback"
	loopback.Annotations[annotation] = plugins
	w.must(w.api.Create(t.Context(), loopback))
	w.must(w.api.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}))
	// What the operator, which is not here, says of whose token it is.
	const revocation, theirs = v1alpha1.AnnotationRevocationRequested, "github.com/583231 0123456789abcdef0123"
	resource.Status.Login = &v1alpha1.LoginReport{Account: "github.com/583231", ID: "0123456789abcdef0123"}
	w.must(w.api.Status().Update(t.Context(), resource))
	visit := func(change func(*v1alpha1.GitHubUserToken)) func(client.Client) error {
		return func(c client.Client) error {
			made := aVisit()
			made.Name += "z" // Another one is going on.
			made.Spec.Secret.Name = made.Name
			change(made)
			return c.Create(t.Context(), made, client.DryRunAll)
		}
	}
	going := aVisit()
	w.must(w.api.Create(t.Context(), going))
	own := suite.Resource(stage.Namespace, "own", "github.com", clientID)
	w.must(w.api.Create(t.Context(), own))

	patchIn := func(space, name, body string) func(client.Client) error {
		return func(c client.Client) error {
			object := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name}}
			return c.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(body)), client.DryRunAll)
		}
	}
	patch := func(name, body string) func(client.Client) error { return patchIn(namespace, name, body) }
	sentOn := func(space, name string) func(client.Client) error {
		return patchIn(space, name, `{"metadata":{"annotations":{"`+v1alpha1.AnnotationVisitSentAt+`":"2027-02-03T12:00:00Z"}}}`)
	}
	annotate := func(name, key, value string) func(client.Client) error {
		return patch(name, fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, key, value))
	}
	code := func(change func(*corev1.Secret)) func(client.Client) error {
		return func(c client.Client) error {
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: namespace, Name: v1alpha1.LoginCodeSecretName(string(resource.UID) + "-random"), Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLoginCode},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: resource.Name, UID: resource.UID}},
				},
				Data: map[string][]byte{v1alpha1.KeyCode: []byte("0123456789abcdef0123")},
			}
			change(secret)
			return c.Create(t.Context(), secret, client.DryRunAll)
		}
	}
	suite.Eventually(t, patience, "the policy holds", func() (bool, string) {
		err := annotate("octocat", "team", `"b"`)(page)
		return apierrors.IsForbidden(err), fmt.Sprint(err)
	})
	const byPolicy, byRole = "ValidatingAdmissionPolicy", "cannot"
	for what, c := range map[string]struct {
		act func(client.Client) error
		// forbidden is by what; empty when it is allowed.
		forbidden string
		// tenants may as well, unless this says that they may not.
		tenantsToo bool
	}{
		"reads a resource": {func(c client.Client) error {
			return c.Get(t.Context(), client.ObjectKeyFromObject(resource), &v1alpha1.GitHubUserToken{})
		}, "", true},
		"asks for a login":                       {annotate("octocat", annotation, `"`+ours+`"`), "", true},
		"asks for another login":                 {annotate("asked", annotation, `"`+strings.Replace(ours, "p-0", "p-1", 1)+`"`), "", true},
		"asks in the place of a command line":    {annotate("loopback", annotation, `"`+ours+`"`), "", true},
		"asks once more for the same":            {annotate("asked", annotation, `"`+ours+`"`), "", true},
		"takes its own request back":             {annotate("asked", annotation, "null"), "", true},
		"takes back that of a command line":      {annotate("loopback", annotation, "null"), byPolicy, true},
		"asks as a command line does":            {annotate("octocat", annotation, `"`+plugins+`"`), byPolicy, true},
		"asks for a login without an ID":         {annotate("octocat", annotation, `"https://login.example.com/callback"`), byPolicy, true},
		"asks with a callback elsewhere by http": {annotate("octocat", annotation, `"p-0123456789ab-0123456789abcdef0123456789abcdef01234567 http://login.example.com/callback"`), byPolicy, true},
		"asks for an exchange":                   {annotate("octocat", v1alpha1.AnnotationRefreshRequestedAt, `"now"`), byPolicy, true},
		"vouches for a restored pair":            {annotate("octocat", v1alpha1.AnnotationAdopt, `"true"`), byPolicy, true},
		"changes what a login is said to be for": {annotate("octocat", v1alpha1.AnnotationPurpose, `"mine"`), byPolicy, true},
		"takes an annotation off":                {annotate("octocat", "team", "null"), byPolicy, true},
		"takes all annotations off":              {patch("octocat", `{"metadata":{"annotations":null}}`), byPolicy, true},
		"asks, and changes another annotation":   {patch("octocat", `{"metadata":{"annotations":{"`+annotation+`":"`+ours+`","team":"b"}}}`), byPolicy, true},
		"changes the account":                    {patch("octocat", `{"spec":{"user":{"login":"mine"}}}`), byPolicy, true},
		"asks, and changes the account":          {patch("octocat", `{"metadata":{"annotations":{"`+annotation+`":"`+ours+`"}},"spec":{"user":{"login":"mine"}}}`), byPolicy, true},
		"suspends a resource":                    {patch("octocat", `{"spec":{"suspend":true}}`), byPolicy, true},
		"labels a resource":                      {patch("octocat", `{"metadata":{"labels":{"team":"b"}}}`), byPolicy, true},
		"takes the finalizer off":                {patch("octocat", `{"metadata":{"finalizers":null}}`), byPolicy, true},
		"gives a resource an owner":              {patch("octocat", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"y"}]}}`), byPolicy, true},
		"asks for the revocation of a login":     {annotate("octocat", revocation, `"`+theirs+`"`), "", true},
		"asks for that of another account":       {annotate("octocat", revocation, `"`+strings.Replace(theirs, "/5", "/6", 1)+`"`), byPolicy, true},
		"asks for that of another login":         {annotate("octocat", revocation, `"`+theirs+`4"`), byPolicy, true},
		"asks for that of nobody":                {annotate("asked", revocation, `" "`), byPolicy, true},
		"asks for it without a login":            {annotate("asked", revocation, `"`+theirs+`"`), byPolicy, true},
		"asks for it, and for an exchange":       {patch("octocat", `{"metadata":{"annotations":{"`+revocation+`":"`+theirs+`","`+v1alpha1.AnnotationRefreshRequestedAt+`":"now"}}}`), byPolicy, true},
		"asks for it, and suspends":              {patch("octocat", `{"metadata":{"annotations":{"`+revocation+`":"`+theirs+`"}},"spec":{"suspend":true}}`), byPolicy, true},
		"makes a visit":                          {visit(func(*v1alpha1.GitHubUserToken) {}), "", false},
		"makes a visit of another name":          {visit(func(v *v1alpha1.GitHubUserToken) { v.Name = "mine" }), byPolicy, false},
		"makes a visit without its label":        {visit(func(v *v1alpha1.GitHubUserToken) { v.Labels = nil }), byPolicy, false},
		"makes a visit with another label":       {visit(func(v *v1alpha1.GitHubUserToken) { v.Labels["team"] = "a" }), byPolicy, false},
		"makes a visit that keeps its token":     {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain }), byPolicy, false},
		"makes a visit with an App inline": {visit(func(v *v1alpha1.GitHubUserToken) {
			v.Spec.App = v1alpha1.App{ClientID: clientID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "plain", Key: "client_secret"}}
		}), byPolicy, false},
		"makes a visit of another App":              {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.App.Ref.Name = "platform" }), byPolicy, false},
		"makes a visit of an App of its namespace":  {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.App.Ref.Kind = v1alpha1.KindGitHubApp }), byPolicy, false},
		"makes a visit that a command line redeems": {visit(func(v *v1alpha1.GitHubUserToken) { v.Annotations[annotation] = plugins }), byPolicy, false},
		"makes a visit that asks for nothing":       {visit(func(v *v1alpha1.GitHubUserToken) { delete(v.Annotations, annotation) }), byPolicy, false},
		"makes a visit that is suspended":           {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.Suspend = true }), byPolicy, false},
		"makes a visit that is refreshed late":      {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.RefreshBefore = &metav1.Duration{Duration: time.Hour} }), byPolicy, false},
		"makes a visit with an output": {visit(func(v *v1alpha1.GitHubUserToken) {
			v.Spec.Outputs = []v1alpha1.Output{{Name: "git", Format: v1alpha1.OutputFormatGitCredentials}}
		}), byPolicy, false},
		"makes a visit into another Secret":            {visit(func(v *v1alpha1.GitHubUserToken) { v.Spec.Secret.Name = "plain" }), byPolicy, false},
		"makes a visit elsewhere":                      {visit(func(v *v1alpha1.GitHubUserToken) { v.Namespace = namespace }), byRole, false},
		"ends a visit":                                 {func(c client.Client) error { return c.Delete(t.Context(), going.DeepCopy(), client.DryRunAll) }, "", false},
		"says that the browser of a visit was sent on": {sentOn(stage.Namespace, going.Name), "", true},
		"says so of what is no visit":                  {sentOn(stage.Namespace, own.Name), byPolicy, true},
		"says so of a resource of a tenant":            {annotate("octocat", v1alpha1.AnnotationVisitSentAt, `"2027-02-03T12:00:00Z"`), byPolicy, true},
		"says so, and takes its purpose away":          {patchIn(stage.Namespace, going.Name, `{"metadata":{"annotations":{"`+v1alpha1.AnnotationVisitSentAt+`":"x","`+v1alpha1.AnnotationPurpose+`":null}}}`), byPolicy, true},
		"deletes what is no visit":                     {func(c client.Client) error { return c.Delete(t.Context(), own.DeepCopy(), client.DryRunAll) }, byPolicy, false},
		"brings back a code":                           {code(func(*corev1.Secret) {}), "", true},
		"brings back a code without an owner":          {code(func(s *corev1.Secret) { s.OwnerReferences = nil }), "", true},
		"makes a Secret":                               {code(func(s *corev1.Secret) { s.Name, s.Labels = "mine", nil }), byPolicy, true},
		"makes a code of another name":                 {code(func(s *corev1.Secret) { s.Name = "mine" }), byPolicy, true},
		"makes a code without its label":               {code(func(s *corev1.Secret) { s.Labels = nil }), byPolicy, true},
		"makes a code with another label":              {code(func(s *corev1.Secret) { s.Labels["team"] = "b" }), byPolicy, true},
		"makes a code with an annotation":              {code(func(s *corev1.Secret) { s.Annotations = map[string]string{"a": "b"} }), byPolicy, true},
		"makes a code with a finalizer":                {code(func(s *corev1.Secret) { s.Finalizers = []string{"example.com/a"} }), byPolicy, true},
		"makes a code that is another's":               {code(func(s *corev1.Secret) { s.OwnerReferences[0].APIVersion, s.OwnerReferences[0].Kind = "v1", "ConfigMap" }), byPolicy, true},
		"makes a code that is controlled":              {code(func(s *corev1.Secret) { s.OwnerReferences[0].Controller = new(true) }), byPolicy, true},
		"makes a code that is a token of Kubernetes": {code(func(s *corev1.Secret) {
			s.Type, s.Annotations = corev1.SecretTypeServiceAccountToken, map[string]string{corev1.ServiceAccountNameKey: "default"}
		}), byPolicy, true},
		"makes a code with another key": {code(func(s *corev1.Secret) { s.Data["access_token"] = []byte("mine") }), byPolicy, true},
		"makes a code of a megabyte":    {code(func(s *corev1.Secret) { s.Data[v1alpha1.KeyCode] = make([]byte, 1<<19) }), byPolicy, true},
		"makes a pair":                  {func(c client.Client) error { return c.Create(t.Context(), forged(v1alpha1.RolePair), client.DryRunAll) }, byPolicy, false},
		"makes a resource": {func(c client.Client) error {
			return c.Create(t.Context(), suite.Resource(namespace, "mine", "github.com", clientID), client.DryRunAll)
		}, byRole, true},
		"deletes a resource": {func(c client.Client) error { return c.Delete(t.Context(), resource.DeepCopy(), client.DryRunAll) }, byRole, true},
		"lists the resources of an account": {func(c client.Client) error {
			found, err := accounttokens.List(t.Context(), c, "github.com/583231", accounttokens.Place{}, nameOf)
			if err == nil && (len(found.Groups) != 1 || len(found.Groups[0].Tokens) != 1 || found.Groups[0].Tokens[0] != "octocat") {
				t.Errorf("what is listed is %+v", found)
			}
			return err
		}, "", false},
		"reads a Secret": {func(c client.Client) error {
			return c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "plain"}, &corev1.Secret{})
		}, byRole, true},
		"lists Secrets": {func(c client.Client) error {
			return c.List(t.Context(), &corev1.SecretList{}, client.InNamespace(namespace))
		}, byRole, true},
		"deletes a Secret": {func(c client.Client) error {
			return c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}, client.DryRunAll)
		}, byRole, true},
		"writes a status": {func(c client.Client) error {
			return c.Status().Patch(t.Context(), resource.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"refreshCount":1}}`)), client.DryRunAll)
		}, byRole, false},
	} {
		switch err := c.act(page); {
		case c.forbidden == "" && err != nil:
			t.Errorf("the page %s: %v", what, err)
		case c.forbidden != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), c.forbidden) || c.forbidden == byRole && strings.Contains(err.Error(), byPolicy)):
			t.Errorf("the page %s: %v, want that it is forbidden by what says %q", what, err, c.forbidden)
		}
		if err := c.act(tenant); c.tenantsToo && err != nil && strings.Contains(err.Error(), byPolicy) {
			t.Errorf("a tenant %s: %v", what, err)
		}
	}
	w.listsFairly()
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	w.must(w.api.Get(t.Context(), client.ObjectKey{Name: release + "-login-page"}, policy))
	if checked := policy.Status.TypeChecking; checked != nil && len(checked.ExpressionWarnings) > 0 {
		t.Errorf("the policy of the page: %+v", checked.ExpressionWarnings)
	}
}

// aVisit is what the page makes when somebody proves whose account is theirs.
func aVisit() *v1alpha1.GitHubUserToken {
	const name = v1alpha1.VisitPrefix + "0123456789abcdefghijklmnop"
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: stage.Namespace, Name: name, Labels: map[string]string{v1alpha1.LabelVisit: "0123456789", v1alpha1.LabelVisitor: "0123456789"},
			Annotations: map[string]string{
				v1alpha1.AnnotationWebLoginRequested: "p-0123456789ab-0123456789abcdef0123456789abcdef01234567 https://login.example.com/callback",
				v1alpha1.AnnotationPurpose:           "somebody proves on the login page whose account is theirs",
			},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:    v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindClusterGitHubApp, Name: "login-page"}},
			Login:  &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}},
			Secret: v1alpha1.SecretTemplate{Name: name}, DeletionPolicy: v1alpha1.DeletionPolicyRevoke,
		},
	}
}

// listsFairly makes up resources of an account in one namespace: a real API server goes on from there in a list whose selector has left out the
// namespace, so that what stands in another is found by a few requests.
func (w *world) listsFairly() {
	w.t.Helper()
	const account = "github.com/777"
	for _, space := range []string{"aaa-made-up", "zzz-theirs"} {
		w.must(w.api.Create(w.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}))
	}
	hold := func(space, name string) {
		w.t.Helper()
		token := suite.Resource(space, name, "github.com", clientID)
		w.must(w.api.Create(w.t.Context(), token))
		token.Status.Login = &v1alpha1.LoginReport{Account: account, ID: "x"}
		w.must(w.api.Status().Update(w.t.Context(), token))
	}
	for n := range 45 {
		hold("aaa-made-up", fmt.Sprintf("made-up-%03d", n))
	}
	hold("zzz-theirs", "mine")
	counted := &countedReader{Reader: w.api}
	found, err := accounttokens.List(w.t.Context(), counted, account, accounttokens.Place{}, nameOf)
	w.must(err)
	if len(found.Groups) != 2 || !found.Groups[0].More || found.Groups[1].Tokens[0] != "mine" || found.Next != "" || counted.lists > 3 {
		w.t.Errorf("%d requests have found %d namespaces, and go on at %q", counted.lists, len(found.Groups), found.Next)
	}
	seen, at := 0, accounttokens.Place{Namespace: "aaa-made-up"}
	for range 10 {
		found, err := accounttokens.List(w.t.Context(), w.api, account, at, nameOf)
		w.must(err)
		for _, group := range found.Groups {
			seen += len(group.Tokens)
		}
		if at.Next = found.Next; at.Next == "" {
			break
		}
	}
	if seen != 45 {
		w.t.Errorf("%d of the namespace are found, want all", seen)
	}
}

func nameOf(token *v1alpha1.GitHubUserToken) string { return token.Name }

// countedReader counts lists.
type countedReader struct {
	client.Reader

	lists int
}

func (r *countedReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	r.lists++
	return r.Reader.List(ctx, list, options...)
}
