package scope

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

func TestAppVeilsWhatItsAdministratorHasToMend(t *testing.T) {
	missing := &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Message: "Secret x has no key y.", Stalled: true, OfApp: true}
	refused := &problem.Problem{Reason: v1alpha1.ReasonIncorrectClientCredentials, Message: "The client secret is wrong.", OfApp: true}
	limited := &problem.Problem{Reason: v1alpha1.ReasonRateLimited, Message: "Wait."}
	for name, c := range map[string]struct {
		app  App
		of   *problem.Problem
		want problem.Problem
	}{
		"of another's App":            {App{Veiled: true}, missing, problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: AppNotUsable, Stalled: true, OfApp: true}},
		"that is tried again":         {App{Veiled: true}, refused, problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: AppNotUsableYet, OfApp: true}},
		"of one's own it is told":     {App{}, missing, *missing},
		"what is not the App's is so": {App{Veiled: true}, limited, *limited},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.app.Veil(c.of); *got != c.want {
				t.Errorf("got %+v", *got)
			}
		})
	}
	if missing.Message != "Secret x has no key y." {
		t.Error("the problem itself was changed")
	}
	if (App{Veiled: true}).Veil(nil) != nil {
		t.Error("nothing is a problem")
	}
}

func TestAppKeyIsTheSameHoweverItIsSpelt(t *testing.T) {
	want := AppKey("", "Iv23liEXAMPLE")
	for _, host := range []string{"github.com", "GitHub.com", "github.com:443", "github.com/api/v3"} {
		if got := AppKey(host, "iv23liexample"); got != want {
			t.Errorf("%s is %s, want %s", host, got, want)
		}
	}
	for _, other := range []string{AppKey("github.com:8443", "Iv23liEXAMPLE"), AppKey("", "Iv23liEXAMPLE2"), AppKey("octo.ghe.com", "Iv23liEXAMPLE")} {
		if other == want {
			t.Errorf("%s is the same", other)
		}
	}
}
