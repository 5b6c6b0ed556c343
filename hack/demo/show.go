package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// show tells a person what happens. It names tokens by the first digits of their
// fingerprints only.
type show struct {
	out io.Writer
	gh  *stage.GitHub
	// rotations counts them by resource, since its login.
	rotations map[types.NamespacedName]int
	// told is what was last said of the conditions of a resource.
	told map[types.NamespacedName]string
	// codes are the user codes that were last shown.
	codes map[types.NamespacedName]string
	// links are the links of the login page that were last shown.
	links map[types.NamespacedName]string
}

func newShow(out io.Writer, gh *stage.GitHub) *show {
	return &show{
		out: out, gh: gh,
		rotations: map[types.NamespacedName]int{}, told: map[types.NamespacedName]string{}, codes: map[types.NamespacedName]string{}, links: map[types.NamespacedName]string{},
	}
}

// seen reports whether each of the resources has seen so many rotations.
func (s *show) seen(resources []types.NamespacedName, wanted int) bool {
	return !slices.ContainsFunc(resources, func(name types.NamespacedName) bool { return s.rotations[name] < wanted })
}

// change tells of a change of a pair Secret, and returns what is wrong with it, if anything.
func (s *show) change(ctx context.Context, change stage.Change) (problem string, err error) {
	switch change.Kind {
	case stage.Deleting:
		s.headline(change.SeenAt, change.Resource, "somebody deletes the Secret")
		return "", nil
	case stage.Gone:
		s.headline(change.SeenAt, change.Resource, "the Secret is gone")
		return "", nil
	case stage.Restored:
		s.headline(change.SeenAt, change.Resource, "the Secret is back with the same pair, and nothing was exchanged")
		return "", nil
	}
	verdict, err := s.gh.Judge(ctx, change)
	if err != nil {
		return "", err
	}
	switch {
	case verdict.IsMadeUp():
		s.headline(change.SeenAt, change.Resource, "somebody has put a token into the Secret that is "+string(stage.NeverIssued))
	case change.Kind == stage.LoggedIn:
		s.rotations[change.Resource] = 0
		s.headline(change.SeenAt, change.Resource, firstPair(change))
	default:
		s.rotations[change.Resource]++
		s.headline(change.SeenAt, change.Resource, fmt.Sprintf("rotation %d: the pair was replaced", s.rotations[change.Resource]))
	}
	s.token("access token", verdict.Replaced, &verdict.Access)
	s.token("refresh token", verdict.Spent, verdict.Refresh)
	if verdict.Replaced != nil {
		s.detail("the Secret was behind GitHub for %d ms", verdict.DeadFor.Milliseconds())
	}
	if !verdict.IsMadeUp() {
		s.detail("%s", timetable(change))
	}
	if problem = verdict.Problem(); problem != "" {
		s.detail("THIS IS WRONG: %s", problem)
	}
	return problem, nil
}

func firstPair(change stage.Change) string {
	if change.Spent.IsZero() {
		return "a person has logged in: the first pair is here"
	}
	return "login imported: the seed was exchanged for the first pair"
}

func timetable(change stage.Change) string {
	if change.ExpiresAt.IsZero() {
		return "it never expires"
	}
	return fmt.Sprintf("next refresh at %s; it expires at %s", clock(change.NextRefreshAt), clock(change.ExpiresAt))
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

func (s *show) headline(at time.Time, name types.NamespacedName, text string) {
	fmt.Fprintf(s.out, "%s  %s  %s\n", at.Format("15:04:05.000"), name, text)
}

func (s *show) detail(format string, args ...any) {
	fmt.Fprintf(s.out, "              "+format+"\n", args...)
}

// token tells of one half of a pair, before and after.
func (s *show) token(what string, before, after *githubtest.TokenState) {
	var parts []string
	for _, part := range []struct {
		when  string
		state *githubtest.TokenState
	}{{"old", before}, {"new", after}} {
		if part.state != nil {
			parts = append(parts, fmt.Sprintf("%s %s %s", part.when, part.state.Fingerprint[:8], alive(part.state)))
		}
	}
	s.detail("%-14s %s", what, strings.Join(parts, " -> "))
}

func alive(state *githubtest.TokenState) string {
	switch {
	case state.Alive:
		return "alive at GitHub"
	case state.Cause == stage.NeverIssued:
		return string(state.Cause)
	default:
		return "dead at GitHub"
	}
}

// report is a version of a resource, or its end if the token is nil.
type report struct {
	name  types.NamespacedName
	token *v1alpha1.GitHubUserToken
}

// report tells of the conditions of a resource when they change.
func (s *show) report(r report) {
	if r.token == nil {
		delete(s.told, r.name)
		s.headline(time.Now(), r.name, "the resource is deleted")
		return
	}
	var says []string
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAuthorized, v1alpha1.ConditionStalled} {
		if condition := meta.FindStatusCondition(r.token.Status.Conditions, kind); condition != nil {
			says = append(says, fmt.Sprintf("%s=%s (%s)", kind, condition.Status, condition.Reason))
		}
	}
	text := strings.Join(says, "  ")
	if text != "" && s.told[r.name] != text {
		s.told[r.name] = text
		s.headline(time.Now(), r.name, text)
	}
	code, link := "", ""
	if authorization := r.token.Status.Authorization; authorization != nil {
		code, link = authorization.UserCode, authorization.LoginURL
	}
	if link != "" && s.links[r.name] != link {
		s.detail("a person is wanted: send %s this link, which works once:\n    %s", r.token.Spec.User.Login, link)
	}
	s.links[r.name] = link
	if code != "" && s.codes[r.name] != code {
		as := ""
		if user := r.token.Spec.User; user != nil && user.Login != "" {
			as = ", sign in as " + user.Login
		}
		s.detail("a person is wanted: open %s%s, and enter the code %s", s.gh.Page(), as, code)
	}
	s.codes[r.name] = code
}
