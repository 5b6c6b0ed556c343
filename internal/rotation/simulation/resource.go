package simulation

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Each resource has a namespace of its own, in which everything has the same name.
const (
	resourceName = "token"
	seedName     = "seed"
	seedKey      = "refresh-token"

	clientSecretName = "client-secret"
	clientSecretKey  = "client_secret"
)

// pairNames are those that a resource asks for, one at a time: the pair moves between them.
var pairNames = [...]string{"pair", "renamed"}

var (
	rightApp = github.App{Host: "github.com", ClientID: "Iv1right"}
	wrongApp = github.App{Host: "github.com", ClientID: "Iv1wrong"}
)

// resource is a GitHubUserToken with its namespace, its seed Secret, and the person whose token it is.
type resource struct {
	number  int
	plain   bool
	rng     *rand.Rand
	chances [faultCount]uint32

	namespace string
	// token is the resource as it stands on the API server; nil while it does not exist. It is never changed in
	// place.
	token       *v1alpha1.GitHubUserToken
	incarnation int
	// backups are the names of the backups of all incarnations.
	backups []rotation.Ref
	account string
	// seed is the token in the seed Secret, and seedVersion its version.
	seed        credential.RefreshToken
	seedVersion string
	logins      int

	// Until when what is wrong stays wrong.
	denied, namespaceGone, misconfigured, saidDead, appRefused moment
	// received are the first pairs of logins that have reached a process.
	received []*issued
	// webhook alters what is written to the Secrets. tried is when a process last saw what it makes of a write.
	webhook webhook
	tried   moment
	// waitsSince is since when it waits for a place; 0 is not at all.
	waitsSince moment
	// damaged is the newest login whose pairs a person may have destroyed.
	damaged int
	// garbled is the newest login of whose chain a person may have made the state unreadable.
	garbled int
	// redacted says that admission has put other values in the place of its tokens and taken away what was known of them.
	redacted bool
	// deleted is when each resource of the name that was deleted was, by its UID.
	deleted map[string]moment
	// forgetful is the newest login that the chain may not know any more, because an old copy was written over it.
	forgetful int
	// knownTo is the process that alone knows of an intent which admission has taken away, nil when there is none, and
	// knownOf the newest login that there was then.
	knownTo *life
	knownOf int
	// takenUpAt is when a pair that belonged to nobody, or stood nowhere any more, was last taken up; 0 is never.
	takenUpAt moment
	// overwrittenAt is when a person last wrote a copy over the pair Secret.
	overwrittenAt moment
	// backup is a copy of the pair Secret that a person has made.
	backup *rotation.Pair
	// retained are the incarnations that were deleted with their pair retained.
	retained map[string]bool
	// unheld is the last incarnation that was deleted before it bore the operator's finalizer, so that nothing could be retained.
	unheld string
	// honoured are the values of refresh-requested-at for which a pair was issued and stored.
	honoured map[string]*issued
	// verdicts are those that were seen.
	verdicts map[rotation.Verdict]bool
	// appChanged says that the App was another one for a while.
	appChanged bool
	// loggingIn says that a person is about to log in anew.
	loggingIn bool
	// attending says that a person will look at what stands in the way.
	attending bool
	// pasted says that a person has put something into the pair Secret that may count as a login.
	pasted bool
	// codePasted says that a person has put something there in the place of a device code.
	codePasted bool
	// formerSeed is the token that was in the seed Secret before.
	formerSeed credential.RefreshToken
	// shown is the code that a person was shown last.
	shown string
	// codesSent counts the codes of the web flow that were sent for it.
	codesSent int
	// browsed is the attempt to log in by the web flow whose page was opened last, and disappointed the request that was last seen to
	// come to nothing. attempts is of how many the page was opened. webCodes are the codes that GitHub has given out.
	browsed, disappointed string
	attempts              int
	// refusals counts the tokens sent for it that GitHub has refused.
	refusals int
	webCodes []*webCode
	// told is what a report has told last of the login that its pair goes back to, and toldOf which of its logins that is; asked are the
	// logins whose end was asked for by what was told, and by which annotation. takenDown is when that was written, and takenDownFor for which incarnation.
	told         *v1alpha1.LoginReport
	toldOf       int
	asked        map[int]string
	takenDown    map[int]moment
	takenDownFor map[int]string
	// pastedLogins are those whose refresh token a person has put into the pair Secret.
	pastedLogins map[int]bool
	// pastedOver are pairs of logins that were to end when a person put another one in their place.
	pastedOver []*issued
	// warned says that an event has told of a token which outlives its resource.
	warned bool

	rotations, writes int
}

// usesCodes, usesWeb and usesSeed say by which ways a resource gets its logins.
func (r *resource) usesCodes() bool { return !r.plain && (r.number%10 == 3 || r.number%10 == 4) }
func (r *resource) usesWeb() bool   { return !r.plain && (r.number%10 == 5 || r.number%10 == 6) }
func (r *resource) usesSeed() bool  { return r.plain || r.number%10 != 3 && r.number%10 != 6 }

// owner is the resource of an incarnation, as pairs name it.
func (r *resource) owner(incarnation int) rotation.Owner {
	return rotation.Owner{Namespace: r.namespace, Name: resourceName, UID: r.namespace + "-" + strconv.Itoa(incarnation)}
}

// isNow reports whether a resource is there to stay. One that goes takes its fence with it.
func (r *resource) isNow(owner rotation.Owner) bool {
	return r.is(owner.UID) && !r.isDeleting()
}

// outlives reports whether a process works for a resource that was deleted, because its caches still show it, and had not dealt with it before
// that: of what went with it, or was put in its place since, it has not heard.
func (r *resource) outlives(l *life, owner rotation.Owner) bool {
	deleted, was := r.deleted[owner.UID]
	first, reported := l.reported[owner.UID]
	return was && (!reported || first > deleted)
}

func (r *resource) is(uid string) bool { return r.token != nil && string(r.token.UID) == uid }

func (r *resource) isDeleting() bool {
	return r.token != nil && !r.token.DeletionTimestamp.IsZero()
}

// retains reports whether a resource leaves its pair behind when it is deleted.
func (r *resource) retains() bool {
	return r.token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain
}

func (r *resource) appNow() github.App {
	if r.token == nil {
		return rightApp
	}
	return github.App{Host: r.token.Spec.App.Host, ClientID: r.token.Spec.App.ClientID}
}

// ref is where the resource asks for its pair, or would.
func (r *resource) ref() rotation.Ref {
	name := pairNames[0]
	if r.token != nil {
		name = r.token.Spec.Secret.Name
	}
	return rotation.Ref{Namespace: r.namespace, Name: name}
}

// refs are the names that Secrets in a resource's namespace can have: the one that is asked for first.
func (r *resource) refs() []rotation.Ref {
	refs := append(make([]rotation.Ref, 0, len(pairNames)+r.incarnation), r.ref())
	for _, name := range pairNames {
		if name != refs[0].Name {
			refs = append(refs, rotation.Ref{Namespace: r.namespace, Name: name})
		}
	}
	for len(r.backups) < r.incarnation {
		r.backups = append(r.backups, r.owner(len(r.backups)+1).BackupRef())
	}
	return append(refs, r.backups...)
}

func keyOf(ref rotation.Ref) string { return ref.Namespace }

// create makes the resource, anew.
func (w *world) create(res *resource) {
	res.incarnation++
	owner := res.owner(res.incarnation)
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.Namespace, Name: owner.Name, UID: types.UID(owner.UID), ResourceVersion: w.api.next(), Generation: 1,
			CreationTimestamp: metav1.NewTime(epoch.Add(w.now)),
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:    v1alpha1.App{Host: rightApp.Host, ClientID: rightApp.ClientID},
			Secret: v1alpha1.SecretTemplate{Name: pairNames[0]},
		},
	}
	if res.usesSeed() {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: seedName, Key: seedKey}
	}
	if res.usesCodes() {
		token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}}
		if res.number%2 == 1 { // Some are as old as the field that came before.
			token.Spec.Login, token.Spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
		}
	}
	if res.usesWeb() {
		token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
		token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: clientSecretName, Key: clientSecretKey}
		token.Annotations = map[string]string{v1alpha1.AnnotationWebLoginRequested: fmt.Sprintf("request-%d %s", w.now, webCallback)}
	}
	if res.number%10 == 1 && !res.plain {
		token.Spec.CheckInterval = &metav1.Duration{Duration: 5 * time.Minute}
	}
	if w.chance().IntN(3) == 0 {
		token.Spec.User = &v1alpha1.UserSelector{Login: res.account}
	}
	res.token = token
	w.tellToken(res)
}

// respec edits the resource's spec, if it exists.
func (w *world) respec(res *resource, edit func(*v1alpha1.GitHubUserTokenSpec)) {
	w.change(res, func(token *v1alpha1.GitHubUserToken) {
		token.Generation++
		edit(&token.Spec)
	})
}

// change edits the resource's metadata, if it exists.
func (w *world) change(res *resource, edit func(*v1alpha1.GitHubUserToken)) {
	if res.token == nil {
		return
	}
	next := res.token.DeepCopy()
	edit(next)
	if !res.isDeleting() && next.DeletionTimestamp != nil && len(next.Finalizers) == 0 {
		res.unheld = string(next.UID)
	}
	next.ResourceVersion = w.api.next()
	res.token = next
	w.tellToken(res)
	if res.isDeleting() && len(next.Finalizers) == 0 {
		w.dropResource(next)
	}
}

func (w *world) tellToken(res *resource) {
	for _, l := range w.lives {
		l.watch.tokenChanged(res)
	}
}

// dropResource is the end of a resource whose finalizer was taken off.
func (w *world) dropResource(token *v1alpha1.GitHubUserToken) {
	res := w.resources[token.Namespace]
	if !res.is(string(token.UID)) || !res.isDeleting() {
		return
	}
	uid, retains := string(res.token.UID), res.retains() && res.unheld != string(res.token.UID)
	w.tracef("GONE %s", uid)
	if res.token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke {
		w.judgeRevoked(res)
	}
	w.judgeRelease(res, retains)
	w.judgeAskedGone(res)
	if !retains {
		clear(res.retained) // The pairs that former ones have left go with this one.
	}
	res.retained[uid] = retains
	res.token = nil
	w.tellToken(res)
	for _, ref := range res.refs() {
		if o := w.api.secrets[ref]; o != nil && w.api.ownerGone(o.pair) {
			w.collectGarbage(ref)
		}
	}
	w.collectCodes(res, uid)
}

// collectGarbage deletes a Secret whose owner is gone, some time later.
func (w *world) collectGarbage(ref rotation.Ref) {
	w.after(w.between(time.Second, 30*time.Second), func() {
		if o := w.api.secrets[ref]; o != nil && w.api.ownerGone(o.pair) && !o.pair.Deleting {
			_ = w.api.remove(garbageCollector, ref, "", "")
		}
	})
}

// logIn is a person authorizing the App: they put the refresh token into the seed Secret or, where there is none,
// ask for a code, which they will enter.
func (w *world) logIn(res *resource, user string) {
	if res.usesWeb() && (!res.usesSeed() || res.rng.IntN(2) == 0) && user == res.account {
		w.askForWebLogin(res)
		return
	}
	if !res.usesSeed() {
		w.change(res, func(token *v1alpha1.GitHubUserToken) { w.annotate(token, v1alpha1.AnnotationRefreshRequestedAt) })
		return
	}
	p := w.gitHub.login(res, user, rightApp.Key())
	w.tracef("SEED %s: login %d of %s", res.namespace, p.login, user)
	w.reseed(res, credential.NewRefreshToken(p.refresh))
}

// reseed puts a refresh token into the seed Secret of a resource.
func (w *world) reseed(res *resource, token credential.RefreshToken) {
	if !res.seed.IsZero() && res.seed != token {
		res.formerSeed = res.seed
	}
	res.seed = token
	res.seedVersion = w.api.next()
	w.tellSeed(res)
}

// unseed deletes the seed Secret of a resource.
func (w *world) unseed(res *resource) {
	res.seed, res.seedVersion = credential.RefreshToken{}, ""
	w.api.version++
	w.tellSeed(res)
}

func (w *world) tellSeed(res *resource) {
	for _, l := range w.lives {
		l.watch.seedChanged(res)
	}
}

// annotate sets an annotation to a value that it never had.
func (w *world) annotate(token *v1alpha1.GitHubUserToken, name string) {
	if token.Annotations == nil {
		token.Annotations = map[string]string{}
	}
	token.Annotations[name] = fmt.Sprint(w.now)
}

// departs reports whether a resource does not exist, or will soon not exist any more.
func (w *world) departs(owner rotation.Owner) bool {
	return !w.resources[owner.Namespace].isNow(owner)
}
