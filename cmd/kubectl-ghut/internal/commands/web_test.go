package commands

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// operator answers a request for a login by the web flow, and redeems a code that comes back.
type operator struct {
	*world
	// result is what comes of the code.
	result v1alpha1.WebLoginResult
	// person is what the person does with the page.
	person func(page *url.URL)
	// code is what was brought back.
	code *corev1.Secret
	// silent has the operator leave the code where it is.
	silent bool
	// host is that of the page; GitHub's own when it is empty.
	host string
}

func (o *operator) act() {
	o.t.Helper()
	token := o.token("octocat")
	id, callback, asked := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
	if !asked {
		return
	}
	if status := token.Status.WebLogin; status == nil || status.RequestID != id {
		page := "https://" + cmp.Or(o.host, "github.com") + "/login/oauth/authorize?" + url.Values{"client_id": {"Iv23liEXAMPLE"}, "redirect_uri": {callback}, "state": {"the state"}}.Encode()
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: id, AttemptID: "attempt-1", AuthorizeURL: page, ExpirationTime: &metav1.Time{Time: o.env.now().Add(10 * time.Minute)}}
		o.report(token)
		return
	}
	if len(o.opened) > 0 && o.person != nil && o.code == nil {
		page, err := url.Parse(o.opened[0])
		if err != nil {
			o.t.Fatal(err)
		}
		o.person(page)
	}
	if o.silent {
		return
	}
	secret := &corev1.Secret{}
	if o.client.Get(o.t.Context(), client.ObjectKey{Namespace: "team-a", Name: "github-user-token-code-attempt-1"}, secret) == nil {
		o.code = secret.DeepCopy()
		if err := o.client.Delete(o.t.Context(), secret); err != nil {
			o.t.Fatal(err)
		}
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: id, Result: o.result, Message: "message of " + string(o.result)}
		token.Status.User = &v1alpha1.User{Login: "octocat", ID: 7}
		o.report(token)
	}
}

// comeBack does what GitHub has a browser do.
func (o *operator) comeBack(query url.Values) func(*url.URL) {
	return func(page *url.URL) {
		if query.Get("state") == "" {
			query.Set("state", page.Query().Get("state"))
		}
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := browser.Get(page.Query().Get("redirect_uri") + "?" + query.Encode())
		if err != nil {
			return // It has ended.
		}
		response.Body.Close()
		if last, err := response.Location(); err == nil {
			go func() { // The last page waits for what comes of the login.
				if response, err := browser.Get(last.String()); err == nil {
					response.Body.Close()
				}
			}()
		}
	}
}

func newOperator(t *testing.T, query url.Values, objects ...client.Object) *operator {
	t.Helper()
	o := &operator{world: newWorld(t, objects...), result: v1alpha1.WebLoginSucceeded}
	o.person = o.comeBack(query)
	o.pass = o.act
	return o
}

func TestLoginByTheWebFlowBringsTheCodeToTheOperator(t *testing.T) {
	o := newOperator(t, url.Values{"code": {"the-c0de"}}, resource())
	if code := o.run("login", "octocat", "--web", "--port", "0"); code != 0 {
		t.Fatalf("it exits with %d: %s", code, o.err.String())
	}
	o.contains(o.out.String(), "Logged in as octocat (id 7). The token is in the Secret octocat of namespace team-a.")
	if o.code == nil || string(o.code.Data["code"]) != "the-c0de" || len(o.code.Data) != 1 || o.code.Labels[v1alpha1.LabelRole] != v1alpha1.RoleLoginCode ||
		len(o.code.OwnerReferences) != 1 || o.code.OwnerReferences[0].UID != "uid-of-octocat" || o.code.OwnerReferences[0].Controller != nil {
		t.Errorf("what is brought back is %+v", o.code)
	}
	if said := o.out.String() + o.err.String(); strings.Contains(said, "the-c0de") {
		t.Error("the code is printed")
	}
	if len(o.opened) != 1 {
		t.Errorf("opened %q", o.opened)
	}
}

func TestLoginByTheWebFlowThatFailsIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		query  url.Values
		result v1alpha1.WebLoginResult
		code   int
		says   string
	}{
		"cancelled":       {url.Values{"error": {"access_denied"}}, "", 2, "the login was cancelled at GitHub"},
		"of another user": {url.Values{"code": {"c"}}, v1alpha1.WebLoginWrongUser, 1, "somebody else than octocat"},
		"lost":            {url.Values{"code": {"c"}}, v1alpha1.WebLoginLost, 1, "message of Lost"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, c.query, resource())
			o.result = c.result
			if code := o.run("login", "octocat", "--web"); code != c.code {
				t.Errorf("it exits with %d, want %d", code, c.code)
			}
			o.contains(o.err.String(), c.says)
			// What the operator has answered stays, for whoever looks at the status afterwards.
			if request, there := o.token("octocat").Annotations[v1alpha1.AnnotationWebLoginRequested]; there != (c.result != "") {
				t.Errorf("the request stands there still: %s", request)
			}
		})
	}
}

func TestLoginByTheWebFlowTakesNoAnswerOfAnotherState(t *testing.T) {
	o := newOperator(t, url.Values{"code": {"injected"}, "state": {"of somebody else"}}, resource())
	if code := o.run("login", "octocat", "--web", "--timeout", "1s"); code != 1 || o.code != nil {
		t.Errorf("it exits with %d, and brings %v", code, o.code)
	}
	o.contains(o.err.String(), "it has taken longer than --timeout")
}

func TestLoginByTheWebFlowNeedsThePermissionToBringTheCode(t *testing.T) {
	o := newOperator(t, nil, resource())
	o.refused["secrets"] = true
	if code := o.run("login", "octocat", "--web"); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	o.contains(o.err.String(), `a permission is missing: you may not create secrets (API group "") in namespace team-a`)
	if len(o.opened) > 0 || o.token("octocat").Annotations[v1alpha1.AnnotationWebLoginRequested] != "" {
		t.Error("the login was begun all the same")
	}
}

func TestLoginGoesByTheMethodThatTheResourceHas(t *testing.T) {
	only := resource()
	only.Spec.Login.Methods = []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}
	o := newOperator(t, url.Values{"code": {"c"}}, only)
	if code := o.run("login", "octocat"); code != 0 || o.code == nil {
		t.Errorf("it exits with %d: %s", code, o.err.String())
	}
	o = newOperator(t, nil, only)
	if code := o.run("login", "octocat", "--device"); code != 2 {
		t.Errorf("it exits with %d", code)
	}
	o.contains(o.err.String(), `lets nobody log in by the device flow`, `'{"spec":{"login":{"methods":["DeviceFlow","WebFlow"]}}}'`)
	if code := o.run("login", "octocat", "--device", "--web"); code != 1 {
		t.Errorf("with both it exits with %d", code)
	}
}

func TestLoginByTheWebFlowIsNotRepeatedUnasked(t *testing.T) {
	ready := resource()
	ready.Status.Conditions = []metav1.Condition{condition("Ready", "True", "TokenValid"), condition("Authorized", "True", "RefreshTokenValid")}
	o := newOperator(t, url.Values{"code": {"c"}}, ready)
	if code := o.run("login", "octocat", "--web"); code != 0 || o.code != nil {
		t.Errorf("it exits with %d", code)
	}
	o.contains(o.out.String(), "There is nothing to do")
	if code := o.run("login", "octocat", "--web", "--again"); code != 0 || o.code == nil {
		t.Errorf("with --again it exits with %d: %s", code, o.err.String())
	}
}

func TestLoginBringsTheCodeAlthoughAnAPIServerFails(t *testing.T) {
	lost := func(inner error) func(*world) error {
		return func(w *world) error {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "github-user-token-code-a"}}
			return cmp.Or(w.client.Create(t.Context(), secret), inner)
		}
	}
	tired := apierrors.NewInternalError(errors.New("etcd is tired"))
	for name, c := range map[string]struct {
		fails []func(*world) error
		tries int
		says  string
	}{
		"for a moment":           {[]func(*world) error{func(*world) error { return tired }, func(*world) error { return tired }}, 3, ""},
		"after it has stored it": {[]func(*world) error{lost(tired)}, 2, ""},
		"because it is there":    {nil, 1, "already exists"},
		"because it is not wanted": {[]func(*world) error{func(*world) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "a", errors.New(`cannot create resource "secrets"`))
		}}, 1, "a permission is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, resource())
			if name == "because it is there" {
				if err := lost(nil)(w); err != nil {
					t.Fatal(err)
				}
			}
			tries, inside := 0, false
			w.failing = func(object client.Object) error {
				if inside {
					return nil
				}
				inside = true
				defer func() { inside = false }()
				if tries++; tries <= len(c.fails) {
					return c.fails[tries-1](w)
				}
				return nil
			}
			api, err := w.env.connect()
			if err != nil {
				t.Fatal(err)
			}
			err = (&task{environment: w.env, Cluster: api}).bringCode(t.Context(), resource(), "a", "c")
			if tries != c.tries || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("after %d tries, want %d: %v", tries, c.tries, err)
			}
		})
	}
}

func TestLoginByTheWebFlowOpensThePageOfAnAppThatHasAnObject(t *testing.T) {
	byRef := func(kind string) *v1alpha1.GitHubUserToken {
		token := resource()
		token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: "bots"}}
		return token
	}
	spec := v1alpha1.GitHubAppSpec{Host: "github.example.com", ClientID: "Iv23liEXAMPLE"}
	ofNamespace := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "bots"}, Spec: spec}
	ofCluster := &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "bots"}, Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: spec}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "githubusertoken.dev", Resource: "clustergithubapps"}, "bots", errors.New(`cannot get resource "clustergithubapps"`))
	for name, c := range map[string]struct {
		app  client.Object
		kind string
		fail error
		host string
		args []string
		code int
		says string
	}{
		"a GitHubApp":                         {app: ofNamespace, kind: "GitHubApp", host: "github.example.com"},
		"a ClusterGitHubApp":                  {app: ofCluster, kind: "ClusterGitHubApp", host: "github.example.com"},
		"a ClusterGitHubApp at another host":  {app: ofCluster, kind: "ClusterGitHubApp", host: "github.com", code: 1, says: "the App is at github.example.com"},
		"one that nobody may read, at GitHub": {app: ofCluster, kind: "ClusterGitHubApp", fail: forbidden, host: "github.com"},
		"elsewhere":                           {app: ofCluster, kind: "ClusterGitHubApp", fail: forbidden, host: "github.example.com", code: 1, says: "--host github.example.com"},
		"where they say that it is":           {app: ofCluster, kind: "ClusterGitHubApp", fail: forbidden, host: "github.example.com", args: []string{"--host", "github.example.com"}},
		"while the API server does not answer": {app: ofCluster, kind: "ClusterGitHubApp", fail: apierrors.NewInternalError(errors.New("etcd is tired")), host: "github.com",
			code: 1, says: "etcd is tired"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, url.Values{"code": {"c"}}, byRef(c.kind), c.app)
			o.host = c.host
			o.failing = func(object client.Object) error {
				if _, isApp := object.(*v1alpha1.ClusterGitHubApp); isApp {
					return c.fail
				}
				return nil
			}
			if code := o.run(append([]string{"login", "octocat", "--web", "--port", "0"}, c.args...)...); code != c.code || (len(o.opened) > 0) != (c.code == 0) {
				t.Errorf("it exits with %d: %s", code, o.err.String())
			}
			o.contains(o.err.String(), c.says)
		})
	}
}

func TestLoginByTheWebFlowSaysThatTheCodeCouldNotBeBrought(t *testing.T) {
	o := newOperator(t, url.Values{"code": {"c"}}, resource())
	o.failing = func(object client.Object) error {
		if secret, isSecret := object.(*corev1.Secret); isSecret && len(secret.Data) > 0 {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "a", errors.New("exceeded quota: secrets"))
		}
		return nil
	}
	if code := o.run("login", "octocat", "--web", "--port", "0"); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	o.contains(o.err.String(), "the code could not be brought to the operator", "exceeded quota")
}

// The browser comes back while the command looks at the resource again: this can fail under the race detector.
func TestLoginByTheWebFlowBringsTheCodeWhileTheResourceIsLookedAt(t *testing.T) {
	w := newWorld(t, resource())
	o := &operator{world: w, result: v1alpha1.WebLoginSucceeded}
	release := make(chan struct{})
	var freed, came sync.Once
	var person sync.WaitGroup
	o.person = func(page *url.URL) {
		came.Do(func() {
			person.Go(func() {
				<-release // Without waiting for anything that orders the two: the browser is another program.
				o.comeBack(url.Values{"code": {"c"}})(page)
			})
		})
		freed.Do(func() { close(release) })
	}
	w.pass = o.act
	if code := w.run("login", "octocat", "--web", "--port", "0"); code != 0 {
		t.Errorf("it exits with %d: %s", code, w.err.String())
	}
	person.Wait()
}

// What is suggested must be something that the API server takes.
func TestLoginSuggestsWhatMayBe(t *testing.T) {
	for name, c := range map[string]struct {
		spec   v1alpha1.GitHubUserTokenSpec
		method v1alpha1.LoginMethod
		want   []string
	}{
		"beside another method": {
			v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{ClientID: "Iv"}, Login: &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}},
			v1alpha1.LoginMethodDeviceFlow, []string{`'{"spec":{"login":{"methods":["DeviceFlow","WebFlow"]}}}'`},
		},
		"the web flow by an App of its own": {
			v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{Ref: &v1alpha1.AppReference{Name: "app"}}}, v1alpha1.LoginMethodWebFlow,
			[]string{`'{"spec":{"login":{"methods":["WebFlow"]}}}'`},
		},
		"the web flow without a client secret": {
			v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{ClientID: "Iv"}}, v1alpha1.LoginMethodWebFlow,
			[]string{`'{"spec":{"app":{"clientSecretRef":{"name":"SECRET"}},"login":{"methods":["WebFlow"]}}}'`, "the Secret that has the App's client secret for SECRET"},
		},
		"beside the device flow as it was written before": {
			v1alpha1.GitHubUserTokenSpec{
				App:        v1alpha1.App{ClientID: "Ov", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "app"}},
				DeviceFlow: &v1alpha1.DeviceFlow{Scopes: []string{"repo"}},
			}, v1alpha1.LoginMethodWebFlow, []string{`'{"spec":{"deviceFlow":null,"login":{"methods":["WebFlow","DeviceFlow"],"scopes":["repo"]}}}'`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := resource()
			token.Spec = c.spec
			for _, want := range c.want {
				if text := noMethod(token, c.method); !strings.Contains(text, want) {
					t.Errorf("it suggests %s, want %s", text, want)
				}
			}
		})
	}
}
