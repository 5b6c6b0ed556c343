package loginpage

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
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
	end, ok := p.limits.BeginList(who.Account, p.now())
	if !ok {
		return p.stopped(r, whyLimited)
	}
	defer end()
	select {
	case p.listing <- struct{}{}:
		defer func() { <-p.listing }()
	case <-time.After(listWait):
		return p.stopped(r, whyUnavailable)
	case <-r.Context().Done():
		return p.stopped(r, whyUnavailable)
	}
	found, err := p.cluster.tokensOf(r.Context(), who.Account, asked, p.tokenView)
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
		shownGroup := namespaceView{Name: group.Namespace, Tokens: group.Tokens}
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
		view.App = plain(spec.Ref.Kind + " " + spec.Ref.Name)
	}
	for _, output := range token.AllOutputs() {
		view.Secrets = append(view.Secrets, plain(output.Name))
	}
	if login := token.Status.Login; login != nil && login.Time != nil {
		view.Since = dated(login.Time)
	}
	if ends := token.Status.AccessTokenExpirationTime; ends != nil {
		view.Until = dated(ends)
	}
	view.State, view.Living = stateOf(token)
	return view
}

func dated(at *metav1.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }

// stateOf is how a token stands, in words of the page's own, and whether its end can be asked for. What has become of a revocation is what the
// operator says of this login, and nothing is concluded from anything else.
func stateOf(token *v1alpha1.GitHubUserToken) (state string, living bool) {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	switch revocation := token.Status.Login.Revocation; {
	case revocation == v1alpha1.LoginRevocationRevoked:
		return "Ended: GitHub has revoked its tokens", false
	case revocation == v1alpha1.LoginRevocationGivenUp:
		return "Not renewed any more, but GitHub has not revoked it: it may work until it expires", false
	case revocation == v1alpha1.LoginRevocationRevoking:
		return "Being revoked at GitHub, and works until that is done", false
	case revocation == v1alpha1.LoginRevocationAsked, isAskedToEnd(token):
		return "In use; its end is asked for", false
	case authorized != nil && authorized.Status == metav1.ConditionFalse && (authorized.Reason == v1alpha1.ReasonRevoked || authorized.Reason == v1alpha1.ReasonRevokedOnRequest):
		return "Not renewed any more: the cluster says that it has ended; your settings at GitHub tell for sure", true
	case token.Spec.Suspend:
		return "Not renewed while it is suspended; what there is of it may still work", true
	case authorized != nil && authorized.Status == metav1.ConditionFalse:
		return "Waits for a new login; what is left of this one may still work", true
	case meta.IsStatusConditionFalse(token.Status.Conditions, v1alpha1.ConditionReady):
		return "The cluster says that no token of it works at present", true
	default:
		return "In use; renewed until you or they end it", true
	}
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
	Action, Code, UID, Login string
	Back                     string
	// Revocation is how far it has come, Asked that its end was asked for, and Gone that this was taken away again. Again is where that
	// can be looked at once more.
	Revocation  string
	Asked, Gone bool
	Again       string
	// Settings is where the person revokes the App at GitHub.
	Settings string
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
	login := token.Status.Login
	view.Revocation, view.Asked = string(login.Revocation), isAskedToEnd(token)
	if found, why := p.findApp(r.Context(), token); why == "" {
		view.Settings = revokePage(found)
	}
	if view.Living {
		view.Action, view.UID, view.Login = view.Open, string(token.UID), login.ID
		view.Code = revokeCode(visit, who, name, view.UID, view.Login)
	}
	looks, pressed := readLooks(r, visit, who, name, login.ID)
	view.Gone = pressed && !view.Asked && login.Revocation == ""
	isGoingOn := view.Asked && view.Revocation == "" || login.Revocation == v1alpha1.LoginRevocationAsked || login.Revocation == v1alpha1.LoginRevocationRevoking
	if isGoingOn {
		view.Again = p.address.to(lookPath(visit, who, name, login.ID, 0))
	}
	a := shown("shown", "token", view)
	if isGoingOn && pressed && looks < maxLooks {
		a.refresh, a.refreshAfter = p.address.to(lookPath(visit, who, name, login.ID, looks+1)), revokeLook
	}
	return a
}

const (
	// revokeLook is after how many seconds the page of somebody who has pressed looks again, and maxLooks how often it does by itself.
	revokeLook = 3
	maxLooks   = 20
)

// lookPath is the page of a token for whoever has asked in this browser for the end of a login, after so many looks.
func lookPath(visit hidden, who identity, name resourceName, login string, looks int) string {
	values := url.Values{"asked": {askedSeal(visit, who, name, login)}, "look": {strconv.Itoa(looks)}}
	return pathToken + name.key().String() + "?" + values.Encode()
}

func askedSeal(visit hidden, who identity, name resourceName, login string) string {
	return sealed(visit, "has asked", who.Account, name.namespace, name.name, login)
}

// readLooks is how often the page of somebody who has pressed was looked at; pressed is false of anybody else, and of another login.
func readLooks(r *http.Request, visit hidden, who identity, name resourceName, login string) (looks int, pressed bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, false
	}
	seal, _ := single(query, "asked")
	text, _ := single(query, "look")
	looks, err = strconv.Atoi(text)
	return looks, err == nil && looks >= 0 && same(seal, askedSeal(visit, who, name, login))
}

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

// revokeCode shows that the form which ends a token was shown to this browser, for this account and login.
func revokeCode(visit hidden, who identity, name resourceName, uid, login string) string {
	return sealed(visit, "revoke", who.Account, name.namespace, name.name, uid, login)
}

// revoke is POST /tokens/of/NAMESPACE/NAME: the operator is asked to revoke the login that was shown, by one annotation. It is for that login of
// that account whatever else of the resource changes, which whoever may write it could do each second, and for no other, since its value names them.
func (p *Page) revoke(r *http.Request, rest string) answer {
	who, visit, ok := p.whoOf(r)
	if !ok {
		return p.stopped(r, whyNoWho)
	}
	name, ok := nameOf(rest)
	uid, login := field(r, "uid"), field(r, "login")
	if !ok || !same(field(r, "code"), revokeCode(visit, who, name, uid, login)) {
		return p.stopped(r, whyForm)
	}
	on := lookPath(visit, who, name, login, 0)
	for range maxTries {
		token, reason := p.own(r, name, who)
		switch {
		case reason == whyUnavailable:
			p.pause(r.Context(), betweenTries)
			continue
		case reason != "":
			return p.stopped(r, reason)
		case string(token.UID) != uid || token.Status.Login.ID != login:
			return p.changed(p.address.to(pathToken + name.key().String()))
		case isAskedToEnd(token), token.Status.Login.Revocation != "": // By an earlier try, of which the answer was lost.
			return p.onTo("asked", on)
		}
		token.ResourceVersion = "" // Under any: the API server itself tries again when somebody else was first.
		err := p.cluster.set(r.Context(), token, v1alpha1.AnnotationRevocationRequested, who.Account+" "+login)
		if err == nil {
			p.log.Info("The revocation of a login was asked for by its person", "namespace", name.namespace, "name", name.name)
			return p.onTo("asked", on)
		}
		p.log.Error(err, "A revocation could not be asked for", "namespace", name.namespace, "name", name.name)
		if isForbidden(err) {
			break
		}
		p.pause(r.Context(), betweenTries)
	}
	return p.stopped(r, whyUnavailable)
}
