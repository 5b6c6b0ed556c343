package loginpage

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/accounttokens"
)

// tokensView fills the list of somebody's tokens.
type tokensView struct {
	Account, Host string
	Namespaces    []namespaceView
	// More is where the list goes on; empty when it does not. Cut says that it does not begin here.
	More           string
	Cut            bool
	Begin          string
	Forget, Code   string
	NamespaceAlone string
}

// namespaceView is what is listed of one namespace. All is where the rest of it is; empty when there is none.
type namespaceView struct {
	Name   string
	Tokens []tokenView
	All    string
}

// tokenView is one resource, as it is told to whose token it is. All of it was made plain.
type tokenView struct {
	Namespace, Name, Open string
	App                   string
	// Since is when its person logged in, and Until when the token ends unless it is refreshed; empty when that is not known.
	Since, Until string
	Secrets      []string
	// RequestedBy and Purpose are claims.
	RequestedBy, Purpose string
	State                string
	// Living says that there is something to end.
	Living bool
}

// showTokens is GET /tokens: to whom this browser was proven to belong, what there is of their account; to anybody else, how to prove it.
func (p *Page) showTokens(r *http.Request, _ string) answer {
	who, visit, ok := p.whoOf(r)
	if !ok {
		fresh := !isSecret(cookieOf(r, cookieVisit))
		a := shown("shown", "visit", visitView{Action: p.address.to(pathTokens), Code: visitCode(visit)})
		if fresh {
			a = a.with(setCookie(cookieVisit, visit.reveal(), visitLifetime))
		}
		return a
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p.stopped(r, whyNotFound)
	}
	asked, ok := p.readPlace(query, visit, who)
	if !ok {
		return p.onTo("place", pathTokens)
	}
	select {
	case p.listing <- struct{}{}:
		defer func() { <-p.listing }()
	case <-time.After(listWait):
		return p.stopped(r, whyUnavailable)
	case <-r.Context().Done():
		return p.stopped(r, whyUnavailable)
	}
	found, err := p.cluster.tokensOf(r.Context(), who.Account, asked)
	if err != nil {
		p.log.Error(err, "The tokens of an account could not be listed")
		return p.stopped(r, whyUnavailable)
	}
	host, _, _ := strings.Cut(who.Account, "/")
	view := tokensView{
		Account: plain(who.Login), Host: plain(host), Begin: p.address.to(pathTokens), Cut: asked != (accounttokens.Place{}),
		Forget: p.address.to(pathTokensForget), Code: forgetCode(visit), NamespaceAlone: asked.Namespace,
	}
	for _, group := range found.Groups {
		shownGroup := namespaceView{Name: group.Namespace}
		for i := range group.Tokens {
			shownGroup.Tokens = append(shownGroup.Tokens, p.tokenView(&group.Tokens[i]))
		}
		if group.More {
			shownGroup.All = p.placeLink(visit, who, accounttokens.Place{Namespace: group.Namespace})
		}
		view.Namespaces = append(view.Namespaces, shownGroup)
	}
	if found.Next != "" {
		view.More = p.placeLink(visit, who, accounttokens.Place{Namespace: asked.Namespace, Next: found.Next})
	}
	return shown("listed", "tokens", view)
}

// placeLink is the address of a place in the list, sealed for this browser and account: what the API server has given out to go on from
// comes back as it was.
func (p *Page) placeLink(visit hidden, who identity, at accounttokens.Place) string {
	next := base64.RawURLEncoding.EncodeToString([]byte(at.Next))
	values := url.Values{"namespace": {at.Namespace}, "next": {next}, "seal": {placeSeal(visit, who, at)}}
	return p.address.to(pathTokens) + "?" + values.Encode()
}

func placeSeal(visit hidden, who identity, at accounttokens.Place) string {
	return sealed(visit, "place", who.Account, at.Namespace, at.Next)
}

func (p *Page) readPlace(query url.Values, visit hidden, who identity) (accounttokens.Place, bool) {
	if len(query) == 0 {
		return accounttokens.Place{}, true
	}
	namespace, _ := single(query, "namespace")
	encoded, _ := single(query, "next")
	seal, _ := single(query, "seal")
	next, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	at := accounttokens.Place{Namespace: namespace, Next: string(next)}
	return at, err == nil && same(seal, placeSeal(visit, who, at))
}

// tokenView is a resource as it is told to whose token it is.
func (p *Page) tokenView(token *v1alpha1.GitHubUserToken) tokenView {
	spec, view := token.Spec.App, tokenView{
		Namespace: token.Namespace, Name: token.Name, Open: p.address.to(pathToken + token.Namespace + "/" + token.Name),
		Secrets:     []string{plain(token.PairSecretName())},
		RequestedBy: plain(token.Annotations[v1alpha1.AnnotationRequestedBy]), Purpose: plain(token.Annotations[v1alpha1.AnnotationPurpose]),
	}
	if view.App = "client ID " + plain(spec.ClientID); spec.Ref != nil {
		view.App = plain(string(spec.Ref.Kind) + " " + spec.Ref.Name)
	}
	for _, output := range token.Spec.Outputs {
		view.Secrets = append(view.Secrets, plain(output.Name))
	}
	if login := token.Status.Login; login != nil && login.Time != nil {
		view.Since = dated(login.Time)
	}
	if ends := token.Status.AccessTokenExpirationTime; ends != nil {
		view.Until = dated(ends)
	}
	view.State, view.Living = p.stateOf(token)
	return view
}

func dated(at *metav1.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }

// stateOf is how a token stands, in words of the page's own, and whether there is something to end. That its end is asked for counts for
// the login that is there now alone.
func (p *Page) stateOf(token *v1alpha1.GitHubUserToken) (state string, living bool) {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	switch {
	case isRevoked(token) && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady):
		return "Ended here, but GitHub has not taken the revocation", false
	case isRevoked(token):
		return "Ended, as you asked", false
	case isAskedToEnd(token):
		return "Being ended, as you asked", false
	case authorized != nil && authorized.Status == metav1.ConditionFalse:
		return "Waits for a new login; what is left of this one may still work", true
	default:
		return "In use; renewed until you or they end it", true
	}
}

func isRevoked(token *v1alpha1.GitHubUserToken) bool {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	return authorized != nil && authorized.Status == metav1.ConditionFalse && authorized.Reason == v1alpha1.ReasonRevokedOnRequest
}

func isAskedToEnd(token *v1alpha1.GitHubUserToken) bool {
	login := token.Status.Login
	return login != nil && same(token.Annotations[v1alpha1.AnnotationRevocationRequested], login.Account+" "+login.ID)
}

// oneView fills the page of one token.
type oneView struct {
	tokenView

	Account, Host string
	// Action is where the form that ends it goes; empty when there is nothing to end. The rest is what it carries.
	Action, Code, UID, Login, Version string
	Back                              string
	// Asked says that its end was asked for, Revoked that it has ended, and Left that GitHub has not taken the revocation, so that
	// the person revokes the App there, at Settings.
	Asked, Revoked, Left bool
	Settings             string
}

// showToken is GET /tokens/of/NAMESPACE/NAME.
func (p *Page) showToken(r *http.Request, rest string) answer {
	who, visit, ok := p.whoOf(r)
	if !ok {
		return p.onTo("unknown", pathTokens)
	}
	name, ok := nameOf(rest)
	if !ok {
		return p.stopped(r, whyNotYours)
	}
	token, reason := p.own(r, name, who)
	if reason != "" {
		return p.stopped(r, reason)
	}
	host, _, _ := strings.Cut(who.Account, "/")
	view := oneView{tokenView: p.tokenView(token), Account: plain(who.Login), Host: plain(host), Back: p.address.to(pathTokens)}
	view.Asked, view.Revoked = isAskedToEnd(token), isRevoked(token)
	view.Left = view.Revoked && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady)
	if found, why := p.findApp(r.Context(), token); why == "" {
		view.Settings = revokePage(found)
	}
	if view.Living {
		view.Action, view.UID, view.Login, view.Version = view.Open, string(token.UID), token.Status.Login.ID, token.ResourceVersion
		view.Code = revokeCode(visit, who, name, view.UID, view.Login, view.Version)
	}
	a := shown("shown", "token", view)
	if view.Asked && !view.Revoked {
		a.refresh, a.refreshAfter = view.Open, revokeLook
	}
	return a
}

// revokeLook is after how many seconds somebody looks again whether a token has ended.
const revokeLook = 3

// own is a resource whose token is somebody's; whether there is one at all is told to nobody else.
func (p *Page) own(r *http.Request, name resourceName, who identity) (*v1alpha1.GitHubUserToken, why) {
	token, err := p.cluster.token(r.Context(), name)
	if err != nil {
		return nil, p.unread(err, name, whyNotYours)
	}
	if token.Status.Login == nil || token.DeletionTimestamp != nil || !same(token.Status.Login.Account, who.Account) {
		return nil, whyNotYours
	}
	return token, ""
}

// revokeCode shows that the form which ends a token was shown to this browser, for this account, login, and version of the resource.
func revokeCode(visit hidden, who identity, name resourceName, uid, login, version string) string {
	return sealed(visit, "revoke", who.Account, name.namespace, name.name, uid, login, version)
}

// revoke is POST /tokens/of/NAMESPACE/NAME: the operator is asked to revoke the login that was shown, by one annotation, under the version that was
// shown. What has become another meanwhile is read again.
func (p *Page) revoke(r *http.Request, rest string) answer {
	who, visit, ok := p.whoOf(r)
	if !ok {
		return p.stopped(r, whyNoWho)
	}
	name, ok := nameOf(rest)
	uid, login, version := field(r, "uid"), field(r, "login"), field(r, "version")
	if !ok || !same(field(r, "code"), revokeCode(visit, who, name, uid, login, version)) {
		return p.stopped(r, whyForm)
	}
	open := p.address.to(pathToken + name.key().String())
	value := who.Account + " " + login
	for range maxTries {
		token, reason := p.own(r, name, who)
		switch {
		case reason == whyUnavailable:
			p.pause(r.Context(), betweenTries)
			continue
		case reason != "":
			return p.stopped(r, reason)
		case string(token.UID) != uid || token.Status.Login.ID != login:
			return p.changed(open)
		case isAskedToEnd(token): // By an earlier try, of which the answer was lost.
			return p.onTo("asked", pathToken+name.key().String())
		case token.ResourceVersion != version:
			return p.changed(open)
		}
		err := p.cluster.set(r.Context(), token, v1alpha1.AnnotationRevocationRequested, value)
		if err == nil {
			p.log.Info("The revocation of a login was asked for by its person", "namespace", name.namespace, "name", name.name)
			return p.onTo("asked", pathToken+name.key().String())
		}
		p.log.Error(err, "A revocation could not be asked for", "namespace", name.namespace, "name", name.name)
		if isForbidden(err) {
			break
		}
		p.pause(r.Context(), betweenTries)
	}
	return p.stopped(r, whyUnavailable)
}
