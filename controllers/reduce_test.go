package controllers

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

var reasonForm = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// A status that the API server refuses is reduced until it is taken, and what is taken still says how things stand.
func TestStatusThatIsRefusedIsReducedUntilItIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*v1alpha1.GitHubUserTokenStatus)
		// refused is what the API server does not take.
		refused func(*v1alpha1.GitHubUserTokenStatus) bool
		writes  int
		reason  string
		err     bool
	}{
		"nothing is refused": {refused: func(*v1alpha1.GitHubUserTokenStatus) bool { return false }, writes: 1, reason: "TokenExpired"},
		"a message": {
			refused: func(s *v1alpha1.GitHubUserTokenStatus) bool { return strings.Contains(s.Conditions[0].Message, "long") },
			writes:  2, reason: "TokenExpired",
		},
		"a reason": {
			change:  func(s *v1alpha1.GitHubUserTokenStatus) { s.Conditions[1].Reason = "no reason!" },
			refused: func(s *v1alpha1.GitHubUserTokenStatus) bool { return !reasonForm.MatchString(s.Conditions[1].Reason) },
			writes:  3, reason: v1alpha1.ReasonStatusRefused,
		},
		"something else": {
			change:  func(s *v1alpha1.GitHubUserTokenStatus) { s.User = &v1alpha1.User{Login: "x"} },
			refused: func(s *v1alpha1.GitHubUserTokenStatus) bool { return s.User != nil },
			writes:  4, reason: v1alpha1.ReasonStatusRefused,
		},
		"all but two conditions": {
			refused: func(s *v1alpha1.GitHubUserTokenStatus) bool { return len(s.Conditions) > 2 },
			writes:  5, reason: v1alpha1.ReasonStatusRefused,
		},
		"everything": {refused: func(*v1alpha1.GitHubUserTokenStatus) bool { return true }, writes: 5, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "u"}}
			writes, logged := 0, 0
			remembered := memory.NewStore()
			r := &Reconciler{reports: memory.NewSlot[reported](remembered), Recorder: events.NewFakeRecorder(100), memory: remembered}
			r.Client = interceptor.NewClient(nil, interceptor.Funcs{
				SubResourcePatch: func(_ context.Context, _ client.Client, _ string, object client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
					writes++
					written := object.(*v1alpha1.GitHubUserToken)
					if c.refused(&written.Status) {
						return apierrors.NewInvalid(schema.GroupKind{Kind: "GitHubUserToken"}, "octocat", nil)
					}
					token = written.DeepCopy()
					return nil
				},
			})
			ctx := logf.IntoContext(t.Context(), funcr.New(func(string, string) { logged++ }, funcr.Options{}))
			write := func(at int64) error {
				status := &v1alpha1.GitHubUserTokenStatus{ObservedGeneration: 7}
				for _, condition := range []metav1.Condition{
					{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "TokenExpired", Message: "long"},
					{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue, Reason: "RefreshTokenValid", Message: "long"},
					{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: "Exchanging", Message: "long"},
				} {
					condition.LastTransitionTime = metav1.Unix(at, 0)
					status.Conditions = append(status.Conditions, condition)
				}
				if c.change != nil {
					c.change(status)
				}
				_, err := r.writeStatus(ctx, token, status)
				return err
			}
			if err := write(1); (err != nil) != c.err {
				t.Fatalf("the status: %v", err)
			}
			if writes != c.writes {
				t.Errorf("%d writes, want %d", writes, c.writes)
			}
			if !c.err {
				ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
				if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != c.reason || token.Status.ObservedGeneration != 7 {
					t.Errorf("what was taken: %+v", token.Status)
				}
				// The same status is not tried again, whenever it is computed.
				if err := errors.Join(write(2), write(3)); err != nil || writes > c.writes+2 || writes > c.writes && c.writes > 1 {
					t.Errorf("%d writes more (%v)", writes-c.writes, err)
				}
			}
			if want := min(1, c.writes-1); logged != want {
				t.Errorf("it is logged %d times, want %d", logged, want)
			}
		})
	}
}

func TestStatusWhatOthersSayIsShortened(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"short", strings.Repeat("x", maxMessage), strings.Repeat("é", maxMessage), "\xff\xfe", strings.Repeat("x", 1<<20)} {
		got := shortened(message)
		if len(got) > maxMessage || !utf8.ValidString(got) || len(message) <= maxMessage && utf8.ValidString(message) && got != message {
			t.Errorf("%d bytes became %d: %.20q", len(message), len(got), got)
		}
	}
}

func TestStatusTimeThatTheAPICannotExpressIsLeftOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"2030-01-01T00:00:00Z": true, "9999-12-31T23:59:59-23:00": false, "0000-01-01T00:00:00+23:00": false, "0001-01-01T00:00:00Z": false,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := timeOf(at); (got != nil) != want {
			t.Errorf("%s became %v", text, got)
		}
	}
}

// A status of which nothing is taken tells of nothing, so an event does: once for each cause, and again after one was taken.
func TestStatusThatIsForbiddenIsToldByOneEvent(t *testing.T) {
	t.Parallel()
	recorder, remembered := events.NewFakeRecorder(100), memory.NewStore()
	r := &Reconciler{reports: memory.NewSlot[reported](remembered), Recorder: recorder, memory: remembered}
	var refusal error
	r.Client = interceptor.NewClient(nil, interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return refusal
		},
	})
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "u"}}
	forbidden := func(says string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "githubusertokens"}, "octocat", errors.New(says))
	}
	const secret = "ghu_7f3a9c5e1b7f3a9c5e1b"
	for i, step := range []struct {
		err  error
		want string
	}{
		{forbidden("no statuses on Sundays, and none with " + secret), "no statuses on Sundays"},
		{forbidden("no statuses on Sundays, and none with " + secret), ""},
		{apierrors.NewConflict(schema.GroupResource{}, "octocat", errors.New("newer")), ""},
		{apierrors.NewNotFound(schema.GroupResource{}, "octocat"), ""},
		{errors.New("connection refused"), ""},
		{forbidden(strings.Repeat("no statuses on Mondays ", 100)), "no statuses on Mondays"},
		{nil, ""},
		{forbidden("no statuses on Sundays, and none with " + secret), "no statuses on Sundays"},
	} {
		refusal = step.err
		_, err := r.writeStatus(t.Context(), token, &v1alpha1.GitHubUserTokenStatus{ObservedGeneration: int64(i + 1)})
		if (err != nil) != (step.err != nil && !apierrors.IsNotFound(step.err)) {
			t.Errorf("step %d: %v", i, err)
		}
		notes := strings.Join(told(recorder), "\n")
		if (step.want == "") != (notes == "") || !strings.Contains(notes, step.want) || strings.Contains(notes, "\n") {
			t.Errorf("step %d: told was %q, want %q", i, notes, step.want)
		}
		if notes != "" && (!strings.HasPrefix(notes, "Warning StatusRefused ") || strings.Contains(notes, secret) || len(notes) > 1024+len("Warning StatusRefused ")) {
			t.Errorf("step %d: told was %q", i, notes)
		}
	}
}
