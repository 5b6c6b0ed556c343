package callers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const audience = "github-user-token.example.com"

var octocat = types.NamespacedName{Namespace: "team-a", Name: "octocat"}

// apiServer is one that answers reviews.
type apiServer struct {
	status  authenticationv1.TokenReviewStatus
	allowed authorizationv1.SubjectAccessReviewStatus
	err     error
	tokens  int
	access  []authorizationv1.SubjectAccessReviewSpec
	asked   []authenticationv1.TokenReviewSpec
	slow    time.Duration
}

type tokenReviews struct{ *apiServer }

func (s tokenReviews) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	time.Sleep(s.slow)
	s.tokens++
	s.asked = append(s.asked, review.Spec)
	return &authenticationv1.TokenReview{Status: s.status}, s.err
}

type accessReviews struct{ *apiServer }

func (s accessReviews) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	s.access = append(s.access, review.Spec)
	return &authorizationv1.SubjectAccessReview{Status: s.allowed}, s.err
}

func (s *apiServer) callers() *Callers {
	return New(Options{Tokens: tokenReviews{s}, Access: accessReviews{s}, Audience: audience})
}

// ask asks both questions, as the server does.
func ask(ctx context.Context, c *Callers, token string) (Caller, Refusal, error) {
	who, err := c.Identify(ctx, token)
	if err != nil || who.Refusal != "" {
		return who.Caller, who.Refusal, err
	}
	may, err := c.Authorize(ctx, who, octocat)
	return who.Caller, may.Refusal, err
}

// known is what is known of both.
func known(c *Callers, token string, of types.NamespacedName) (Refusal, bool) {
	who, isKnown := c.Known(token)
	if !isKnown || who.Refusal != "" {
		return who.Refusal, isKnown
	}
	may, isKnown := c.KnownAccess(who, of)
	return may.Refusal, isKnown
}

// newAPIServer is one that says yes to a pod.
func newAPIServer() *apiServer {
	return &apiServer{
		status: authenticationv1.TokenReviewStatus{
			Authenticated: true, Audiences: []string{audience},
			User: authenticationv1.UserInfo{
				Username: "system:serviceaccount:agents:runner", UID: "sa-uid", Groups: []string{"system:serviceaccounts"},
				Extra: map[string]authenticationv1.ExtraValue{extraPodName: {"runner-1"}, extraPodUID: {"pod-uid"}, extraNode: {"node-1"}, "other": {"a", "b"}},
			},
		},
		allowed: authorizationv1.SubjectAccessReviewStatus{Allowed: true},
	}
}

// jwt is a token that says so of itself.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func good(lifetime time.Duration) string {
	return jwt(fmt.Sprintf(`{"aud":[%q],"exp":%d}`, audience, time.Now().Add(lifetime).Unix()))
}

func TestTokenServerAsksWhoItIsWithItsAudienceAndThenWhetherTheyMay(t *testing.T) {
	s := newAPIServer()
	token := good(time.Hour)
	caller, refusal, err := ask(t.Context(), s.callers(), token)
	if err != nil || refusal != "" {
		t.Fatalf("refused: %q, %v", refusal, err)
	}
	if want := (Caller{User: "system:serviceaccount:agents:runner", Namespace: "agents", Pod: "runner-1", PodUID: "pod-uid", Node: "node-1"}); caller != want {
		t.Errorf("the caller is %+v, want %+v", caller, want)
	}
	if len(s.asked) != 1 || s.asked[0].Token != token || len(s.asked[0].Audiences) != 1 || s.asked[0].Audiences[0] != audience {
		t.Errorf("asked who it is with %d reviews, for %v", len(s.asked), s.asked[0].Audiences)
	}
	if len(s.access) != 1 {
		t.Fatalf("asked %d times whether they may", len(s.access))
	}
	asked := s.access[0]
	want := authorizationv1.ResourceAttributes{Namespace: "team-a", Name: "octocat", Verb: "get", Group: "githubusertoken.dev", Version: "v1alpha1", Resource: "githubusertokens", Subresource: "token"}
	if *asked.ResourceAttributes != want || asked.NonResourceAttributes != nil {
		t.Errorf("asked about %+v", asked.ResourceAttributes)
	}
	if asked.User != "system:serviceaccount:agents:runner" || asked.UID != "sa-uid" || strings.Join(asked.Groups, " ") != "system:serviceaccounts system:authenticated" || len(asked.Extra["other"]) != 2 {
		t.Errorf("asked about %+v", asked)
	}
}

func TestTokenServerRefusesWhoIsNotAPodThatMay(t *testing.T) {
	pod := func(change func(*authenticationv1.TokenReviewStatus)) func(*apiServer) {
		return func(s *apiServer) { change(&s.status) }
	}
	for name, c := range map[string]struct {
		token  string
		change func(*apiServer)
		want   Refusal
		// reviews are how many TokenReviews and SubjectAccessReviews it takes.
		tokens, access int
	}{
		"no token of an account":              {token: "ghp_made-up", want: NotAccepted},
		"three parts of nothing":              {token: "a.b.c", want: NotAccepted},
		"three parts that are no JSON":        {token: "a.bm8.c", want: NotAccepted},
		"the API server's own audience":       {token: jwt(`{"aud":["https://kubernetes.default.svc"],"exp":4000000000}`), want: WrongAudience},
		"another audience, as a text":         {token: jwt(`{"aud":"vault","exp":4000000000}`), want: WrongAudience},
		"no audience":                         {token: jwt(`{"exp":4000000000}`), want: WrongAudience},
		"the API server does not accept it":   {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.Authenticated = false }), want: NotAccepted, tokens: 1},
		"the answer has another audience":     {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.Audiences = []string{"vault"} }), want: WrongAudience, tokens: 1},
		"the answer has no audience":          {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.Audiences = nil }), want: WrongAudience, tokens: 1},
		"a person":                            {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.User.Username = "octocat@example.com" }), want: NotAccepted, tokens: 1},
		"an account without a namespace":      {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.User.Username = accounts + ":x" }), want: NotAccepted, tokens: 1},
		"a token that is bound to no pod":     {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.User.Extra = nil }), want: NotBound, tokens: 1},
		"a pod without a UID":                 {change: pod(func(s *authenticationv1.TokenReviewStatus) { delete(s.User.Extra, extraPodUID) }), want: NotBound, tokens: 1},
		"two pods":                            {change: pod(func(s *authenticationv1.TokenReviewStatus) { s.User.Extra[extraPodName] = []string{"a", "b"} }), want: NotBound, tokens: 1},
		"RBAC does not grant it":              {change: func(s *apiServer) { s.allowed.Allowed = false }, want: Forbidden, tokens: 1, access: 1},
		"an authorizer denies what RBAC does": {change: func(s *apiServer) { s.allowed.Denied = true }, want: Forbidden, tokens: 1, access: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer()
			if c.change != nil {
				c.change(s)
			}
			token := c.token
			if token == "" {
				token = good(time.Hour)
			}
			_, refusal, err := ask(t.Context(), s.callers(), token)
			if err != nil || refusal != c.want {
				t.Errorf("got %q, %v, want %q", refusal, err, c.want)
			}
			if len(s.asked) != c.tokens || len(s.access) != c.access {
				t.Errorf("it took %d TokenReviews and %d SubjectAccessReviews, want %d and %d", len(s.asked), len(s.access), c.tokens, c.access)
			}
		})
	}
}

func TestTokenServerRemembersAYesForTenSecondsAndANoForOne(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*apiServer)
		lifetime time.Duration
		want     time.Duration
	}{
		"a yes":                           {lifetime: time.Hour, want: 10 * time.Second},
		"a yes that was long in coming":   {lifetime: time.Hour, change: func(s *apiServer) { s.slow = 2 * time.Second }, want: 8 * time.Second},
		"a yes to a token that ends soon": {lifetime: 3 * time.Second, want: 3 * time.Second},
		"a no":                            {lifetime: time.Hour, change: func(s *apiServer) { s.allowed.Allowed = false }, want: time.Second},
		"a no to whoever it is":           {lifetime: time.Hour, change: func(s *apiServer) { s.status.Authenticated = false }, want: time.Second},
		"what could not be asked":         {lifetime: time.Hour, change: func(s *apiServer) { s.err = errors.New("away") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newAPIServer()
				if c.change != nil {
					c.change(s)
				}
				callers, token := s.callers(), good(c.lifetime)
				if _, isKnown := known(callers, token, octocat); isKnown {
					t.Fatal("it is known before anybody has asked")
				}
				_, refusal, err := ask(t.Context(), callers, token)
				if c.want == 0 {
					if _, isKnown := known(callers, token, octocat); isKnown || err == nil {
						t.Errorf("it is known: %t, with the error %v", isKnown, err)
					}
					return
				}
				time.Sleep(c.want - time.Nanosecond)
				if again, isKnown := known(callers, token, octocat); !isKnown || again != refusal {
					t.Errorf("after %s it is %q, known: %t", c.want, again, isKnown)
				}
				for _, other := range []types.NamespacedName{{Namespace: "team-a", Name: "monalisa"}, {Namespace: "team-b", Name: "octocat"}, {Namespace: "team-aoctocat"}} {
					if _, isKnown := known(callers, token, other); isKnown && refusal != NotAccepted { // Who it is does not depend on it.
						t.Errorf("it is known of %s too", other)
					}
				}
				if _, isKnown := known(callers, token+"x", octocat); isKnown {
					t.Error("it is known of another token too")
				}
				time.Sleep(time.Nanosecond)
				if _, isKnown := known(callers, token, octocat); isKnown {
					t.Errorf("it is known for longer than %s", c.want)
				}
			})
		})
	}
}

// A later no takes the place of a yes at once.
func TestTokenServerLaterAnswerTakesThePlaceOfTheOneBefore(t *testing.T) {
	s := newAPIServer()
	callers, token := s.callers(), good(time.Hour)
	for _, allowed := range []bool{true, false, true} {
		s.allowed.Allowed = allowed
		if _, _, err := ask(t.Context(), callers, token); err != nil {
			t.Fatal(err)
		}
		if refusal, isKnown := known(callers, token, octocat); !isKnown || (refusal == "") != allowed {
			t.Errorf("allowed: %t, and what is known is %q, %t", allowed, refusal, isKnown)
		}
	}
}

func TestTokenServerRemembersABoundedNumber(t *testing.T) {
	s := newAPIServer()
	callers, mine := s.callers(), good(time.Hour)
	if _, _, err := ask(t.Context(), callers, mine); err != nil {
		t.Fatal(err)
	}
	s.allowed.Allowed, s.status.Authenticated = false, false
	for i := range 2 * maxVerdicts {
		if _, _, err := ask(t.Context(), callers, jwt(fmt.Sprintf(`{"aud":[%q],"jti":%d}`, audience, i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(callers.identities.known); n > maxVerdicts {
		t.Errorf("%d are remembered", n)
	}
	if refusal, isKnown := known(callers, mine, octocat); !isKnown || refusal != "" {
		t.Error("those who are refused have pushed out one who may")
	}
}

// Who asks for one resource after the other, as somebody does who tries names, costs one TokenReview in ten seconds, and what they may not have
// pushes nobody out who may have theirs.
func TestTokenServerLooksUpOnceWhoAsksForManyResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		callers, token := s.callers(), good(time.Hour)
		if _, refusal, err := ask(t.Context(), callers, token); err != nil || refusal != "" {
			t.Fatal(refusal, err)
		}
		s.allowed.Allowed = false
		for i := range 2 * maxVerdicts {
			who, isKnown := callers.Known(token)
			if !isKnown {
				t.Fatal("it is not known who it is")
			}
			if may, err := callers.Authorize(t.Context(), who, types.NamespacedName{Namespace: "team-a", Name: fmt.Sprint("guess-", i)}); err != nil || may.Refusal != Forbidden {
				t.Fatalf("got %q, %v", may.Refusal, err)
			}
		}
		if s.tokens != 1 {
			t.Errorf("%d TokenReviews", s.tokens)
		}
		if n := len(callers.accesses.known); n > maxVerdicts {
			t.Errorf("%d are remembered", n)
		}
		if refusal, isKnown := known(callers, token, octocat); refusal != "" || !isKnown {
			t.Error("what was allowed is forgotten for what was not")
		}
		time.Sleep(AllowedFor)
		if _, isKnown := callers.Known(token); isKnown {
			t.Error("who it is counts for longer than ten seconds")
		}
	})
}

func TestTokenServerIsReadyWhenReviewsCanBeMade(t *testing.T) {
	s := newAPIServer()
	s.status.Authenticated, s.allowed.Allowed = false, false
	if err := s.callers().Ready(t.Context()); err != nil || len(s.access) != 1 {
		t.Errorf("not ready: %v, after %d reviews", err, len(s.access))
	}
	s.err = errors.New("forbidden")
	if err := s.callers().Ready(t.Context()); err == nil {
		t.Error("it is ready though nothing can be asked")
	}
}

func TestTokenServerAudiencesOfAToken(t *testing.T) {
	for token, want := range map[string]string{
		jwt(`{"aud":["a","b"]}`): "a b", jwt(`{"aud":"a"}`): "a", jwt(`{}`): "", jwt(`{"aud":7}`): "", "": "", " " + jwt(`{"aud":"a"}`) + "\n": "a",
	} {
		if got := strings.Join(Audiences(token), " "); got != want {
			t.Errorf("%s is for %q, want %q", token, got, want)
		}
	}
}
