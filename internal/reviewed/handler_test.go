package reviewed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// server is an API server as far as the reviews go. It knows scraper and stranger, and lets scraper GET /metrics.
type server struct {
	now             time.Time
	fails           error
	tokens, reviews int
	last            authorizationv1.SubjectAccessReviewSpec
	groups          []string
	allows          bool
}

type (
	tokenReviews  struct{ *server }
	accessReviews struct{ *server }
)

func (s tokenReviews) Create(ctx context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	s.tokens++
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("a review that may take for ever")
	}
	if s.fails != nil {
		return nil, s.fails
	}
	review = review.DeepCopy()
	if token := review.Spec.Token; token == "scraper" || token == "stranger" {
		review.Status.Authenticated = true
		review.Status.User = authenticationv1.UserInfo{Username: token, UID: "1", Groups: s.groups, Extra: map[string]authenticationv1.ExtraValue{"pod": {"a"}}}
	} else {
		review.Status.Error = "the token is unknown"
	}
	return review, nil
}

func (s accessReviews) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	s.reviews++
	s.last = review.Spec
	if s.fails != nil {
		return nil, s.fails
	}
	review = review.DeepCopy()
	what := *review.Spec.NonResourceAttributes
	review.Status.Allowed = s.allows && review.Spec.User == "scraper" && what == authorizationv1.NonResourceAttributes{Verb: "get", Path: "/metrics"}
	return review, nil
}

func newFixture() (*server, http.Handler) {
	s := &server{now: time.Unix(1, 0), allows: true}
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "metrics") })
	return s, NewHandler(Options{Tokens: tokenReviews{s}, Access: accessReviews{s}, Now: func() time.Time { return s.now }}, next)
}

func ask(t *testing.T, handler http.Handler, method, path, authorization string) int {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if served := recorder.Body.String() == "metrics"; served != (recorder.Code == http.StatusOK) {
		t.Errorf("%s %s by %q is answered with %d and %q", method, path, authorization, recorder.Code, recorder.Body)
	}
	return recorder.Code
}

func TestReviewedAreWhomTheAPIServerKnowsAndAllows(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, authorization string
		want                        int
	}{
		"somebody who may":            {"GET", "/metrics", "Bearer scraper", http.StatusOK},
		"in any case":                 {"GET", "/metrics", "bearer  scraper ", http.StatusOK},
		"somebody who may not":        {"GET", "/metrics", "Bearer stranger", http.StatusForbidden},
		"another verb":                {"POST", "/metrics", "Bearer scraper", http.StatusForbidden},
		"another path":                {"GET", "/debug", "Bearer scraper", http.StatusForbidden},
		"somebody unknown":            {"GET", "/metrics", "Bearer nobody", http.StatusUnauthorized},
		"nobody":                      {"GET", "/metrics", "", http.StatusUnauthorized},
		"a token that is empty":       {"GET", "/metrics", "Bearer ", http.StatusUnauthorized},
		"a password":                  {"GET", "/metrics", "Basic scraper", http.StatusUnauthorized},
		"more than a token":           {"GET", "/metrics", "Bearer scraper stranger", http.StatusUnauthorized},
		"a token without its scheme":  {"GET", "/metrics", "scraper", http.StatusUnauthorized},
		"a token that only begins so": {"GET", "/metrics", "Bearer scrap", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			_, handler := newFixture()
			for range 2 { // What is remembered is the same.
				if got := ask(t, handler, c.method, c.path, c.authorization); got != c.want {
					t.Errorf("status %d, want %d", got, c.want)
				}
			}
		})
	}
}

func TestReviewedAreAskedAboutAsTheyAreKnown(t *testing.T) {
	s, handler := newFixture()
	s.groups = []string{"a-group"}
	ask(t, handler, "GET", "/metrics", "Bearer scraper")
	if s.last.User != "scraper" || s.last.UID != "1" || !slices.Equal(s.last.Groups, []string{"a-group", authenticated}) || s.last.Extra["pod"][0] != "a" {
		t.Errorf("the API server is asked about %+v", s.last)
	}
}

func TestReviewedAreRememberedForAWhile(t *testing.T) {
	s, handler := newFixture()
	expect := func(when string, after time.Duration, token string, want, tokens int) {
		t.Helper()
		s.now = s.now.Add(after)
		if got := ask(t, handler, "GET", "/metrics", "Bearer "+token); got != want || s.tokens != tokens {
			t.Errorf("%s: status %d after %d reviews, want %d after %d", when, got, s.tokens, want, tokens)
		}
	}
	expect("at first", 0, "scraper", http.StatusOK, 1)
	s.allows = false
	expect("just before it is asked again", allowedFor-1, "scraper", http.StatusOK, 1)
	expect("when it is asked again", 1, "scraper", http.StatusForbidden, 2)
	s.allows = true
	expect("who was refused", refusedFor-1, "scraper", http.StatusForbidden, 2)
	expect("who may by now", 1, "scraper", http.StatusOK, 3)
	s.fails = errors.New("the API server is away")
	expect("while it is away", 0, "scraper", http.StatusOK, 3)
	expect("when it is away for longer", allowedFor, "scraper", http.StatusInternalServerError, 4)
	s.fails = nil
	expect("when it is back", 0, "scraper", http.StatusOK, 5)
}

// Whoever makes up tokens takes no memory by it, and does not have the API server asked about scrapers.
func TestReviewedStrangersAreBounded(t *testing.T) {
	s, handler := newFixture()
	ask(t, handler, "GET", "/metrics", "Bearer scraper")
	for i := range 10 * maxVerdicts {
		ask(t, handler, "GET", "/metrics", fmt.Sprint("Bearer stranger", i))
	}
	if n := remembered(t, handler); n > maxVerdicts {
		t.Errorf("%d are remembered", n)
	}
	before := s.tokens
	if got := ask(t, handler, "GET", "/metrics", "Bearer scraper"); got != http.StatusOK || s.tokens != before {
		t.Errorf("status %d, after %d further reviews", got, s.tokens-before)
	}
}

func remembered(t *testing.T, of http.Handler) int {
	t.Helper()
	h, ok := of.(*handler)
	if !ok {
		t.Fatalf("it is a %T", of)
	}
	return len(h.known.known)
}
