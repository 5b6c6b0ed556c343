package standing

import (
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
)

func TestPlainLeavesOutWhatIsForThoseWithoutThePlugin(t *testing.T) {
	for message, want := range map[string]string{
		"GitHub does not answer. The next try is at 2027-02-03T12:00:00Z.": "GitHub does not answer. The next try is at 2027-02-03T12:00:00Z.",
		"": "",
		"Nobody entered a code. To get another code, set the annotation githubusertoken.dev/refresh-requested-at to any new value.":                                                                             "Nobody entered a code.",
		`Nobody entered a code. To get another code, set the annotation githubusertoken.dev/refresh-requested-at to any new value. Or put a new refresh token into key "a" of Secret "b".`:                      `Nobody entered a code. Put a new refresh token into key "a" of Secret "b".`,
		"It was refused. It is presented once more at 12:00; set the annotation githubusertoken.dev/refresh-requested-at to a new value to have that done now.":                                                 "It was refused. It is presented once more at 12:00.",
		"The operator offers a code to enter at GitHub from 12:00 on, or as soon as the annotation githubusertoken.dev/refresh-requested-at is set to a new value.":                                             "The operator offers a code to enter at GitHub from 12:00 on.",
		"Open the page of status.webLogin.authorizeURL in a browser and authorize the App before 12:00. Log in with a browser: set the annotation githubusertoken.dev/x, and open the page of status.webLogin.": "A login in a browser has begun, in which the App is to be authorized before 12:00.",
		"No login was begun for the annotation githubusertoken.dev/web-login-requested: it is too long.":                                                                                                        "No login was begun: it is too long.",
		"It came from elsewhere. If you know that nobody has used it, set the annotation githubusertoken.dev/adopt to the UID of this resource. Otherwise: Authorize the App again.":                            "It came from elsewhere. Authorize the App again.",
		`Secret "a.b" belongs to somebody else, v1.2 of it. "x" is not touched. Delete it.`:                                                                                                                     `Secret "a.b" belongs to somebody else, v1.2 of it. "x" is not touched. Delete it.`,
		"Nobody is logged in. Open the link of status.authorization.loginURL in a browser, and log in as octocat.":                                                                                              "Nobody is logged in.",
		`The access token works. The annotation githubusertoken.dev/hold-until is ignored: "x" is no time such as 2026-03-04T05:06:07Z.`:                                                                        `The access token works. The hold is ignored: "x" is no time such as 2026-03-04T05:06:07Z.`,
		"Whatever the annotation githubusertoken.dev/of-a-later-version says stays.":                                                                                                                            "Whatever the annotation githubusertoken.dev/of-a-later-version says stays.",
	} {
		if got := Plain(message); got != want {
			t.Errorf("of %q is left %q, want %q", message, got, want)
		}
	}
}

// The operator's own words, whatever becomes of them: no person is to set an annotation or to read the status, and why they are needed is told.
func TestPlainOfTheOperatorsWordsNamesNoAnnotation(t *testing.T) {
	both := []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow}
	for _, methods := range [][]v1alpha1.LoginMethod{nil, both[:1], both[1:], both} {
		for _, ref := range []*v1alpha1.RefreshTokenReference{nil, {Name: "seed", Key: "refresh_token"}} {
			token := resource()
			token.Spec.Login, token.Spec.RefreshTokenRef = &v1alpha1.Login{Methods: methods}, ref
			for _, reason := range []string{
				v1alpha1.ReasonRefreshTokenMissing, v1alpha1.ReasonRefreshTokenMalformed, v1alpha1.ReasonRefreshTokenRejected, v1alpha1.ReasonRefreshTokenExpired,
				v1alpha1.ReasonReplyLost, v1alpha1.ReasonRevoked, v1alpha1.ReasonWrongUser, v1alpha1.ReasonUserUnknown, v1alpha1.ReasonAuthorizationDenied,
				v1alpha1.ReasonAuthorizationExpired, v1alpha1.ReasonAppChanged, v1alpha1.ReasonPairUnproven,
			} {
				message := words.NeedsHuman(token, reason).Message + words.Again(now.Add(time.Hour))
				said := Plain(message)
				if strings.Contains(said, "annotation") || strings.Contains(said, "status.") {
					t.Errorf("%s: it says %q", reason, said)
				}
				why, _, _ := strings.Cut(words.Verdict(reason), ". If you know")
				if !strings.HasPrefix(said, why) || !strings.Contains(said, "presents it once more at") {
					t.Errorf("%s: it does not say why: %q", reason, said)
				}
			}
		}
	}
}

func TestStandingSaysNothingTwice(t *testing.T) {
	long := "GitHub refused the refresh token: it was used before. Enter the code of status.authorization at GitHub; set the annotation githubusertoken.dev/refresh-requested-at to ask for a new code."
	token := resource(expiresIn(-time.Hour),
		condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenRejected),
		condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonRefreshTokenRejected),
		condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonRefreshTokenRejected))
	for i := range token.Status.Conditions {
		token.Status.Conditions[i].Message = long
		if token.Status.Conditions[i].Type == v1alpha1.ConditionReady {
			token.Status.Conditions[i].Message = "The access token expired at 2027-02-03T11:00:00Z. " + long + " The next try is at 2027-02-03T13:00:00Z."
		}
	}
	want := []string{
		"There is no token that works: the last one expired at 2027-02-03 11:00:00Z (1h 00m ago).",
		"GitHub refused the refresh token: it was used before.",
		"The next try is at 2027-02-03T13:00:00Z.",
	}
	if got := Of(token, Pods{}, now).Sentences; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStandingTellsWhatASeedIsToHoldOnce(t *testing.T) {
	token := resource(condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenExpired))
	token.Spec.Login, token.Spec.RefreshTokenRef = nil, &v1alpha1.RefreshTokenReference{Name: "seed", Key: "token"}
	for i := range token.Status.Conditions {
		if token.Status.Conditions[i].Type == v1alpha1.ConditionAuthorized {
			token.Status.Conditions[i].Message = words.NeedsHuman(token, v1alpha1.ReasonRefreshTokenExpired).Message
		}
	}
	s := Of(token, Pods{}, now)
	said := strings.Join(append(s.Sentences, s.ToDo...), "\n")
	if strings.Count(said, "Authorize the App again") != 1 || !strings.Contains(said, `into key "token" of the Secret seed`) {
		t.Errorf("it says\n%s", said)
	}
}

func TestStandingSaysThatNobodyHasLoggedInYet(t *testing.T) {
	for name, c := range map[string]struct {
		had  bool
		says string
	}{"before the first login": {false, "Nobody has logged in yet."}, "when it was taken away": {true, "The pair Secret holds no refresh token."}} {
		token := resource(condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenMissing))
		if !c.had {
			token.Status.LastRefreshTime = nil
		}
		for i := range token.Status.Conditions {
			token.Status.Conditions[i].Message = words.NeedsHuman(token, v1alpha1.ReasonRefreshTokenMissing).Message
		}
		if says := Of(token, Pods{}, now).Sentences; len(says) != 2 || says[1] != c.says {
			t.Errorf("%s it says %q, want %q", name, says, c.says)
		}
	}
}
