package live

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// The policies of config/components/walls, for each kind of client, while the operator works behind them.
func TestWallsKeepPairsForTheOperatorAndTheOperatorToItsOwn(t *testing.T) {
	w := newWorld(t)
	w.helm("install", release, chart, "--namespace", stage.Namespace, "--create-namespace", "--set", "walls.enabled=true")
	w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	admin := w.api
	suite.Eventually(t, patience, "the policies hold", func() (bool, string) {
		err := admin.Create(t.Context(), forged(v1alpha1.RolePair), client.DryRunAll)
		return apierrors.IsForbidden(err), fmt.Sprint(err)
	})
	w.start()
	w.createResources()
	w.createAppsAndUsers()
	w.must(w.api.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
	}))
	tenant := w.as(w.Plane.UserConfig("tenant"))
	breakGlass := w.as(w.Plane.UserConfig("restorer", "system:masters", "githubusertoken.dev:break-glass"))
	operator := w.as(w.Plane.ServiceAccountConfig(t.Context(), stage.Namespace, stage.ServiceAccount))
	collector := w.as(w.Plane.UserConfig("system:serviceaccount:kube-system:generic-garbage-collector", "system:masters"))

	// What the operator makes for its own work passes: an output, a device code, an exchange, a Secret that is put back.
	w.kubectl("-n", namespace, "patch", "ghut", "delete", "--type=merge", "-p", `{"spec":{"outputs":[{"name":"delete-output","format":"Opaque"}]}}`)
	code := suite.Resource(namespace, "code", "", clientID)
	code.Spec.RefreshTokenRef, code.Spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
	w.must(w.api.Create(t.Context(), code))
	suite.Eventually(t, patience, "a code is offered", func() (bool, string) {
		resource := w.resource("code")
		return resource.Status.Authorization != nil && resource.Status.Authorization.UserCode != "", suite.Describe(resource)
	})
	w.refresh()
	w.serves()
	before := w.pairs()
	former := w.pairSecret("delete").UID
	w.must(tenant.Delete(t.Context(), w.pairSecret("delete")))
	suite.Eventually(t, patience, "the Secret that a tenant deleted is back", func() (bool, string) {
		secret := &corev1.Secret{}
		err := w.api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "delete-token"}, secret)
		return err == nil && secret.UID != former, fmt.Sprintf("%v, %s", err, suite.Describe(w.resource("delete")))
	})
	w.serves()
	w.unchanged(before, "after a Secret was deleted")

	output := &corev1.Secret{}
	w.must(w.api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "delete-output"}, output))
	plain := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}
	w.must(w.api.Create(t.Context(), plain))
	seed := &corev1.Secret{}
	w.must(w.api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "delete-seed"}, seed))

	named := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	create := func(secret *corev1.Secret) func(client.Client) error {
		return func(c client.Client) error { return c.Create(t.Context(), secret.DeepCopy(), client.DryRunAll) }
	}
	update := func(secret *corev1.Secret, change func(*corev1.Secret)) func(client.Client) error {
		return func(c client.Client) error {
			changed := secret.DeepCopy()
			changed.ResourceVersion = ""
			change(changed)
			return c.Update(t.Context(), changed, client.DryRunAll)
		}
	}
	remove := func(secret *corev1.Secret) func(client.Client) error {
		return func(c client.Client) error { return c.Delete(t.Context(), secret.DeepCopy(), client.DryRunAll) }
	}
	bringing := func(attempt string) *corev1.Secret {
		secret := named(v1alpha1.LoginCodeSecretName(attempt))
		secret.Labels = map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLoginCode}
		return secret
	}
	brought := bringing("1-2")
	w.must(w.api.Create(t.Context(), brought))
	pair := w.pairSecret("revoke")
	clients := map[string]client.Client{
		"a tenant": tenant, "an administrator": admin, "who breaks the glass": breakGlass, "the operator": operator, "the garbage collector": collector,
	}
	people := []string{"a tenant", "an administrator"}
	for what, c := range map[string]struct {
		act       func(client.Client) error
		forbidden []string
	}{
		"makes a Secret with a pair":                {create(forged(v1alpha1.RolePair)), people},
		"makes a backup":                            {create(forged(v1alpha1.RoleBackup)), people},
		"makes a device code":                       {create(forged(v1alpha1.RoleLogin)), people},
		"takes the name of a backup":                {create(named("github-user-token-backup-1")), people},
		"takes the name of a device code":           {create(named("github-user-token-login-1-2")), people},
		"changes a token":                           {update(pair, func(s *corev1.Secret) { s.Data["access_token"] = []byte("mine") }), people},
		"adds a key":                                {update(pair, func(s *corev1.Secret) { s.Data["mine"] = []byte("mine") }), people},
		"labels a pair":                             {update(pair, func(s *corev1.Secret) { s.Labels["mine"] = "mine" }), people},
		"takes the operator's label off":            {update(pair, func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelRole) }), people},
		"changes the state":                         {update(pair, func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationState] = "{}" }), people},
		"takes the finalizer off":                   {update(pair, func(s *corev1.Secret) { s.Finalizers = nil }), people},
		"takes the owner off":                       {update(pair, func(s *corev1.Secret) { s.OwnerReferences = nil }), people},
		"makes a pair immutable":                    {update(pair, func(s *corev1.Secret) { s.Immutable = new(true) }), people},
		"makes a Secret of its own pass for a pair": {update(plain, func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair} }), []string{"a tenant", "an administrator", "the operator"}},
		"writes a pair as it is":                    {update(pair, func(*corev1.Secret) {}), nil},
		"deletes a pair":                            {remove(pair), nil},
		"edits an output":                           {update(output, func(s *corev1.Secret) { s.Data["mine"] = []byte("mine") }), nil},
		"makes a Secret":                            {create(named("another")), []string{"the operator"}},
		"edits a Secret":                            {update(plain, func(s *corev1.Secret) { s.Data = map[string][]byte{"a": []byte("b")} }), []string{"the operator"}},
		"edits a seed":                              {update(seed, func(s *corev1.Secret) { s.Data["refresh_token"] = []byte("mine") }), []string{"the operator"}},
		"deletes a Secret":                          {remove(plain), []string{"the operator"}},
		"deletes a seed":                            {remove(seed), []string{"the operator"}},
		"brings back a code":                        {create(bringing("1-3")), []string{"the operator"}},
		"edits a code that was brought back":        {update(brought, func(s *corev1.Secret) { s.Data = map[string][]byte{"code": []byte("x")} }), []string{"the operator"}},
		"removes a code that was brought back":      {remove(brought), nil},
	} {
		forbidden := map[string]bool{}
		for _, who := range c.forbidden {
			forbidden[who] = true
		}
		if strings.HasPrefix(what, "takes the name of") { // and nothing that makes it the operator's own
			forbidden["the operator"] = true
		}
		for who, asks := range clients {
			switch err := c.act(asks); {
			case forbidden[who] && !apierrors.IsForbidden(err):
				t.Errorf("%s %s: %v, want that it is forbidden", who, what, err)
			case forbidden[who] && !strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
				t.Errorf("%s %s: it is not the policy that forbids it: %v", who, what, err)
			case !forbidden[who] && err != nil:
				t.Errorf("%s %s: %v", who, what, err)
			}
			if len(suite.FindTokens(fmt.Appendf(nil, "%v", c.act(asks)))) > 0 {
				t.Errorf("%s %s: the answer quotes a token", who, what)
			}
		}
	}

	w.limitsHold(tenant)
	w.unchanged(before, "at the end")

	// Whatever ends resources passes: with its owner taken off by the garbage collector, with its namespace, and alone.
	w.kubectl("-n", namespace, "delete", "ghut", "retain", "--cascade=orphan", "--timeout=1m")
	if secret := w.pairSecret("retain"); secret.DeletionTimestamp != nil || len(secret.Finalizers)+len(secret.OwnerReferences) > 0 {
		t.Errorf("the pair that was retained: %+v", secret.ObjectMeta)
	}
	w.kubectl("-n", namespace, "delete", "ghut", "revoke", "--timeout=1m")
	w.kubectl("delete", "namespace", namespace, "--timeout=1m")
}

// limitsHold tries what an administrator can forbid to people.
func (w *world) limitsHold(tenant client.Client) {
	t := w.t
	t.Helper()
	w.helm("upgrade", release, chart, "--namespace", stage.Namespace, "--set",
		"walls.enabled=true,walls.deletionPolicies={Delete,Retain},walls.includeRefreshToken=false,walls.hosts={github.com,*.ghe.com},walls.clientIDs={"+clientID+"},walls.requestedBy=self")
	resource := func(change func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken {
		token := suite.Resource(namespace, "another", "", clientID)
		change(token)
		return token
	}
	revoke := func(token *v1alpha1.GitHubUserToken) { token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke }
	suite.Eventually(t, patience, "the limits hold", func() (bool, string) {
		err := tenant.Create(t.Context(), resource(revoke), client.DryRunAll)
		return apierrors.IsForbidden(err), fmt.Sprint(err)
	})
	for what, c := range map[string]struct {
		change func(*v1alpha1.GitHubUserToken)
		says   string
	}{
		"a policy that is allowed":     {func(token *v1alpha1.GitHubUserToken) { token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain }, ""},
		"no policy":                    {func(*v1alpha1.GitHubUserToken) {}, ""},
		"a policy that is not allowed": {revoke, "spec.deletionPolicy: Revoke is not allowed in this cluster, use one of: Delete, Retain"},
		"a host that is allowed":       {func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "corp.ghe.com" }, ""},
		"a host below one":             {func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "a.corp.ghe.com" }, "spec.app.host: a.corp.ghe.com is not allowed"},
		"another host":                 {func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "github.example.com" }, "use one of: github.com, *.ghe.com"},
		"another App":                  {func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = "Iv23liAnother" }, "spec.app.clientID: Iv23liAnother is not allowed"},
		"a GitHubApp": {func(token *v1alpha1.GitHubUserToken) {
			token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindGitHubApp, Name: "mine"}}
		}, ""},
		"a ClusterGitHubApp": {func(token *v1alpha1.GitHubUserToken) {
			token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindClusterGitHubApp, Name: "ours"}}
		}, ""},
		"a GitHubApp and a policy that is not allowed": {func(token *v1alpha1.GitHubUserToken) {
			revoke(token)
			token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindGitHubApp, Name: "mine"}}
		}, "spec.deletionPolicy: Revoke is not allowed"},
		"an output": {func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatOpaque}}
		}, ""},
		"an output with the refresh token": {func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatOpaque, IncludeRefreshToken: true}}
		}, "includeRefreshToken is not allowed"},
	} {
		err := tenant.Create(t.Context(), resource(c.change), client.DryRunAll)
		if (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
	w.requesterHolds(tenant, resource)
	// The App of a GitHubUserToken that refers to one is looked at where it stands. What a ClusterGitHubApp offers is its administrator's decision.
	for what, c := range map[string]struct {
		spec v1alpha1.GitHubAppSpec
		says string
	}{
		"a GitHubApp that is allowed":   {v1alpha1.GitHubAppSpec{ClientID: clientID}, ""},
		"a GitHubApp of another App":    {v1alpha1.GitHubAppSpec{ClientID: "Iv23liAnother"}, "spec.clientID: Iv23liAnother is not allowed"},
		"a GitHubApp of another host":   {v1alpha1.GitHubAppSpec{ClientID: clientID, Host: "github.example.com"}, "spec.host: github.example.com is not allowed"},
		"a GitHubApp of a host allowed": {v1alpha1.GitHubAppSpec{ClientID: clientID, Host: "corp.ghe.com"}, ""},
	} {
		app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "another"}, Spec: c.spec}
		err := tenant.Create(t.Context(), app, client.DryRunAll)
		if (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
	// The API server says so when a policy speaks of fields that there are not.
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	w.must(w.api.Get(t.Context(), client.ObjectKey{Name: release + "-spec"}, policy))
	if checked := policy.Status.TypeChecking; checked != nil && len(checked.ExpressionWarnings) > 0 {
		t.Errorf("the policy of specs: %+v", checked.ExpressionWarnings)
	}
	// A resource that is there goes on as it is; its spec is changed to what is allowed, or not at all.
	patch := func(body string) error {
		token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "revoke"}}
		return tenant.Patch(t.Context(), token, client.RawPatch("application/merge-patch+json", []byte(body)), client.DryRunAll)
	}
	for body, allowed := range map[string]bool{
		`{"metadata":{"labels":{"a":"b"}}}`: true, `{"metadata":{"finalizers":null}}`: true,
		`{"spec":{"suspend":true}}`: false, `{"spec":{"suspend":true,"deletionPolicy":"Delete"}}`: true,
	} {
		if err := patch(body); allowed != (err == nil) {
			t.Errorf("%s on a resource from before: %v", body, err)
		}
	}
}

// requesterHolds tries whom people can name as whoever asks.
func (w *world) requesterHolds(tenant client.Client, resource func(func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken) {
	t := w.t
	t.Helper()
	asking := func(who string) func(*v1alpha1.GitHubUserToken) {
		return func(token *v1alpha1.GitHubUserToken) {
			token.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: who}
		}
	}
	for who, says := range map[string]string{
		"tenant": "", "the boss": "names who asks, in this cluster whoever sets it: tenant", "system:tenant": "whoever sets it: tenant", "": "whoever sets it: tenant",
	} {
		err := tenant.Create(t.Context(), resource(asking(who)), client.DryRunAll)
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q is named: %v, want %q", who, err, says)
		}
	}
	// What somebody has set stays while others change something else, and can be taken away.
	name := client.ObjectKey{Namespace: namespace, Name: "delete"}
	patch := func(c client.Client, body string) error {
		token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		return c.Patch(t.Context(), token, client.RawPatch("application/merge-patch+json", []byte(body)))
	}
	const to = `{"metadata":{"annotations":{"githubusertoken.dev/requested-by":%s}}}`
	w.must(patch(tenant, fmt.Sprintf(to, `"tenant"`)))
	w.must(patch(w.api, `{"metadata":{"annotations":{"example.com/a":"b"}}}`))
	if err := patch(w.api, fmt.Sprintf(to, `"tenant2"`)); !apierrors.IsForbidden(err) {
		t.Errorf("an administrator names somebody else: %v", err)
	}
	w.must(patch(w.api, fmt.Sprintf(to, "null")))
}

// forged is a Secret that passes for one of the operator's.
func forged(role string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "forged", Labels: map[string]string{v1alpha1.LabelRole: role}},
		StringData: map[string]string{"access_token": "mine"},
	}
}

// as is a client with an identity.
func (w *world) as(config *rest.Config, err error) client.Client {
	w.t.Helper()
	w.must(err)
	scheme, err := stage.Scheme()
	w.must(err)
	c, err := client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	return c
}
