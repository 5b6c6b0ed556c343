package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/login"
)

// makeResource makes the resource that somebody is to log in for. One that is there already is taken if it is what was asked for.
func (t *task) makeResource(ctx context.Context, wish login.New) error {
	wanted, err := wish.Resource()
	if err != nil {
		return err
	}
	if err := t.findApp(ctx, wanted.Spec.App.Ref); err != nil {
		return err
	}
	t.token = wanted.DeepCopy()
	err = t.Create(ctx, t.token)
	if cluster.IsNotFound(err) { // What is made can be missing nothing else.
		return fmt.Errorf("there is no namespace %s: kubectl create namespace %s", t.Namespace, t.Namespace)
	}
	if !apierrors.IsAlreadyExists(err) {
		if t.made = err == nil; t.made {
			t.say("Created the GitHubUserToken %s in namespace %s%s.", t.name, t.Namespace, where(&t.token.Spec.App))
		}
		return err
	}
	if err := t.read(ctx); err != nil {
		return err
	}
	if differs := wish.Differs(wanted, t.token); differs != "" {
		return fmt.Errorf("there is a GitHubUserToken %s in namespace %s already, with %s: edit it, choose another name, or, if it is of a login that came to nothing: %s", t.name, t.Namespace, differs, t.removal())
	}
	return nil
}

// where says at which GitHub an App is taken to be that stands in the resource itself: whoever has forgotten to say so sees it here.
func where(app *v1alpha1.App) string {
	switch {
	case app.Ref != nil:
		return ""
	case app.Host == "" || app.Host == v1alpha1.DefaultHost:
		return ", for an App at " + v1alpha1.DefaultHost + " (--host names another)"
	default:
		return ", for an App at " + app.Host
	}
}

// findApp says that there is no such App before a resource is made for it. Not everybody may look: then the operator says so.
func (t *task) findApp(ctx context.Context, ref *v1alpha1.AppReference) error {
	if ref == nil {
		return nil
	}
	key, app := client.ObjectKey{Namespace: t.Namespace, Name: ref.Name}, client.Object(&v1alpha1.GitHubApp{})
	if ref.Kind == v1alpha1.KindClusterGitHubApp {
		key, app = client.ObjectKey{Name: ref.Name}, &v1alpha1.ClusterGitHubApp{}
	}
	if err := t.Get(ctx, key, app); cluster.IsNotFound(err) {
		return fmt.Errorf("%w, so nothing was made. Make the App first, or name another with --app", err)
	}
	return nil
}

// removal is the command that removes the resource.
func (t *task) removal() string {
	return fmt.Sprintf("kubectl delete ghut %s -n %s", t.name, t.Namespace)
}

// withWhatIsLeft adds to a login that came to nothing that the resource which was made for it is still there.
func (t *task) withWhatIsLeft(err error) error {
	if err == nil || !t.made {
		return err
	}
	failed, isExit := errors.AsType[*exitError](err)
	switch {
	case isExit && failed.err != nil:
		return &exitError{failed.code, &leftError{failed.err, t.whatIsLeft()}}
	case isExit, errors.Is(err, errUnanswered):
		return err
	default:
		return &leftError{err, t.whatIsLeft()}
	}
}

// whatIsLeft says that the resource is, and how to remove it.
func (t *task) whatIsLeft() string {
	return fmt.Sprintf("The GitHubUserToken %s was made for this login, and is left. To remove it: %s", t.name, t.removal())
}

// leftError is an error with what it has left.
type leftError struct {
	why  error
	left string
}

func (e *leftError) Error() string {
	return strings.TrimSuffix(e.why.Error(), ".") + ". " + e.left
}
func (e *leftError) Unwrap() error { return e.why }
