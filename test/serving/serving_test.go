package serving

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// A pod in a namespace without a Secret has the token, from any replica, by a RoleBinding alone; it is written down, and an event tells of it.
func TestServingGivesThePodTheTokenThatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	got := w.allowed(shown)
	for server := range the.servers {
		if again := w.ask(server, shown, ""); again.token() != w.stored() || again.status != http.StatusOK {
			t.Errorf("replica %d: %s", server, again)
		}
	}
	account, _ := got.body["account"].(map[string]any)
	if got.body["host"] != "github.com" || got.body["tokenType"] != "bearer" || account["login"] != "octocat" || got.fingerprint() != string(w.stored().Fingerprint()) ||
		got.header.Get("Cache-Control") != "no-store" || len(got.body) != 7 {
		t.Errorf("got the fields %v of %v", got.header, account)
	}
	if expires := w.resource().Status.AccessTokenExpirationTime.UTC().Format(time.RFC3339); got.body["expiresAt"] != expires {
		t.Errorf("it expires at %v, and the status says %s", got.body["expiresAt"], expires)
	}
	suite.Eventually(t, patience, "an event tells of the reader", func() (bool, string) {
		var events eventsv1.EventList
		w.must(the.admin.List(t.Context(), &events, client.InNamespace(w.namespace)))
		for _, event := range events.Items {
			if event.Reason == "TokenReleased" && strings.Contains(event.Note, "system:serviceaccount:"+w.pods+":runner") {
				return true, ""
			}
		}
		return false, fmt.Sprint(len(events.Items), " events")
	})
	secrets := &corev1.SecretList{}
	w.must(the.admin.List(t.Context(), secrets, client.InNamespace(w.pods)))
	if len(secrets.Items) > 0 {
		t.Errorf("there are %d Secrets in the namespace of the pod", len(secrets.Items))
	}
}

// Each gets a clear answer, and nothing of a resource.
func TestServingRefusesWhoeverIsNoPodThatMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant("runner", reader)
	pod := w.pod("runner")
	good := w.token("runner", stage.Audience, pod)
	w.allowed(good)
	gone := w.pod("runner")
	ofGone := w.token("runner", stage.Audience, gone)
	w.must(the.admin.Delete(t.Context(), gone))
	w.grant("leaver", reader)
	ofLeaver := w.shown("leaver")
	w.must(the.admin.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.pods, Name: "leaver"}}))
	other := newWorld(t)
	stranger := other.shown("runner") // Of the same name, in another namespace, and may have the token there.
	other.grant("runner", reader)
	other.allowed(stranger)
	w.grant("viewer", "view")
	w.grant("editor", "edit")
	for name, c := range map[string]struct {
		shown  string
		status int
		code   string
	}{
		"nobody":                           {"", http.StatusUnauthorized, "invalid_token"},
		"made up":                          {"e30.e30.e30", http.StatusUnauthorized, "invalid_token"},
		"no binding":                       {w.shown("nobody"), http.StatusForbidden, "forbidden"},
		"the cluster's role view":          {w.shown("viewer"), http.StatusForbidden, "forbidden"},
		"the cluster's role edit":          {w.shown("editor"), http.StatusForbidden, "forbidden"},
		"a pod of another namespace":       {stranger, http.StatusForbidden, "forbidden"},
		"the API server's audience":        {w.token("runner", "", pod), http.StatusUnauthorized, "invalid_token"},
		"another audience":                 {w.token("runner", "vault", pod), http.StatusUnauthorized, "invalid_token"},
		"bound to no pod":                  {w.token("runner", stage.Audience, nil), http.StatusUnauthorized, "invalid_token"},
		"bound to a pod that is gone":      {ofGone, http.StatusUnauthorized, "invalid_token"},
		"of a ServiceAccount that is gone": {ofLeaver, http.StatusUnauthorized, "invalid_token"},
		"expired":                          {expired(t, good), http.StatusUnauthorized, "invalid_token"},
		"changed by a letter":              {changed(good), http.StatusUnauthorized, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			for server := range the.servers {
				got := w.ask(server, c.shown, "?wait=0")
				if got.status != c.status || got.body["error"] != c.code || got.body["message"] == "" || !got.token().IsZero() {
					t.Errorf("got %s", got)
				}
			}
		})
	}
	// What is not there is answered as what is forbidden, to whoever may and may not.
	forbidden := w.ask(0, stranger, "")
	for _, absent := range []answer{
		w.askOf(0, stranger, "/v1/namespaces/"+w.namespace+"/githubusertokens/absent/token"),
		w.askOf(0, good, "/v1/namespaces/"+w.namespace+"/githubusertokens/absent/token"),
		w.askOf(0, good, "/v1/namespaces/absent/githubusertokens/absent/token"),
	} {
		if absent.text != forbidden.text || absent.status != forbidden.status {
			t.Errorf("got %s, and of what is forbidden %s", absent, forbidden)
		}
	}
}

// changed is a token with another letter in its signature.
func changed(token string) string {
	letter, at := "A", len(token)-10
	if token[at] == 'A' {
		letter = "B"
	}
	return token[:at] + letter + token[at+1:]
}

// expired is a token of a ServiceAccount as it would be an hour after its end, signed by the cluster.
func expired(t *testing.T, token string) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(err)
	var claims map[string]any
	must(json.Unmarshal(payload, &claims))
	claims["exp"], claims["iat"], claims["nbf"] = time.Now().Add(-time.Hour).Unix(), time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-2*time.Hour).Unix()
	payload, err = json.Marshal(claims)
	must(err)
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload)
	content, err := os.ReadFile(filepath.Join(the.stage.Plane.Dir(), "service-accounts.key"))
	must(err)
	block, _ := pem.Decode(content)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	must(err)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	must(err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// The role is a part of the cluster's admin, and may be given for one resource by its name.
func TestServingRoleIsPartOfAdminAndCanBeGivenByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant("boss", "admin")
	w.allowed(w.shown("boss"))
	for account, name := range map[string]string{"one": "octocat", "two": "monalisa"} {
		w.must(the.admin.Create(t.Context(), &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: account},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"githubusertoken.dev"}, Resources: []string{"githubusertokens/token"}, ResourceNames: []string{name}, Verbs: []string{"get"}}},
		}))
		w.must(the.admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: account}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.pods, Name: account}},
		}))
	}
	w.allowed(w.shown("one"))
	if got := w.ask(0, w.shown("two"), ""); got.status != http.StatusForbidden {
		t.Errorf("by the name of another resource: %s", got)
	}
}

// Whoever waits for the next token has it the moment it is stored, and from then on no replica gives the one before.
func TestServingHandsTheNextTokenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	before := w.allowed(shown)
	for rotation := range 3 {
		answers := make(chan answer, 2*len(the.servers))
		for server := range the.servers {
			for _, query := range []string{"?after=" + before.fingerprint() + "&wait=120", "?stale=" + before.fingerprint() + "&wait=120"} {
				go func() { answers <- w.ask(server, shown, query) }()
			}
		}
		time.Sleep(time.Duration(rotation) * 5 * time.Second) // The second wait is reviewed meanwhile.
		if len(answers) > 0 {
			t.Fatal("somebody was answered before there was another token")
		}
		judge := w.observe(shown, before)
		w.rotate(fmt.Sprint("rotation-", rotation))
		after := before
		for range cap(answers) {
			got := <-answers
			if got.status != http.StatusOK || got.fingerprint() == before.fingerprint() || got.token() != w.stored() {
				t.Fatalf("got %s", got)
			}
			after = got
			for server := range the.servers {
				if now := w.ask(server, shown, ""); now.status != http.StatusOK || now.fingerprint() != after.fingerprint() {
					t.Errorf("replica %d gives another token than that which is stored: %s", server, now)
				}
			}
		}
		judge()
		before = after
	}
	if got := w.ask(1, shown, "?after="+before.fingerprint()+"&wait=2"); got.status != http.StatusOK || got.fingerprint() != before.fingerprint() || got.took < 2*time.Second {
		t.Errorf("where there is no other one: %s", got)
	}
}

// observe asks all replicas again and again, and notices when another token than before is stored. judge ends that: what came later than a second after
// must not have been the token before.
func (w *world) observe(shown string, before answer) (judge func()) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var committed time.Time
	lastBefore, asked := time.Time{}, 0
	stop := make(chan struct{})
	isOver := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	for server := range the.servers {
		all.Go(func() {
			for !isOver() {
				got, at := w.ask(server, shown, "?wait=0"), time.Now()
				mu.Lock()
				asked++
				switch {
				case got.status == http.StatusServiceUnavailable: // An exchange is under way.
				case got.status != http.StatusOK:
					w.t.Errorf("replica %d: %s", server, got)
				case got.fingerprint() == before.fingerprint():
					lastBefore = at
				}
				mu.Unlock()
			}
		})
	}
	all.Go(func() {
		for !isOver() {
			if w.stored() != before.token() {
				mu.Lock()
				committed = time.Now()
				mu.Unlock()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() {
		w.t.Helper()
		time.Sleep(1500 * time.Millisecond)
		close(stop)
		all.Wait()
		late := lastBefore.Sub(committed)
		if committed.IsZero() || late > time.Second {
			w.t.Errorf("the token before was given until %s after the commit at %s", late, committed)
		}
		w.t.Logf("of %d answers the last one with the token before came %s after the commit was noticed", asked, late)
	}
}

func TestServingNeverGivesWhatGitHubHasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	refused := w.allowed(shown)
	got := w.ask(0, shown, "?stale="+refused.fingerprint())
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.took < 5*time.Second || got.took > 10*time.Second {
		t.Errorf("got %s", got)
	}
	w.rotate("now")
	got = w.ask(0, shown, "?stale="+refused.fingerprint()+"&wait=60")
	if got.status != http.StatusOK || got.token() != w.stored() || got.fingerprint() == refused.fingerprint() {
		t.Errorf("got %s", got)
	}
}

// A RoleBinding that is taken away ends it within ten seconds, waits included.
func TestServingEndsWhenTheRoleBindingIsTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	binding := w.grant("runner", reader)
	before := w.allowed(shown)
	answers := make(chan answer, len(the.servers))
	for server := range the.servers {
		go func() { answers <- w.ask(server, shown, "?after="+before.fingerprint()+"&wait=300") }()
	}
	time.Sleep(3 * time.Second)
	other := w.shown("runner")
	w.allowed(other) // It is allowed, and remembered, just before.
	w.must(the.admin.Delete(t.Context(), binding))
	taken := time.Now()
	ended := make(chan time.Duration, len(the.servers)+1)
	wait := func(answers <-chan answer) {
		if got := <-answers; got.status != http.StatusForbidden {
			t.Errorf("a wait ends with %s", got)
		}
		ended <- time.Since(taken)
	}
	for range the.servers {
		go wait(answers)
	}
	last := time.Duration(0)
	var late chan answer
	suite.Eventually(t, patience, "the next request is refused", func() (bool, string) {
		got := w.ask(0, other, "?wait=0")
		if got.status == http.StatusOK {
			last = time.Since(taken)
		}
		if last > 5*time.Second && late == nil { // A wait that begins from what is remembered.
			late = make(chan answer, 1)
			go func() { late <- w.ask(0, other, "?after="+before.fingerprint()+"&wait=300") }()
			go wait(late)
		}
		return got.status == http.StatusForbidden, got.String()
	})
	if late == nil {
		t.Error("nothing was remembered, so that no wait has begun from it")
	} else {
		last = max(last, <-ended)
	}
	for range the.servers {
		last = max(last, <-ended)
	}
	if last > 10*time.Second {
		t.Errorf("it took %s", last)
	}
}

// A pod that is gone ends it as well: the API server believes in it for ten seconds more, and so does the server.
func TestServingEndsWhenThePodIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant("runner", reader)
	pod := w.pod("runner")
	shown := w.token("runner", stage.Audience, pod)
	before := w.allowed(shown)
	answered := make(chan answer, 1)
	go func() { answered <- w.ask(0, shown, "?after="+before.fingerprint()+"&wait=300") }()
	time.Sleep(time.Second)
	w.must(the.admin.Delete(t.Context(), pod))
	gone := time.Now()
	if got := <-answered; got.status != http.StatusUnauthorized {
		t.Errorf("the wait ends with %s", got)
	}
	if took := time.Since(gone); took > 21*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Namespace and App can forbid it, whatever RBAC says.
func TestServingCanBeForbidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	w.allowed(shown)
	label := func(value string) {
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, v1alpha1.LabelTokenServer, value)
		w.must(the.admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, client.RawPatch("application/merge-patch+json", []byte(patch))))
	}
	forbidden := func(what string) {
		suite.Eventually(t, patience, what, func() (bool, string) {
			got := w.ask(0, shown, "?wait=0")
			return got.status == http.StatusConflict && got.body["error"] == "no_token", got.String()
		})
	}
	label(`"Forbidden"`)
	forbidden("the namespace forbids it")
	label("null")
	w.allowed(shown)
	app := &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	// Of all others, which use the same client ID, it allows it: one that does is enough.
	app.Spec.ClientID, app.Spec.Policy.TokenServer = clientID, v1alpha1.PermissionForbidden
	app.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}}}
	others := app.DeepCopy()
	others.Name, others.Spec.Policy.TokenServer = w.namespace+"-others", v1alpha1.PermissionAllowed
	others.Spec.AllowedNamespaces.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{w.namespace}}}}
	w.must(the.admin.Create(t.Context(), others))
	w.must(the.admin.Create(t.Context(), app))
	defer func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = the.admin.Delete(ctx, app), the.admin.Delete(ctx, others)
	}()
	forbidden("the App forbids it")
}

// Where there is no token that works, and somebody must act, it says which reason.
func TestServingSaysThatSomebodyMustAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	w.allowed(shown)
	waiting := suite.Resource(w.namespace, "waiting", "", clientID)
	waiting.Spec.RefreshTokenRef, waiting.Spec.Login = nil, suite.DeviceLogin()
	w.must(the.admin.Create(t.Context(), waiting))
	suite.Eventually(t, patience, "a person must log in", func() (bool, string) {
		got := w.askOf(0, shown, "/v1/namespaces/"+w.namespace+"/githubusertokens/waiting/token?wait=1")
		return got.status == http.StatusConflict && strings.Contains(fmt.Sprint(got.body["message"]), "Authorization"), got.String()
	})
}

// A replica that is stopped answers those who wait, so that they ask another one.
func TestServingReplicaThatStopsAnswersThoseWhoWait(t *testing.T) {
	w := newWorld(t)
	shown := w.shown("runner")
	w.grant("runner", reader)
	before := w.allowed(shown)
	third, err := the.stage.StartTokenServer(t.Context())
	w.must(err)
	through, err := clientFor(third)
	w.must(err)
	type result struct {
		answer
		error
	}
	answered := make(chan result, 1)
	go func() {
		got, err := askAt(t.Context(), through, third.URL+"/v1/namespaces/"+w.namespace+"/githubusertokens/octocat/token?wait=300&after="+before.fingerprint(), shown)
		answered <- result{got, err}
	}()
	time.Sleep(2 * time.Second)
	w.must(third.Process.Stop(t.Context()))
	if got := <-answered; got.error != nil || got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %s, %v", got.answer, got.error)
	}
	content, err := os.ReadFile(third.Process.LogPath())
	w.must(err)
	if found := suite.FindTokens(content); len(found) > 0 || bytes.Contains(content, []byte(shown)) {
		t.Errorf("its log holds %d tokens", len(found))
	}
}

// It starts neither without a certificate nor without an audience.
func TestServingDoesNotStartWithoutCertificateOrAudience(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{
		"--audience=" + stage.Audience:                           "--tls-cert-path",
		"--tls-cert-path=" + filepath.Dir(the.servers[0].CAFile): "--audience",
		"--audience=https://kubernetes.default.svc.cluster.local --tls-cert-path=" + filepath.Dir(the.servers[0].CAFile): "an audience of the API server",
	} {
		cmd := exec.CommandContext(t.Context(), the.stage.Program, append([]string{"token-server", "--health-probe-bind-address=0", "--listen-address=127.0.0.1:0"}, strings.Fields(flags)...)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(filepath.Dir(the.servers[0].CAFile), "kubeconfig"))
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", flags, err, out)
		}
	}
}
