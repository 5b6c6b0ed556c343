package outputs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
)

func TestOutputFailuresInWords(t *testing.T) {
	forbidden := apierrors.NewForbidden(secretsResource, "out", errors.New("policy says no"))
	terminating := apierrors.NewForbidden(secretsResource, "out", errors.New("it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, c := range map[string]struct {
		err                error
		reason, says       string
		stalled, transient bool
	}{
		"a Secret of somebody else waits for a person": {
			errNotOwned, v1alpha1.ReasonOutputNotOwned, `Secret "out" exists and belongs to somebody else`, true, false,
		},
		"a spec that cannot be rendered waits for a person": {
			&renderError{errors.New(`output "out": unknown format "Helm"`)}, v1alpha1.ReasonOutputInvalid, `Output "out": unknown format "Helm".`, true, false,
		},
		"what the API server refuses is tried again, and does not pass by itself": {
			scrubbed(forbidden, nil, nil), v1alpha1.ReasonOutputNotWritten, "policy says no", false, false,
		},
		"an API server that cannot be reached may be back in a moment": {
			scrubbed(apierrors.NewServiceUnavailable("no etcd"), nil, nil), v1alpha1.ReasonOutputNotWritten, "no etcd", false, true,
		},
		"one that somebody else changes at each try": {
			scrubbed(apierrors.NewConflict(secretsResource, "out", errors.New("changed")), nil, nil), v1alpha1.ReasonContested, "somebody else changes it all the time", false, true,
		},
		"so may one that does not answer": {
			fmt.Errorf("look at Secret out: %w", errors.New("connection refused")), v1alpha1.ReasonOutputNotWritten, "connection refused", false, true,
		},
		"a namespace that is being deleted needs nobody": {
			scrubbed(terminating, nil, nil), v1alpha1.ReasonNamespaceTerminating, "The namespace is being deleted", false, false,
		},
		"a fault of the operator's own is tried again": {
			errPanicked, v1alpha1.ReasonOutputNotWritten, "the operator itself failed", false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := problemOf(opaque("out"), c.err)
			if got == nil || got.Reason != c.reason || got.Stalled != c.stalled || got.Transient != c.transient || !got.Aside || !strings.Contains(got.Message, c.says) {
				t.Errorf("got %+v", got)
			}
		})
	}
	for name, err := range map[string]error{
		"no failure": nil, "a pair without a token": &renderError{fmt.Errorf("output: %w", format.ErrNoToken)},
	} {
		t.Run(name+" is no problem of an output", func(t *testing.T) {
			if got := problemOf(opaque("out"), err); got != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestOutputErrorsHoldNoTokenThatTheAPIServerQuotes(t *testing.T) {
	const token = firstToken
	data := map[string][]byte{".netrc": []byte("machine github.com\nlogin x\npassword " + token + "\n")}
	encoded := base64.StdEncoding.EncodeToString(data[".netrc"])
	for name, text := range map[string]string{
		"raw":               "policy says no to " + string(data[".netrc"]),
		"the token alone":   `policy says no to "` + token + `"`,
		"in base64":         "policy says no to " + encoded,
		"a part of base64":  "policy says no to " + encoded[len(encoded)/2-20:] + "...",
		"with a user in it": "policy says no to " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token)),
	} {
		t.Run(name, func(t *testing.T) {
			err := scrubbed(apierrors.NewForbidden(secretsResource, "out", errors.New(text)), nil, data)
			for _, part := range []string{token, token[4:24], encoded[len(encoded)-24:]} {
				if strings.Contains(err.Error(), part) {
					t.Error("a token, or a part of one, is left")
				}
			}
			if !strings.Contains(err.Error(), "policy says no") {
				t.Errorf("the words are gone as well: %v", err)
			}
			var kept *scrubbedError
			if !errors.As(err, &kept) || !kept.refused() {
				t.Error("it is not known any more that the API server has refused")
			}
		})
	}
}

func TestOutputThatIsImmutableIsToldFromAConflict(t *testing.T) {
	if isImmutable(apierrors.NewConflict(secretsResource, "x", errors.New("immutable"))) {
		t.Error("a conflict is taken for an immutable Secret")
	}
}

func TestOutputThatCouldNotBeRemovedSaysWhatToDo(t *testing.T) {
	forbidden := apierrors.NewForbidden(secretsResource, "out", errors.New("policy says no"))
	for says, err := range map[string]error{
		"policy says no. Change what refuses it": scrubbed(forbidden, nil, nil),
		"no etcd. It is tried again":             scrubbed(apierrors.NewServiceUnavailable("no etcd"), nil, nil),
		"no answer. It is tried again":           errors.New("no answer"),
	} {
		if got := notRemoved("out", err); !strings.Contains(got.Message, says) {
			t.Errorf("it does not say %q: %s", says, got.Message)
		}
	}
}
