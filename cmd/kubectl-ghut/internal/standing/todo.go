package standing

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// todo is what to do now, as commands where there is one.
func (f *facts) todo(now time.Time) []string {
	state := f.state()
	switch {
	case state == Ready, state == Deleting && !f.late:
		return nil
	case f.isSuspended() && !f.works:
		return []string{f.command("resume")}
	case f.ready == nil, f.late:
		return []string{"kubectl ghut check"}
	case f.authorized != nil && f.authorized.Status == metav1.ConditionFalse && f.authorized.Reason == v1alpha1.ReasonAuthorizationPending:
		if until := f.byLinkUntil(now); until != nil {
			return []string{fmt.Sprintf("Nothing: somebody is logging in by the link of the login page, and has until %s. Another login, as by %s, would take its place.", When(until.Time, now), f.command("login", "--web"))}
		}
		return f.login() // Nothing is wrong.
	case f.authorized != nil && f.authorized.Status == metav1.ConditionFalse:
		return append(f.login(), "Read "+Runbook(f.authorized.Reason))
	case state == Stalled:
		return []string{"Read " + Runbook(f.stalled.Reason)}
	case isTrue(f.trying):
		return []string{"Nothing: the operator tries again by itself. If it lasts, read " + Runbook(f.trying.Reason)}
	default:
		return nil
	}
}

// pageRequest begins the IDs by which the login page asks for logins.
const pageRequest = "p-"

// byLinkUntil is until when somebody has time to log in who has opened the link of the login page; nil where nobody has, or no more.
func (f *facts) byLinkUntil(now time.Time) *metav1.Time {
	login := f.token.Status.WebLogin
	if login == nil || !strings.HasPrefix(login.RequestID, pageRequest) || login.AttemptID == "" || login.Result != "" ||
		login.ExpirationTime == nil || !login.ExpirationTime.After(now) {
		return nil
	}
	return login.ExpirationTime
}

// login is how a person can give the resource a token again.
func (f *facts) login() []string {
	switch f.authorized.Reason {
	case v1alpha1.ReasonPairUnproven:
		adopt := f.command("adopt") + "    # only if nobody else has used the pair since the backup"
		return append(f.byMethod(), adopt)
	case v1alpha1.ReasonDeviceFlowDisabled:
		return []string{"Enable the device flow in the settings of the App"}
	}
	ways := f.byMethod()
	if strings.Contains(f.authorized.Message, " presents it once more at ") {
		ways = append(ways, f.command("refresh")+"    # to have the refused token tried once more now")
	}
	return ways
}

func (f *facts) byMethod() []string {
	var ways []string
	if CanLogIn(f.token) {
		ways = append(ways, f.command("login"))
	}
	if link := f.token.Status.Authorization; link != nil && link.LoginURL != "" {
		// The link itself is not told: what is said here is kept in reports.
		ways = append(ways, f.command("login", "--link")+"    # prints a link to log in by, for whoever has no kubectl")
	}
	if ref := f.token.Spec.RefreshTokenRef; ref != nil {
		ways = append(ways, fmt.Sprintf("Authorize the App again, and put the refresh token of that login into key %q of the Secret %s", cmp.Or(ref.Key, v1alpha1.KeyRefreshToken), ref.Name))
	}
	return ways
}

// CanLogIn reports whether a person can log in from the cluster.
func CanLogIn(token *v1alpha1.GitHubUserToken) bool {
	return token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) || token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow)
}
