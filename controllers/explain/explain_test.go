package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

var (
	start   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	owner   = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid-1"}
	inPlace = rotation.Ref{Namespace: "team-a", Name: "octocat-token"}
)

// pair is a good pair of the owner's.
func pair() *rotation.Pair {
	return &rotation.Pair{
		Ref: inPlace, UID: "secret", Version: "1", Owner: owner, Controlled: true,
		State: rotation.State{
			Owner: owner.UID, AccessToken: "access", RefreshToken: "refresh", IssuedAt: start, ExpiresAt: start.Add(8 * time.Hour),
		},
	}
}

// explained is a scope of a good pair that is not due.
func explained() *scope.Scope {
	resource := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: types.UID(owner.UID)},
		Spec:       v1alpha1.GitHubUserTokenSpec{RefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: "octocat-seed", Key: "refresh_token"}},
	}
	s := &scope.Scope{Token: resource, Owner: owner, Ref: inPlace, Pair: pair(), Now: start}
	s.Pair.State.App = "github.com/Iv1"
	s.Input = rules.Input{Owner: owner, App: "github.com/Iv1", Pair: s.Pair, Now: start}
	return s
}

func condemn(reason string) func(*scope.Scope) {
	return func(s *scope.Scope) { s.Pair.State.Verdict = &rotation.Verdict{Reason: reason, Fingerprint: "refresh"} }
}

// Each problem that Decide can find, with what its message must say.
var problems = map[string]struct {
	change                func(*scope.Scope)
	reason, says          string
	stalled, unauthorized bool
}{
	"a newer format": {
		change: func(s *scope.Scope) { s.Pair.State.Format = rotation.StateFormat + 1 },
		reason: v1alpha1.ReasonStateFormatTooNew, says: "Upgrade the operator again", stalled: true,
	},
	"a Secret of somebody else": {
		change: func(s *scope.Scope) { s.Pair.Controlled = false },
		reason: v1alpha1.ReasonSecretNotOwned, says: `Secret "octocat-token" exists and belongs to somebody else`, stalled: true,
	},
	"a retained pair of another App": {
		change: func(s *scope.Scope) {
			s.Pair.Controlled, s.Pair.Orphan, s.Pair.State.Retained, s.Pair.State.Owner = false, true, true, "uid-0"
			s.Pair.UID, s.Pair.State.RetainedAs, s.Pair.State.OwnerName, s.Pair.State.App = "secret", "secret", s.Owner.Name, "github.com/Iv2"
		},
		reason: v1alpha1.ReasonSecretNotOwned, says: "holds the pair of a former resource of this name, and is not taken up: it is of another App than spec.app", stalled: true,
	},
	"a retained pair of another login": {
		change: func(s *scope.Scope) {
			s.Pair.Controlled, s.Pair.Orphan, s.Pair.State.Retained, s.Pair.State.Owner = false, true, true, "uid-0"
			s.Pair.UID, s.Pair.State.RetainedAs, s.Pair.State.OwnerName, s.Input.Seed = "secret", "secret", s.Owner.Name, "another"
		},
		reason: v1alpha1.ReasonSecretNotOwned, says: "is not taken up: it is of another login than the seed", stalled: true,
	},
	"a pause": {
		change: func(s *scope.Scope) { s.Input.Suspended = true }, reason: v1alpha1.ReasonSuspended, says: "spec.suspend",
	},
	"somebody else's intent": {
		change: func(s *scope.Scope) {
			s.Pair.Intent = &rotation.Intent{ID: "x", Holder: rotation.Holder{Outbox: "other"}, Spends: "refresh"}
		},
		reason: v1alpha1.ReasonOutcomeUnknown, says: "Another replica has begun an exchange",
	},
	"an exchange of this process for a former resource": {
		change: func(s *scope.Scope) {
			s.Pair.Intent = &rotation.Intent{ID: "x", Spends: "refresh"}
			s.Input.IntentAtWork = true
		},
		reason: v1alpha1.ReasonOutcomeUnknown, says: "still at work on an exchange",
	},
	"neither a pair nor a seed": {
		change: func(s *scope.Scope) { s.Pair, s.Input.Pair = nil, nil },
		reason: v1alpha1.ReasonRefreshTokenMissing, says: "Authorize the App again and put", stalled: true, unauthorized: true,
	},
	"a seed that is no good": {
		change: func(s *scope.Scope) {
			s.Pair, s.Input.Pair = nil, nil
			s.Seed.Problem = &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMalformed, Message: "It is no token.", Stalled: true, Unauthorized: true}
		},
		reason: v1alpha1.ReasonRefreshTokenMalformed, says: "It is no token.", stalled: true, unauthorized: true,
	},
	"a restored pair": {
		change: func(s *scope.Scope) { s.Pair.State.Owner, s.Input.Proof = "uid-0", rules.ProofDead },
		reason: v1alpha1.ReasonPairUnproven, says: v1alpha1.AnnotationAdopt, stalled: true, unauthorized: true,
	},
	"another App": {
		change: func(s *scope.Scope) { s.Input.App = "github.com/Iv2" },
		reason: v1alpha1.ReasonAppChanged, says: "belongs to another App", stalled: true, unauthorized: true,
	},
	"a token that has ended ahead of its expiry": {
		change: func(s *scope.Scope) { s.Pair.State.AccessTokenEnded, s.Pair.State.RenewedAt = true, start },
		reason: v1alpha1.ReasonAccessTokenEnded, says: "no longer accepts the access token",
	},
	"a pair in two Secrets": {
		change: func(s *scope.Scope) {
			s.Input.Misplaced, s.Input.Duplicate, s.Input.MoveNotBefore = true, true, s.Now.Add(time.Minute)
		},
		reason: v1alpha1.ReasonExchanging, says: "Nothing is exchanged until they are one",
	},
	"a failure": {
		change: func(s *scope.Scope) {
			s.Input.RefreshRequestedAt = "now"
			s.Input.Failure = &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "GitHub is down.", RetryAt: start.Add(time.Minute)}
		},
		reason: v1alpha1.ReasonGitHubUnavailable, says: "GitHub is down.",
	},
	"a verdict: missing":    {condemn(rotation.ReasonRefreshTokenMissing), rotation.ReasonRefreshTokenMissing, "holds no refresh token. Authorize", true, true},
	"a verdict: rejected":   {condemn(rotation.ReasonRefreshTokenRejected), rotation.ReasonRefreshTokenRejected, "refused the refresh token", true, true},
	"a verdict: expired":    {condemn(rotation.ReasonRefreshTokenExpired), rotation.ReasonRefreshTokenExpired, "has expired", true, true},
	"a verdict: lost":       {condemn(rotation.ReasonReplyLost), rotation.ReasonReplyLost, "is lost: the reply", true, true},
	"a verdict: revoked":    {condemn(rotation.ReasonRevoked), rotation.ReasonRevoked, "was revoked at GitHub. Authorize", true, true},
	"a verdict: wrong user": {condemn(rotation.ReasonWrongUser), rotation.ReasonWrongUser, "another account than spec.user", true, true},
	"a verdict: nobody":     {condemn(rotation.ReasonUserUnknown), rotation.ReasonUserUnknown, "which account the login belongs to", true, true},
}

func TestExplainHasWordsForEachProblem(t *testing.T) {
	for name, c := range problems {
		t.Run(name, func(t *testing.T) {
			s := explained()
			c.change(s)
			decision := rules.Decide(s.Input)
			if decision.Problem == nil {
				t.Fatalf("nothing is in the way: %+v", decision)
			}
			before := *decision.Problem
			got := Decision(s, decision)
			if got.Reason != c.reason || !strings.Contains(got.Message, c.says) || got.Stalled != c.stalled || got.Unauthorized != c.unauthorized {
				t.Errorf("got %+v", got)
			}
			if told := !got.RetryAt.IsZero(); told == s.Input.IntentAtWork && decision.Action == rotation.ActionWait || told && !got.RetryAt.Equal(decision.At) {
				t.Errorf("the next try is told to be at %s, and it is at %s", got.RetryAt, decision.At)
			}
			if *decision.Problem != before {
				t.Error("the decision was changed")
			}
		})
	}
	if got := Decision(explained(), rules.Decide(explained().Input)); got != nil {
		t.Errorf("of nothing it tells %+v", got)
	}
}

// The table above has all of them: no reason stands in the rules of Decide, or is a verdict, that it does not try.
func TestExplainIsTriedWithEachReasonOfDecide(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range problems {
		tried[c.reason] = true
	}
	reasons := 0
	for _, path := range []string{"../../internal/rotation/rules/secret.go", "../../internal/rotation/rules/exchange.go", "../../internal/rotation/settle.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			selected, ok := node.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(selected.Sel.Name, "Reason") {
				return true
			}
			if from, ok := selected.X.(*ast.Ident); !ok || from.Name != "v1alpha1" {
				return true
			}
			reasons++
			if reason := strings.TrimPrefix(selected.Sel.Name, "Reason"); !tried[reason] {
				t.Errorf("nothing is tried for %s", reason)
			}
			return true
		})
	}
	if reasons < 14 {
		t.Errorf("%d reasons were found", reasons)
	}
}
