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
	"k8s.io/apimachinery/pkg/api/meta"
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
func (e *environment) loginByWeb(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, o loginOptions) error {
	if !o.again && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) &&
		meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorized) {
		e.print("There is nothing to do: %s is logged in already. To log in all the same: --again", token.Name)
		return nil
	}
	if err := mayBringCode(ctx, c, token.Namespace); err != nil {
		return err
	}
	app, err := appOf(ctx, c, token, o.new.Host)
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
	if err := annotate(ctx, c, token, v1alpha1.AnnotationWebLoginRequested, flow.Request()); err != nil {
		return err
	}
	err = e.followWeb(ctx, c, token, flow, server, o)
	if err != nil {
		e.withdraw(ctx, c, token, flow)
	}
	return err
}

// appOf is the App whose page may be opened. Not everybody may read the App of an administrator: then its page must be at the host that
// was said, or else at GitHub's own.
func appOf(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, host string) (login.App, error) {
	ref := token.Spec.App.Ref
	if ref == nil {
		return login.InlineApp(token), nil
	}
	var spec *v1alpha1.GitHubAppSpec
	var err error
	if ref.Kind == v1alpha1.KindClusterGitHubApp {
		app := &v1alpha1.ClusterGitHubApp{}
		err, spec = c.Get(ctx, client.ObjectKey{Name: ref.Name}, app), &app.Spec.GitHubAppSpec
	} else {
		app := &v1alpha1.GitHubApp{}
		err, spec = c.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: ref.Name}, app), &app.Spec
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
func mayBringCode(ctx context.Context, c *cluster.Cluster, namespace string) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "create", Resource: "secrets"},
	}}
	if err := c.Create(ctx, review); err != nil || review.Status.Allowed {
		return err
	}
	return &cluster.ForbiddenError{Verb: "create", Resource: schema.GroupResource{Resource: "secrets"}, Namespace: namespace}
}

// stoppedAfter is how long a login that is not begun is waited for while the resource is stalled: one may follow another after ten seconds.
const stoppedAfter = 15 * time.Second

// followWeb waits for the operator, for the person, and for the operator again.
func (e *environment) followWeb(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, flow *login.Web, server *loopback.Server, o loginOptions) error {
	begun, hinted := e.now(), false
	for {
		step, text := flow.Next(token)
		switch step {
		case login.Show:
			of, attempt := token, flow.Attempt // The browser comes back while the resource is looked at again.
			server.Expect(flow.State, func(ctx context.Context, code string) error { return e.bringCode(ctx, c, of, attempt, code) })
			e.showPage(ctx, token, flow, o)
			hinted = true
		case login.Done:
			e.print("%s", text)
			return nil
		case login.Fail:
			return &exitError{failCode(token, e.now()), errors.New(text)}
		}
		select {
		case err := <-server.Outcome():
			if _, denied := errors.AsType[*loopback.DeniedError](err); denied {
				return &exitError{2, err} // A person is needed, as before.
			}
			if err != nil {
				return fmt.Errorf("the code could not be brought to the operator: %w", err)
			}
			e.say("The code is with the operator, which redeems it …")
		default:
		}
		if !hinted && e.now().Sub(begun) > silentAfter {
			e.say("%s", flow.Hint(token))
			hinted = true
		}
		if stopped := flow.Stopped(token); stopped != "" && e.now().Sub(begun) > stoppedAfter {
			return &exitError{failCode(token, e.now()), errors.New(stopped)}
		}
		next, err := e.lookAgain(ctx, c, token)
		if err != nil {
			return err
		}
		token = next
	}
}

// bringTries is how often the code is written before that is given up, with a pause of lookEvery between two tries.
const bringTries = 10

// bringCode puts the code into a Secret of its own, which the operator removes. It goes with the resource. There is no other code
// for this login, so a write that may have failed is made again.
func (e *environment) bringCode(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, attempt, code string) error {
	for try := 1; ; try++ {
		err := c.Create(ctx, &corev1.Secret{
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
		if err := e.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// showPage brings the page of GitHub.
func (e *environment) showPage(ctx context.Context, token *v1alpha1.GitHubUserToken, flow *login.Web, o loginOptions) {
	as := ""
	if wanted := login.Wanted(token); wanted != "" {
		as = ", signed in as " + wanted
	}
	e.say("\nOpen this page in a browser on this machine%s:\n\n    %s\n", as, flow.Page)
	if expires := token.Status.WebLogin.ExpirationTime; expires != nil {
		e.say("It is good until %s, for you alone. If your browser is elsewhere: ssh -L, or the device flow.", expires.UTC().Format("15:04:05Z"))
	}
	if !o.noBrowser {
		if err := e.openBrowser(ctx, flow.Page); err != nil {
			e.say("No browser was opened: %v.", err)
		}
	}
	e.say("Waiting for you …")
}

// withdraw takes a request back that came to nothing, so that its page is good for nobody any more.
func (e *environment) withdraw(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, flow *login.Web) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now, err := c.Token(ctx, token.Name)
	if err != nil || now.UID != token.UID || now.Annotations[v1alpha1.AnnotationWebLoginRequested] != flow.Request() {
		return
	}
	if err := annotate(ctx, c, now, v1alpha1.AnnotationWebLoginRequested, nil); err != nil {
		e.say("The request for the login could not be taken back: %v. It ends by itself within ten minutes.", err)
	}
}
