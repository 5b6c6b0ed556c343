package visits

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

var now = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

// aVisit is one of an age, and of what was changed of it.
func aVisit(name, browser, visitor string, age time.Duration, changes ...func(*v1alpha1.GitHubUserToken)) v1alpha1.GitHubUserToken {
	visit := New("own", name, v1alpha1.AppReference{Name: "who"}, browser, visitor, "p-request https://login.example.com/callback")
	visit.CreationTimestamp = metav1.NewTime(now.Add(-age))
	for _, change := range changes {
		change(visit)
	}
	return *visit
}

func open(visit *v1alpha1.GitHubUserToken) {
	ends := metav1.NewTime(now.Add(time.Minute))
	visit.Status.WebLogin = &v1alpha1.WebLogin{AttemptID: "a", AuthorizeURL: "https://github.com/", ExpirationTime: &ends}
}

// held is one of which the operator tells no page, as its App may not be used any more.
func held(visit *v1alpha1.GitHubUserToken) {
	open(visit)
	visit.Status.WebLogin.AuthorizeURL = ""
}

func sent(visit *v1alpha1.GitHubUserToken) {
	visit.Annotations[v1alpha1.AnnotationVisitSentAt] = now.Format(time.RFC3339)
}

func redeeming(visit *v1alpha1.GitHubUserToken) {
	visit.Status.WebLogin = &v1alpha1.WebLogin{AttemptID: "a"}
}

func result(of v1alpha1.WebLoginResult) func(*v1alpha1.GitHubUserToken) {
	return func(visit *v1alpha1.GitHubUserToken) { visit.Status.WebLogin = &v1alpha1.WebLogin{Result: of} }
}

func loggedIn(ago time.Duration) func(*v1alpha1.GitHubUserToken) {
	return func(visit *v1alpha1.GitHubUserToken) {
		result(v1alpha1.WebLoginSucceeded)(visit)
		visit.Status.Login = &v1alpha1.LoginReport{Time: new(metav1.NewTime(now.Add(-ago)))}
	}
}

func deleting(visit *v1alpha1.GitHubUserToken) { visit.DeletionTimestamp = new(metav1.NewTime(now)) }

func TestVisitsMakeRoom(t *testing.T) {
	limits := Limits{PerClient: 2, InAll: 3}
	for name, c := range map[string]struct {
		under []v1alpha1.GitHubUserToken
		own   string
		end   []string
		full  bool
	}{
		"there are none":   {},
		"there are places": {under: []v1alpha1.GitHubUserToken{aVisit("a", "x", "here", time.Minute)}},
		"the address is full: its oldest unconfirmed one, and no older one of another": {
			under: []v1alpha1.GitHubUserToken{
				aVisit("newer", "x", "here", time.Minute, open), aVisit("older", "y", "here", 2*time.Minute, open), aVisit("away", "z", "away", 3*time.Minute, open),
			},
			end: []string{"older"},
		},
		"all is full": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "x", "1", time.Minute), aVisit("b", "y", "2", 2*time.Minute), aVisit("c", "z", "3", time.Second)},
			end:   []string{"b"},
		},
		"who has confirmed stays": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "x", "here", 3*time.Minute, redeeming), aVisit("b", "y", "here", time.Minute, open)},
			end:   []string{"b"},
		},
		"a login that has failed does not": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "x", "here", 3*time.Minute, result(v1alpha1.WebLoginLost)), aVisit("b", "y", "here", 4*time.Minute, loggedIn(0))},
			end:   []string{"a"},
		},
		"all have confirmed": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "x", "here", time.Minute, redeeming), aVisit("b", "y", "here", time.Minute, loggedIn(0))},
			full:  true,
		},
		"what is being deleted counts": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "me", "here", time.Minute, deleting), aVisit("b", "me", "here", time.Minute, deleting)},
			full:  true,
		},
		"this browser has begun one a moment ago": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "me", "here", 29*time.Second, open)}, own: "a",
		},
		"it is some time ago": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "me", "here", 30*time.Second, open)}, end: []string{"a"},
		},
		"it came to nothing": {
			under: []v1alpha1.GitHubUserToken{aVisit("a", "me", "here", time.Second, result(v1alpha1.WebLoginRefused))}, end: []string{"a"},
		},
	} {
		room := limits.Room(c.under, "me", "here", now)
		var end []string
		for _, visit := range room.End {
			end = append(end, visit.Name)
		}
		if own := room.Own != nil; own != (c.own != "") || own && room.Own.Name != c.own || room.Full != c.full || !slices.Equal(end, c.end) {
			t.Errorf("%s: own %v, ends %v, full %t", name, room.Own, end, room.Full)
		}
	}
}

func TestVisitsThatWereLeft(t *testing.T) {
	for name, c := range map[string]struct {
		visit v1alpha1.GitHubUserToken
		left  bool
	}{
		"just begun":                           {aVisit("a", "x", "v", time.Minute), false},
		"not answered by the operator":         {aVisit("a", "x", "v", 2*time.Minute), true},
		"begun, and not sent on yet":           {aVisit("a", "x", "v", 179*time.Second, open), false},
		"begun, and never sent on":             {aVisit("a", "x", "v", 3*time.Minute, open), true},
		"begun, and held up":                   {aVisit("a", "x", "v", 3*time.Minute, held), true},
		"at GitHub":                            {aVisit("a", "x", "v", 10*time.Minute, open, sent), false},
		"at GitHub for too long":               {aVisit("a", "x", "v", 15*time.Minute, open, sent), true},
		"nobody has come back in time":         {aVisit("a", "x", "v", 11*time.Minute, sent, result(v1alpha1.WebLoginExpired)), true},
		"confirmed, as by an earlier page":     {aVisit("a", "x", "v", 5*time.Minute, redeeming), false},
		"logged in a moment ago":               {aVisit("a", "x", "v", 10*time.Minute, loggedIn(59*time.Second)), false},
		"logged in, and the tab was closed":    {aVisit("a", "x", "v", 2*time.Minute, loggedIn(time.Minute)), true},
		"logged in, and it is not known since": {aVisit("a", "x", "v", time.Minute, func(v *v1alpha1.GitHubUserToken) { v.Status.Login = &v1alpha1.LoginReport{} }), true},
		"failed, and its person reads why":     {aVisit("a", "x", "v", 3*time.Minute, result(v1alpha1.WebLoginRejected)), false},
	} {
		if got := IsLeft(&c.visit, now); got != c.left {
			t.Errorf("%s: %t", name, got)
		}
	}
}
