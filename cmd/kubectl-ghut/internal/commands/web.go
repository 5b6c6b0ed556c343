package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/login"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/loopback"
)

// loginByWeb has the person authorize the App in a browser, and brings the code back in a Secret. The operator redeems it: neither
// the client secret nor a token comes here.
func (t *task) loginByWeb(ctx context.Context, o loginOptions) error {
	if !o.again && login.IsLoggedIn(t.token) {
		t.print("There is nothing to do: %s is logged in already. To log in all the same: %s", t.name, login.Again(t.token))
		return nil
	}
	anew := "To begin anew: " + login.Again(t.token)
	t.stands = "Nobody was logged in. " + anew
	if err := t.mayBringCode(ctx); err != nil {
		return err
	}
	app, err := t.app(ctx, o.new.Host)
	if err != nil {
		return err
	}
	ports := loopback.Ports
	if o.port != 0 {
		ports = []int{o.port}
	}
	server, err := loopback.Listen(ports)
	if err != nil {
		return err
	}
	defer server.Close()
	flow := login.NewWeb(server.CallbackURL(), app)
	brought := false
	if err = t.annotate(ctx, v1alpha1.AnnotationWebLoginRequested, flow.Request()); err == nil {
		brought, err = t.followWeb(ctx, flow, server, o)
	}
	t.stands = "The login is taken back, and its page is good for nothing any more. " + anew
	switch {
	case err == nil, flow.IsOver(t.token): // What came of it stays in the status, for whoever looks there.
		return err
	case ctx.Err() != nil && brought: // The person has done all that was wanted.
		t.stands = "The code is with the operator, which redeems it without this command. To see what came of it: " + t.command("status")
	default:
		if failed := t.withdraw(ctx, flow); failed != nil {
			t.stands = fmt.Sprintf("The login could not be taken back (%v). It ends by itself within ten minutes. %s", failed, anew)
		}
	}
	return err
}

// app is the App whose page may be opened. Not everybody may read the App of an administrator: then its page must be at the host that
// was said, or else at GitHub's own.
func (t *task) app(ctx context.Context, host string) (login.App, error) {
	ref := t.token.Spec.App.Ref
	if ref == nil {
		return login.InlineApp(t.token), nil
	}
	var spec *v1alpha1.GitHubAppSpec
	var err error
	if ref.Kind == v1alpha1.KindClusterGitHubApp {
		app := &v1alpha1.ClusterGitHubApp{}
		err, spec = t.Get(ctx, client.ObjectKey{Name: ref.Name}, app), &app.Spec.GitHubAppSpec
	} else {
		app := &v1alpha1.GitHubApp{}
		err, spec = t.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: ref.Name}, app), &app.Spec
	}
	switch {
	case err == nil:
		return login.NamedApp(spec), nil
	case cluster.IsForbidden(err), cluster.IsNotFound(err):
		return login.App{Host: cmp.Or(host, v1alpha1.DefaultHost), Guessed: true}, nil
	default:
		return login.App{}, err
	}
}

// mayBringCode asks beforehand, so that nobody authorizes the App in vain.
func (t *task) mayBringCode(ctx context.Context) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: t.Namespace, Verb: "create", Resource: "secrets"},
	}}
	if err := t.Create(ctx, review); err != nil || review.Status.Allowed {
		return err
	}
	return &cluster.ForbiddenError{Verb: "create", Resource: schema.GroupResource{Resource: "secrets"}, Namespace: t.Namespace}
}

// stoppedAfter is how long a login that is not begun is waited for while the resource is stalled: one may follow another after ten seconds.
const stoppedAfter = 15 * time.Second

// followWeb waits for the operator, for the person, and for the operator again. It tells whether the code was brought to the operator.
func (t *task) followWeb(ctx context.Context, flow *login.Web, server *loopback.Server, o loginOptions) (brought bool, err error) {
	begun, hinted := t.now(), false
	for {
		step, text := flow.Next(t.token)
		switch step {
		case login.Show:
			of, attempt := t.token, flow.Attempt // The browser comes back while the resource is looked at again.
			server.Expect(flow.State, func(ctx context.Context, code string) error { return t.bringCode(ctx, of, attempt, code) })
			t.showPage(ctx, flow, o)
			hinted = true
		case login.Done:
			server.Finish(true, text)
			t.print("%s", text)
			return brought, nil
		case login.Fail:
			server.Finish(false, text)
			return brought, t.failed(text)
		}
		select {
		case err := <-server.Outcome():
			if _, denied := errors.AsType[*loopback.DeniedError](err); denied { // A person is needed, as before.
				return false, &exitError{2, fmt.Errorf("%w. Nothing was handed over. To begin anew: %s", err, login.Again(t.token))}
			}
			if err != nil {
				return false, fmt.Errorf("the code could not be brought to the operator: %w", err)
			}
			t.say("The code is with the operator, which redeems it …")
			brought = true
		default:
		}
		if !hinted && t.now().Sub(begun) > silentAfter {
			t.say("%s", flow.Hint(t.token))
			hinted = true
		}
		if stopped := flow.Stopped(t.token); stopped != "" && t.now().Sub(begun) > stoppedAfter {
			return brought, t.failed(stopped)
		}
		if err := t.lookAgain(ctx); err != nil {
			return brought, err
		}
	}
}

// bringTries is how often the code is written before that is given up, with a pause of lookEvery between two tries.
const bringTries = 10

// bringCode puts the code into a Secret of its own, which the operator removes. It goes with the resource. There is no other code
// for this login, so a write that may have failed is made again.
func (t *task) bringCode(ctx context.Context, token *v1alpha1.GitHubUserToken, attempt, code string) error {
	for try := 1; ; try++ {
		err := t.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: token.Namespace, Name: v1alpha1.LoginCodeSecretName(attempt), Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLoginCode},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: token.Name, UID: token.UID}},
			},
			Data: map[string][]byte{v1alpha1.KeyCode: []byte(code)},
		})
		switch {
		case err == nil, try > 1 && apierrors.IsAlreadyExists(err): // The answer to an earlier try was lost.
			return nil
		case cluster.IsFinal(err), try == bringTries:
			return err
		}
		if err := t.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// showPage brings the page of GitHub.
func (t *task) showPage(ctx context.Context, flow *login.Web, o loginOptions) {
	t.say("\nOpen this page in a browser on this machine%s:\n\n    %s\n", t.signedIn(), flow.Page)
	if expires := t.token.Status.WebLogin.ExpirationTime; expires != nil {
		t.say("It is good until %s, for you alone. If your browser is elsewhere: ssh -L%s.", expires.UTC().Format("15:04:05Z"), t.orByCode())
	}
	if !o.noBrowser {
		if err := t.openBrowser(ctx, flow.Page); err != nil {
			t.say("No browser was opened: %v.", err)
		}
	}
	t.say("Waiting for you …")
}

// orByCode is the other way to log in where the browser is elsewhere; empty when the resource has none.
func (t *task) orByCode() string {
	if !t.token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) {
		return ""
	}
	return ", or " + t.command("login", "--device")
}

// lastWord is for how long a command that was ended early still puts things in order.
const lastWord = 10 * time.Second

// detached is a context for that.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), lastWord)
}

// withdraw takes a request back that came to nothing, so that its page is good for nobody any more.
func (t *task) withdraw(ctx context.Context, flow *login.Web) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	now, err := t.Token(ctx, t.name)
	if cluster.IsNotFound(err) || err == nil && (now.UID != t.token.UID || now.Annotations[v1alpha1.AnnotationWebLoginRequested] != flow.Request()) {
		return nil
	}
	if err != nil {
		return err
	}
	t.token = now
	stands := t.stands
	err = t.annotate(ctx, v1alpha1.AnnotationWebLoginRequested, nil)
	t.stands = stands
	return err
}
