package controllers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// statusWrites takes each write of a status as an API server does whose watch is late.
type statusWrites struct {
	client.SubResourceWriter
	version int
}

// statusClient is a client that only writes statuses.
type statusClient struct {
	client.Client
	writes *statusWrites
}

func (c statusClient) Status() client.SubResourceWriter { return c.writes }

func (s *statusWrites) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	return nil
}

// told are the events so far.
func told(recorder *events.FakeRecorder) (notes []string) {
	for {
		select {
		case note := <-recorder.Events:
			notes = append(notes, note)
		default:
			return notes
		}
	}
}

func TestEventsWhatTheCacheDoesNotShowYetIsNotToldAgain(t *testing.T) {
	t.Parallel()
	recorder, writes := events.NewFakeRecorder(10), &statusWrites{version: 7}
	r := &Reconciler{Client: statusClient{writes: writes}, Recorder: recorder, reports: memory.NewSlot[reported](memory.NewStore())}
	cached := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "octocat", UID: "1", ResourceVersion: "7"}}
	pending := func(code, message string) *v1alpha1.GitHubUserTokenStatus {
		return &v1alpha1.GitHubUserTokenStatus{
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAuthorizationPending, Message: "enter " + code},
				{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAuthorizationPending, Message: message},
			},
			Authorization: &v1alpha1.Authorization{UserCode: code},
		}
	}
	link := func(ticket string) *v1alpha1.GitHubUserTokenStatus {
		status := pending("", "asked")
		status.Authorization.LoginURL = "https://login.example.com/login/team-a/octocat?ticket=" + ticket
		status.Conditions[0].Message = "open the link"
		return status
	}
	revoked := &v1alpha1.GitHubUserTokenStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRevoked, Message: "log in again"},
	}}
	for _, step := range []struct {
		what   string
		status *v1alpha1.GitHubUserTokenStatus
		seen   bool // the cache has caught up before it
		want   string
	}{
		{what: "a code", status: pending("ABCD-1234", "asked"), want: "enter ABCD-1234"},
		{what: "the same", status: pending("ABCD-1234", "asked")},
		{what: "another detail, with the cache as it was", status: pending("ABCD-1234", "asked again")},
		{what: "another code", status: pending("EFGH-5678", "asked"), want: "enter EFGH-5678"},
		{what: "its end", status: revoked, want: "log in again"},
		{what: "the first code once more", status: pending("ABCD-1234", "asked"), want: "enter ABCD-1234"},
		{what: "a detail, with the cache caught up", status: pending("ABCD-1234", "asked again"), seen: true},
		{what: "the end of that", status: revoked, seen: true, want: "log in again"},
		{what: "a link", status: link("1"), want: "open the link"},
		{what: "another link in its place", status: link("2")},
		{what: "a code beside it", status: pending("ABCD-1234", "asked"), want: "enter ABCD-1234"},
	} {
		if _, err := r.writeStatus(t.Context(), cached, step.status); err != nil {
			t.Fatal(err)
		}
		notes := told(recorder)
		if (step.want == "") != (len(notes) == 0) || len(notes) > 1 || !strings.Contains(strings.Join(notes, ""), step.want) {
			t.Errorf("%s: told %q, want %q", step.what, notes, step.want)
		}
		if step.seen {
			cached.Status, cached.ResourceVersion = *step.status, strconv.Itoa(writes.version)
		}
	}
}

// A first token that is not to be had until somebody corrects something is told of once for each reason.
func TestEventsTellOfWhatIsConfiguredWrongly(t *testing.T) {
	t.Parallel()
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{Recorder: recorder}
	status := func(reason string, stalled bool) *v1alpha1.GitHubUserTokenStatus {
		conditions := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: "correct it"}}
		if stalled {
			conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, Message: "it stalls"})
		}
		return &v1alpha1.GitHubUserTokenStatus{Conditions: conditions}
	}
	token := &v1alpha1.GitHubUserToken{}
	for _, step := range []struct {
		before, after *v1alpha1.GitHubUserTokenStatus
		want          []string
	}{
		{&v1alpha1.GitHubUserTokenStatus{}, status(v1alpha1.ReasonPending, false), nil},
		{status(v1alpha1.ReasonPending, false), status(v1alpha1.ReasonIncorrectClientCredentials, false), []string{"Warning IncorrectClientCredentials correct it"}},
		{status(v1alpha1.ReasonIncorrectClientCredentials, false), status(v1alpha1.ReasonIncorrectClientCredentials, false), nil},
		{status(v1alpha1.ReasonIncorrectClientCredentials, false), status(v1alpha1.ReasonGitHubUnavailable, false), nil},
		{status(v1alpha1.ReasonPending, false), status(v1alpha1.ReasonCommitting, false), []string{"Warning Committing correct it"}},
		{status(v1alpha1.ReasonCommitting, false), status(v1alpha1.ReasonCommitting, false), nil},
		{&v1alpha1.GitHubUserTokenStatus{}, status(v1alpha1.ReasonRedirected, true), []string{"Warning Redirected it stalls"}},
	} {
		r.announce(token, standingOf(step.before), step.after)
		if got := told(recorder); !slices.Equal(got, step.want) {
			t.Errorf("told was %q, want %q", got, step.want)
		}
	}
}
