package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// webCallback is where everybody's browser is sent back to.
const webCallback = "http://127.0.0.1:8976/callback"

// webCode is a code of the web flow that GitHub has given out.
type webCode struct {
	code, challenge, callback, app, user string
	res                                  *resource
	expires                              moment
	redeemed                             bool
	// doubtful says that it was sent, and that nobody knows what has become of it, or that it is known to be redeemed.
	doubtful bool
	// sentFor is the UID of the resource for which it was sent last. The next one of the name cannot know.
	sentFor string
	// sentAs is which of the codes that were sent for its name it was.
	sentAs int
}

// random makes a text that nobody can guess, by the standards of this world.
func (l *life) random() string {
	return strings.NewReplacer(".", "p", "-", "n").Replace(l.newID()) + "0123456789012345"
}

// askForWebLogin is a person who asks for a login in the browser.
func (w *world) askForWebLogin(res *resource) {
	w.tracef("ASKED %s for a login by the web flow", res.namespace)
	w.change(res, func(token *v1alpha1.GitHubUserToken) {
		w.annotate(token, v1alpha1.AnnotationWebLoginRequested)
		name := v1alpha1.AnnotationWebLoginRequested
		token.Annotations[name] = fmt.Sprintf("request-%d %s", w.now, webCallback)
	})
}

// readWebLogin is a person who looks at what became of what they have asked for.
func (w *world) readWebLogin(res *resource, s *scope.Scope) {
	report := webflow.Report(s)
	switch {
	case report != nil && report.Result == v1alpha1.WebLoginLost && w.isStored(s.Pair):
		w.violate("%s: a login is said to be lost, and its pair is stored", res.namespace)
	case report == nil || string(s.Token.UID) != res.uid():
	case report.AuthorizeURL != "" && res.browsed != report.AttemptID:
		res.browsed = report.AttemptID
		res.attempts++
		w.browse(res, report.AttemptID, report.AuthorizeURL)
	case report.Result != "" && report.Result != v1alpha1.WebLoginSucceeded && res.disappointed != report.RequestID:
		res.disappointed = report.RequestID
		// Where one process finds a verifier that another one is just about to name, it removes it, and the login is begun anew.
		in := time.Second
		if !w.calm {
			in = w.mostly(2*time.Minute, 30*time.Minute)
		}
		w.after(in, func() {
			if res.disappointed == report.RequestID {
				w.askForWebLogin(res)
			}
		})
	}
}

// isStored reports whether a pair Secret holds the very pair that its attempt to log in has brought.
func (w *world) isStored(pair *rotation.Pair) bool {
	p := w.gitHub.names[pair.State.RefreshToken]
	return p != nil && p.generation == 1 && p.minted != nil && p.minted.job.Attempt == pair.State.Web.ID
}

func (r *resource) uid() string {
	if r.token == nil {
		return ""
	}
	return string(r.token.UID)
}

// browse is a person with a browser: most authorize the App, some as another account, and some never.
func (w *world) browse(res *resource, attempt, page string) {
	u, err := url.Parse(page)
	if err != nil || u.Query().Get("redirect_uri") != webCallback || u.Query().Get("state") == "" || u.Query().Get("code_challenge") == "" {
		w.violate("%s: the page %q is not what GitHub wants", res.namespace, page)
		return
	}
	authorize := func(user string) {
		c := w.authorize(res, user, u.Query())
		w.after(w.between(0, 2*time.Second), func() { w.bring(res, attempt, c.code) })
	}
	if w.calm || w.cfg.Faults.isEmpty() {
		w.after(time.Second, func() { authorize(res.account) })
		return
	}
	in := w.mostly(time.Minute, 20*time.Minute)
	switch draw := res.rng.IntN(12); {
	case draw < 8:
		w.after(in, func() { authorize(res.account) })
	case draw == 8:
		w.after(in, func() { authorize("mallory") })
	case draw == 9: // What is brought back is no code of GitHub's.
		w.after(in, func() { w.bring(res, attempt, "no code") })
	case draw == 10: // It is of an earlier login, or of somebody else's.
		of := res
		if res.rng.IntN(2) == 0 {
			of = w.all[res.rng.IntN(len(w.all))]
		}
		w.after(in, func() { w.misuse(res, attempt, of) })
	}
}

// authorize is GitHub's page.
func (w *world) authorize(res *resource, user string, query url.Values) *webCode {
	w.gitHub.serial++
	c := &webCode{
		code: fmt.Sprintf("code_%s_%06d", res.namespace, w.gitHub.serial), challenge: query.Get("code_challenge"), callback: query.Get("redirect_uri"),
		app: github.App{Host: rightApp.Host, ClientID: query.Get("client_id")}.Key(), user: user, res: res, expires: w.now + weblogin.Lifetime,
	}
	w.gitHub.webCodes[c.code] = c
	res.webCodes = append(res.webCodes, c)
	return c
}

// bring is a person who puts a code into the Secret in which the operator looks for it.
func (w *world) bring(res *resource, attempt, code string) {
	w.tracef("BROUGHT %s: %s for %s", res.namespace, code, attempt)
	w.api.setBrought(rotation.Ref{Namespace: res.namespace, Name: v1alpha1.LoginCodeSecretName(attempt)}, code)
}

// misuse is a tenant who brings a code that is not of the attempt that waits: one that was brought before, or somebody else's.
func (w *world) misuse(res *resource, attempt string, of *resource) {
	if len(of.webCodes) > 0 {
		w.bring(res, attempt, of.webCodes[res.rng.IntN(len(of.webCodes))].code)
	}
}

// setBrought stores a code that was brought back, or removes it, and tells all watches.
func (a *apiServer) setBrought(ref rotation.Ref, code string) {
	if code == "" {
		delete(a.brought, ref)
	} else {
		a.brought[ref] = code
	}
	for _, l := range a.world.lives {
		l.watch.broughtChanged(ref, code != "")
	}
}

// broughtChanged brings an event about the Secret of a code that was brought back.
func (wa *watch) broughtChanged(ref rotation.Ref, there bool) {
	wa.deliver(&wa.pairs, keyOf(ref), func() {
		if there {
			wa.brought[ref] = true
		} else {
			delete(wa.brought, ref)
		}
		wa.life.queue.add(keyOf(ref))
	})
}

// LoginCodesFor implements lifecycle.Cache.
func (wa *watch) LoginCodesFor(_ context.Context, owner rotation.Owner) ([]rotation.Ref, error) {
	var refs []rotation.Ref
	for ref := range wa.brought {
		if ref.Namespace == owner.Namespace && weblogin.UIDOf(ref.Name) == owner.UID {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b rotation.Ref) int { return cmp.Compare(a.Name, b.Name) })
	return refs, nil
}

// secretOfCode is the Secret of a code that was brought back; nil when there is none.
func (a *apiServer) secretOfCode(ref rotation.Ref) *seeds.Secret {
	code, there := a.brought[ref]
	if !there {
		return nil
	}
	return &seeds.Secret{Version: "brought/" + code, Ours: true, Data: map[string][]byte{v1alpha1.KeyCode: []byte(code)}}
}

// KeepVerifier implements offer.Verifiers.
func (s store) KeepVerifier(ctx context.Context, owner rotation.Owner, verifier credential.CodeVerifier) error {
	return s.KeepCode(ctx, owner, credential.NewDeviceCode(verifier.Reveal()))
}

// Verifier implements offer.Verifiers.
func (s store) Verifier(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error) {
	code, err := s.Code(ctx, owner, name)
	return credential.NewCodeVerifier(code.Reveal()), err
}

// RedeemCode implements rotation.Redeemer.
func (e exchanger) RedeemCode(ctx context.Context, app github.App, redemption github.Redemption) (*github.Reply, error) {
	w, f := e.life.world, e.life.world.current.attempt
	limit := deadlineOf(ctx, w.now, time.Minute)
	if err := w.sleep(ctx, w.mostly(30*time.Millisecond, 3*time.Second)); err != nil || w.now >= limit {
		return nil, &github.Error{Class: github.Transient, Reason: github.Timeout, Host: app.Host}
	}
	q := w.newRequest(f.res, limit-w.now)
	if q.unreachable {
		return nil, &github.Error{Class: github.Transient, Reason: github.HostUnreachable, Host: app.Host}
	}
	f.deadline, f.answered = limit, false
	c := w.gitHub.webCodes[redemption.Code.Reveal()]
	w.judgeRedemption(f, c, redemption)
	sentAt, ahead := e.life.wall(), e.life.replica.skew
	var reply *github.Reply
	answered := w.roundTrip(ctx, limit, q.out, q.back, func() {
		reply = w.gitHub.redeemCode(f, q, c, redemption, app)
		reply.Date = w.date()
	})
	f.answered = true
	if !answered {
		w.judgeSilence(f)
		return nil, &github.Error{Class: github.Ambiguous, Reason: github.NoReply, Host: app.Host, Sent: true}
	}
	reply.Host, reply.SentAt = app.Host, sentAt
	if f.pair != nil {
		f.pair.ahead = ahead
	}
	if c != nil { // Where it was redeemed before, for an earlier resource of the name, a clear answer leaves no doubt either.
		_, err := reply.Tokens()
		failed, isKnown := errors.AsType[*github.Error](err)
		c.doubtful = !isKnown || failed.Class == github.Ambiguous
	}
	w.judgeReply(f, reply)
	return reply, nil
}

// redeemCode is what happens at GitHub when a redemption arrives.
func (g *gitHub) redeemCode(f *attempt, q request, c *webCode, redemption github.Redemption, app github.App) *github.Reply {
	w := g.world
	say := func(code string) *github.Reply {
		return &github.Reply{Status: http.StatusOK, Body: credential.NewRaw([]byte(`{"error":"` + code + `"}`))}
	}
	switch {
	case q.before != nil:
		return q.before
	case c == nil || c.redeemed || c.app != app.Key() || w.now >= c.expires || c.challenge != github.Challenge(redemption.Verifier):
		return say("bad_verification_code")
	case redemption.RedirectURI != c.callback:
		return say("redirect_uri_mismatch")
	}
	c.redeemed = true
	c.res.logins++
	p := g.issue(&issued{res: c.res, user: c.user, app: c.app, login: c.res.logins, generation: 1, byCode: true})
	w.report.RedeemedOnTheWeb++
	c.res.rotations++
	w.tracef("GITHUB %s: login %d by a code of the web flow", c.res.namespace, p.login)
	return g.reply(f, q, p)
}

// judgeRedemption is asked when a code goes out.
func (w *world) judgeRedemption(f *attempt, c *webCode, redemption github.Redemption) {
	res, name := f.res, f.res.namespace
	w.tracef("REDEEM %s by %s: %s", name, f.life, redemption.Code.Fingerprint().Short())
	if f.outboxFull {
		w.violate("%s: a code was redeemed although its pair could not have been kept", name)
	}
	if f.job.Pair == nil || f.job.Pair.State.Format > rotation.StateFormat {
		w.violate("%s: a code was sent on the strength of a state that a newer version has written", name)
	}
	if f.unfenced || f.fencedAt == 0 {
		w.violate("%s: a code was sent without a fence", name)
	}
	if w.now > f.fencedAt+rotation.IntentTimeout {
		w.violate("%s: a code was sent when its fence was no longer respected", name)
	}
	if redemption.Code.Fingerprint() != f.job.Decision.Spends {
		w.violate("%s: another code was sent than the one that was decided on", name)
	}
	if web := f.job.Pair.State.Web; web == nil || web.ID != f.job.Attempt || web.IsOver(f.decidedAt) || web.Sent != "" || web.Ended != "" {
		w.violate("%s: a code was sent that nobody was waiting for", name)
	}
	w.judgeOutbox(f)
	if c == nil {
		return
	}
	// One that has expired may be forgotten for many others: GitHub takes it for nothing.
	remembered := w.now < c.expires || res.codesSent-c.sentAs < weblogin.MaxCodes
	if c.doubtful && remembered && res.damaged+res.garbled+res.forgetful == 0 && !res.redacted && c.sentFor == f.owner.UID && !res.outlives(f.life, f.owner) {
		w.violate("%s: a code was sent again although nobody knows what has become of it", name)
	}
	res.codesSent++
	c.doubtful, c.sentFor, c.sentAs = true, f.owner.UID, res.codesSent
}

// judgeBrought asks whether codes are left that nobody waits for any more.
func (w *world) judgeBrought(res *resource, pair *rotation.Pair) {
	for ref := range w.api.brought {
		if ref.Namespace == res.namespace && weblogin.UIDOf(ref.Name) == res.uid() && (pair.State.Web == nil || ref.Name != v1alpha1.LoginCodeSecretName(pair.State.Web.ID)) {
			w.violate("%s: the code in Secret %s is left", res.namespace, ref.Name)
		}
	}
}
