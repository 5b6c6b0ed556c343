package revokerequest

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxAccount is how long the account of a login may be, as in the schema.
const maxAccount = 288

// reportOf is what a status says of the login of a pair; nil while it is not known whose it is. Anybody who may write the Secret may have
// put other things there; what does not fit is left out.
func reportOf(uid string, pair *rotation.Pair) *v1alpha1.LoginReport {
	if pair == nil || !pair.Controlled || pair.Owner.UID != uid || pair.State.Owner != uid || pair.State.User == nil || pair.State.User.ID <= 0 {
		return nil
	}
	name, host := pair.State.LoginName(), hostOf(&pair.State)
	account := host + "/" + strconv.FormatInt(pair.State.User.ID, 10)
	if name == "" || host == "" || len(account) > maxAccount {
		return nil
	}
	// The name of the login is a hash of a token already. This one is of use for the resource alone.
	sum := sha256.Sum256([]byte("login " + uid + " " + string(name)))
	report := &v1alpha1.LoginReport{Account: account, ID: hex.EncodeToString(sum[:10])}
	if login := pair.State.Login; login != nil && isWithinYears(login.At.Year()) {
		report.Time = new(metav1.NewTime(login.At.Truncate(time.Second))) // As the API server keeps it: otherwise each look would be a write.
	}
	return report
}

// isWithinYears reports whether a time can be written as the API has times.
func isWithinYears(year int) bool { return year > 1970 && year < 9999 }

func hostOf(state *rotation.State) string {
	host, _, _ := strings.Cut(state.App, "/")
	return strings.ToLower(host)
}

// Report is what the status of a resource says of the login that its pair goes back to; nil when there is nothing to say.
func Report(s *scope.Scope) *v1alpha1.LoginReport {
	if s.Input.RolledBack {
		return nil
	}
	report := reportOf(string(s.Token.UID), s.Pair)
	if report != nil {
		report.Revocation = standing(&s.Pair.State, IsWanted(s))
	}
	return report
}

// standing is how far the revocation of the login at which a pair stands has come. What was written down is not undone by a wish that is gone.
func standing(state *rotation.State, asked bool) v1alpha1.LoginRevocation {
	login := state.Login
	switch {
	case !login.IsAsked() && asked:
		return v1alpha1.LoginRevocationAsked
	case !login.IsAsked():
		return ""
	case login.IsOpen(state.AccessToken, state.RefreshToken):
		return v1alpha1.LoginRevocationRevoking
	case login.Revocation.Done && !login.Revocation.GivenUp:
		return v1alpha1.LoginRevocationRevoked
	default:
		return v1alpha1.LoginRevocationGivenUp // Also where somebody has taken the tokens away before GitHub had ended them.
	}
}

// IsAsked reports whether the revocation of the login at which a pair stands is asked for, in the name of its account. What is in
// the status does not count: anybody may have written that.
func IsAsked(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	asked := token.Annotations[v1alpha1.AnnotationRevocationRequested]
	if asked == "" {
		return false
	}
	login := reportOf(string(token.UID), pair)
	return login != nil && asked == login.Account+" "+login.ID
}

// IsWanted reports whether the login at which a pair stands is to end: that is asked for, or it is that of a visit which the login page has left.
func IsWanted(s *scope.Scope) bool { return s.IsLeftVisit() || IsAsked(s.Token, s.Pair) }

// IsToEnd reports whether a pair goes with its resource, and its login is to be revoked before: that is under way, or is asked for.
func IsToEnd(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	if pair == nil || !pair.GoesWith(string(token.UID)) {
		return false
	}
	state := &pair.State
	return state.Login.IsOpen(state.AccessToken, state.RefreshToken) || !state.Login.IsAsked() && IsAsked(token, pair)
}

// Deletion is a resource that is being deleted as its deletion is carried out: a login whose revocation is asked for, or under
// way, is revoked first, whatever the deletion policy. pairs are those of the resource as they are known. Where there is no such login it
// is the very resource.
func Deletion(token *v1alpha1.GitHubUserToken, pairs []*rotation.Pair) *v1alpha1.GitHubUserToken {
	for _, pair := range pairs {
		if IsToEnd(token, pair) {
			token = token.DeepCopy()
			token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
			return token
		}
	}
	return token
}
