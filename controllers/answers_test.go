package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// writesAnswered is a client whose writes are all answered so, beside a live reader that finds an object or does not.
func writesAnswered(answer, there error) checkedClient {
	return writesAnsweredBy(func() error { return answer }, func(client.Object) error { return there })
}

func writesAnsweredBy(answer func() error, look func(client.Object) error) checkedClient {
	scheme := runtime.NewScheme()
	utilruntime.Must(errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	return newCheckedClient(interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return answer() },
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return answer() },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return answer()
		},
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return answer() },
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return answer()
		},
	}), interceptor.NewClient(nil, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			return look(object)
		},
	}))
}

// Each kind of write to an object that was there, all under one version.
var checkedWrites = map[string]func(context.Context, checkedClient) error{
	"patch": func(ctx context.Context, writes checkedClient) error {
		return writes.Patch(ctx, secretMetadata(someSecret), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"7"}}`)))
	},
	"delete": func(ctx context.Context, writes checkedClient) error {
		return writes.Delete(ctx, secretMetadata(someSecret), client.Preconditions{ResourceVersion: new("7")})
	},
	"update": func(ctx context.Context, writes checkedClient) error {
		return writes.Update(ctx, &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", ResourceVersion: "7"}})
	},
	"status patch": func(ctx context.Context, writes checkedClient) error {
		token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}}
		return writes.Status().Patch(ctx, token, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"7"}}`)))
	},
}

var someSecret = types.NamespacedName{Namespace: "team-a", Name: "octocat"}

const notSo = "(which is not so: something on the way to the API server refuses the write)"

// An admission webhook may answer a write with any code. What it says of an object counts when it is so. When it is not, it
// may have been a moment ago: only the same answer again is a refusal.
func TestAnswersToWritesAreChecked(t *testing.T) {
	t.Parallel()
	secrets := corev1.Resource("secrets")
	notFound, exists := apierrors.NewNotFound(secrets, "octocat"), apierrors.NewAlreadyExists(secrets, "octocat")
	conflict := apierrors.NewConflict(secrets, "octocat", errors.New("modified"))
	away := errors.New("the API server is away")
	for name, c := range map[string]struct {
		answer error
		// version is that of the object which a live read finds; empty when there is none. lookErr is why nobody can tell.
		version string
		lookErr error
		// is what the first and the second answer are taken for, and looks how many reads both cost.
		first, second func(error) bool
		looks         int
	}{
		"not found, and it is gone":              {notFound, "", nil, apierrors.IsNotFound, apierrors.IsNotFound, 2},
		"not found, and it is there":             {notFound, "7", nil, apierrors.IsConflict, apierrors.IsForbidden, 2},
		"not found, and nobody can tell":         {notFound, "", away, isUnknown, isUnknown, 2},
		"another refusal is left as it is":       {apierrors.NewForbidden(secrets, "octocat", away), "7", nil, apierrors.IsForbidden, apierrors.IsForbidden, 0},
		"changed, and it was":                    {conflict, "8", nil, apierrors.IsConflict, apierrors.IsConflict, 1},
		"changed, and it was not":                {conflict, "7", nil, apierrors.IsConflict, apierrors.IsForbidden, 1},
		"changed, and it is gone":                {conflict, "", nil, apierrors.IsConflict, apierrors.IsConflict, 1},
		"changed, and nobody can tell":           {conflict, "", away, apierrors.IsConflict, isUnknown, 1},
		"a success is no answer to be looked at": {nil, "7", nil, isSuccess, isSuccess, 0},
	} {
		for what, write := range checkedWrites {
			t.Run(name+": "+what, func(t *testing.T) {
				t.Parallel()
				looks := 0
				writes := writesAnsweredBy(func() error { return c.answer }, func(object client.Object) error {
					looks++
					object.SetResourceVersion(c.version)
					if c.version == "" && c.lookErr == nil {
						return notFound
					}
					return c.lookErr
				})
				for n, is := range []func(error) bool{c.first, c.second, c.second} {
					err := write(t.Context(), writes)
					if !is(err) {
						t.Errorf("answer %d: %v", n+1, err)
					}
					if c.answer != nil && !strings.Contains(err.Error(), c.answer.Error()) {
						t.Errorf("answer %d does not say what was answered: %v", n+1, err)
					}
					if isUnknown(err) && !errors.Is(err, away) {
						t.Errorf("answer %d does not say why nobody can tell: %v", n+1, err)
					}
					if n == 1 && looks != c.looks {
						t.Errorf("it was looked %d times, want %d", looks, c.looks)
					}
					if strings.Contains(textOf(err), notSo) != (n > 0 && apierrors.IsForbidden(err) && c.looks > 0) {
						t.Errorf("answer %d is called a refusal, or is not: %v", n+1, err)
					}
				}
			})
		}
	}
	for name, c := range map[string]struct {
		there         error
		first, second func(error) bool
	}{
		"exists, and is there":        {nil, apierrors.IsAlreadyExists, apierrors.IsAlreadyExists},
		"exists, and is not there":    {notFound, apierrors.IsConflict, apierrors.IsForbidden},
		"exists, and nobody can tell": {away, isUnknown, isUnknown},
	} {
		writes := writesAnswered(exists, c.there)
		for n, is := range []func(error) bool{c.first, c.second} {
			if err := writes.Create(t.Context(), &corev1.Secret{}); !is(err) || !strings.Contains(err.Error(), exists.Error()) {
				t.Errorf("%s: answer %d: %v", name, n+1, err)
			}
		}
	}
	// Whether a pod is gone is told by whoever writes to it, and the operator may not read one.
	if err := writesAnswered(notFound, away).Delete(t.Context(), &corev1.Pod{}); !apierrors.IsNotFound(err) {
		t.Errorf("a pod: %v", err)
	}
}

// isUnknown: an answer that nobody could look at is taken for none of a kind.
func isUnknown(err error) bool {
	return err != nil && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown
}

func isSuccess(err error) bool { return err == nil }

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A race passes: what is answered in between, or another version, makes the next contradiction the first again.
func TestAnswersOnlyTheSameAnswerInARowIsARefusal(t *testing.T) {
	t.Parallel()
	secrets := corev1.Resource("secrets")
	notFound, conflict := apierrors.NewNotFound(secrets, "octocat"), apierrors.NewConflict(secrets, "octocat", errors.New("modified"))
	for name, between := range map[string]struct {
		answer error
		// gone says that a live read finds nothing then.
		gone bool
	}{
		"a success": {}, "an answer that is true": {answer: notFound, gone: true}, "another answer": {answer: conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, gone := error(notFound), false
			writes := writesAnsweredBy(func() error { return answer }, func(object client.Object) error {
				object.SetResourceVersion("7")
				if gone {
					return notFound
				}
				return nil
			})
			write := checkedWrites["patch"]
			if err := write(t.Context(), writes); !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
			answer, gone = between.answer, between.gone
			_ = write(t.Context(), writes)
			answer, gone = notFound, false
			if err := write(t.Context(), writes); !apierrors.IsConflict(err) {
				t.Errorf("the next contradiction: %v", err)
			}
			if err := write(t.Context(), writes); !apierrors.IsForbidden(err) {
				t.Errorf("and the one after it: %v", err)
			}
		})
	}
}

// A namespace in which admission answers to every POST that there is no such namespace, or that it is being deleted, is
// not gone for that.
func TestAnswersNamespaceIsGoneWhenAReadSaysSo(t *testing.T) {
	t.Parallel()
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"},
	}
	notFound := func(name string) error { return apierrors.NewNotFound(corev1.Resource("namespaces"), name) }
	terminating := apierrors.NewForbidden(corev1.Resource("secrets"), "octocat", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	away := errors.New("the API server is away")
	for name, c := range map[string]struct {
		answer error
		// namespace and owner are what live reads bring; deleting that the namespace is on its way.
		namespace, owner error
		deleting         bool
		want             error
		gone             bool
	}{
		"404, and there is such a namespace":                {notFound("team-a"), nil, nil, false, rotation.ErrDenied, false},
		"404, and there is none":                            {notFound("team-a"), notFound("team-a"), nil, false, rotation.ErrTerminating, true},
		"said to be deleted, and it is":                     {terminating, nil, nil, true, rotation.ErrTerminating, true},
		"said to be deleted, and it is not":                 {terminating, nil, nil, false, rotation.ErrDenied, false},
		"404, and nobody can tell":                          {notFound("team-a"), away, nil, false, away, false},
		"the resource is gone, whatever else is the matter": {notFound("team-a"), nil, notFound("octocat"), false, rotation.ErrOwnerGone, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writes := writesAnswered(c.answer, nil)
			writes.live = interceptor.NewClient(nil, interceptor.Funcs{
				Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
					if object.GetObjectKind().GroupVersionKind().Kind != "Namespace" {
						object.SetUID("u")
						return c.owner
					}
					if c.deleting {
						object.SetDeletionTimestamp(new(metav1.Now()))
					}
					return c.namespace
				},
			})
			store := &pairsecret.Store{Client: writes, Live: writes.live}
			if _, err := store.Create(t.Context(), pair); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if gone, err := store.Gone(t.Context(), pair.Owner); gone != c.gone || (err != nil) != errors.Is(c.want, away) {
				t.Errorf("gone: %t (%v), want %t", gone, err, c.gone)
			}
		})
	}
}
