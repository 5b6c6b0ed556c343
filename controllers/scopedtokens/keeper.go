package scopedtokens

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// GitHub makes scoped tokens. Errors are *github.Error.
type GitHub interface {
	ScopeToken(ctx context.Context, app github.App, token credential.AccessToken, scope github.TokenScope) (github.ScopedToken, error)
}

// Asking keeps to the limit of what is asked with a credential that GitHub is not known to take; see restlimit.Client.
type Asking interface {
	WithSecret(who restlimit.Caller, app github.App, request func() error) error
	RevokeToken(ctx context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) error
	CheckHost(host string) error
}

// Outputs writes and removes outputs, and remembers what is wrong with them; see outputs.Outputs.
type Outputs interface {
	Publish(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair)
	Sync(ctx context.Context, s *scope.Scope, beside outputs.Beside) (found *problem.Problem, requeueAt time.Time, err error)
	Remove(ctx context.Context, token *v1alpha1.GitHubUserToken) error
	Begin(uid types.UID) (end func())
	Find(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error)
	OwnPair(ctx context.Context, s *scope.Scope) (*rotation.Pair, error)
	IsRight(token *v1alpha1.GitHubUserToken, name string, wanted format.Metadata, keys []string, current *metav1.ObjectMeta) bool
	Holds(token *v1alpha1.GitHubUserToken, secret *corev1.Secret, wanted outputs.Content) bool
	Put(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, content outputs.Content, current *metav1.ObjectMeta) (*metav1.ObjectMeta, error)
	Note(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta, state string, holds bool) (*metav1.ObjectMeta, error)
	Let(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) error
	MayBeMadeAnew(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) (bool, error)
	HeldOf(ctx context.Context, name types.NamespacedName) ([]*metav1.ObjectMeta, error)
	Await(uid types.UID, name string, token credential.Fingerprint)
	Came(uid types.UID, name string, token credential.Fingerprint)
	RestartsAt(token *v1alpha1.GitHubUserToken, now time.Time) time.Time
	Delete(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) error
	MayPutRight(uid types.UID, name, wanted string, current *metav1.ObjectMeta) bool
	WasPutRight(uid types.UID, name, wanted string)
	Stands(token *v1alpha1.GitHubUserToken, name string)
	Waits(token *v1alpha1.GitHubUserToken, name string) bool
	Record(token *v1alpha1.GitHubUserToken, name string, found *problem.Problem)
}

// Events records events, as events.EventRecorder does.
type Events interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options configure a Keeper. All but OnPanic and Events are needed.
type Options struct {
	// Enabled has tokens made. Without it outputs with a scope are treated as if nobody asked for them: what an operator with it has
	// made is ended and removed.
	Enabled bool
	GitHub  GitHub
	Asking  Asking
	Outputs Outputs
	// Live reads past the cache.
	Live client.Reader
	// App is the App of a resource, and ClientSecret reads its client secret live; see seeds.Reader.
	App          func(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error)
	ClientSecret func(ctx context.Context, app scope.App) (credential.ClientSecret, *problem.Problem, error)
	// Runner runs the exchanges. The work here runs beside it.
	Runner *runner.Runner
	Memory *memory.Store
	Clock  rotation.Clock
	Events Events
	// OnPanic is told of each panic in the work for one output.
	OnPanic func(types.UID)
}

// Keeper is safe for concurrent use. Make it with New.
type Keeper struct {
	options Options
	// runner runs the work, one piece of a resource at a time. No exchange waits for it.
	runner  *runner.Runner
	notes   memory.Slot[notes]
	budgets budgets
}

// New makes a Keeper.
func New(options Options) *Keeper {
	return &Keeper{options: options, runner: options.Runner.Beside(maxAtOnce), notes: memory.NewSlot[notes](options.Memory)}
}

const (
	// workTime bounds one piece of work, and callTime one request to GitHub.
	workTime, callTime = 15 * time.Second, 10 * time.Second
	// maxAtOnce is how many pieces of work run at once, most of which wait for GitHub.
	maxAtOnce = 128
)

// Publish has all outputs written from a pair that was just committed. It returns when those with the user's own token are, which need no
// request to GitHub, and is part of the work that has stored the pair. Those with a scope follow in work of their own, beside each
// other: whoever waits for the user's token does not wait for them. What has failed is tried again by Sync.
func (k *Keeper) Publish(ctx context.Context, token *v1alpha1.GitHubUserToken, app scope.App, pair *rotation.Pair) {
	k.options.Outputs.Publish(ctx, token, pair)
	if pair == nil || !k.options.Enabled || !hasScope(token) {
		return
	}
	w := &work{token: token.DeepCopy(), app: app, pair: pair.Clone(), next: pair.NextRefreshAt, follows: new(k.options.Clock.Monotonic())}
	k.notes.With(token.UID, func(n *notes) { n.parent = pair.State.AccessToken })
	for _, spec := range w.token.AllOutputs() {
		if spec.Scope != nil {
			k.options.Outputs.Await(token.UID, spec.Name, pair.State.AccessToken)
			w.outputs = append(w.outputs, output{spec.Name, &spec})
		}
	}
	if k.start(w, nil) == nil {
		return
	}
	for _, o := range w.outputs {
		k.options.Outputs.Record(token, o.name, nil) // What was wrong was so with the token before: Sync begins at once.
	}
}

func hasScope(token *v1alpha1.GitHubUserToken) bool {
	return slices.ContainsFunc(token.AllOutputs(), func(o v1alpha1.Output) bool { return o.Scope != nil })
}

// Sync brings all outputs into line, see outputs.Outputs.Sync. What is to be done about those with a scope is found out from the cache,
// and done beside the caller, whose resource is reconciled again at the end.
func (k *Keeper) Sync(ctx context.Context, s *scope.Scope) (found *problem.Problem, requeueAt time.Time, err error) {
	found, requeueAt, err = k.options.Outputs.Sync(ctx, s, func(all map[string]*metav1.ObjectMeta) time.Time { return k.look(s, all) })
	return problem.First(found, k.problem(s)), backoff.Earliest(requeueAt, k.options.Outputs.RestartsAt(s.Token, s.Now)), err
}

// look finds out from metadata whether anything is due, and begins it. It returns when to look again.
func (k *Keeper) look(s *scope.Scope, found map[string]*metav1.ObjectMeta) (at time.Time) {
	user := userPair(s)
	k.forgetGone(s.Token, found)
	w := &work{token: s.Token, app: s.App, from: s, next: s.NextRefreshAt()}
	for _, o := range k.scoped(s.Token, found) {
		current := found[o.name]
		if user != nil && isRevoked(&user.State) && o.spec != nil && o.spec.Scope != nil {
			if current == nil || !isOwn(s.Token, current) {
				continue
			}
			o.spec = nil // The person wants no token of that login to work any more, and none to be offered.
		}
		due, lookAt := k.isDue(s, o, current, user)
		at = backoff.Earliest(at, lookAt)
		if due {
			w.outputs = append(w.outputs, o)
		}
	}
	if len(w.outputs) == 0 {
		return at
	}
	w.token = s.Token.DeepCopy()
	switch err := k.start(w, found); {
	case err == nil, errors.Is(err, runner.ErrBusy): // The end of the work has the resource reconciled.
		return at
	default:
		return backoff.Earliest(at, s.Now.Add(time.Second))
	}
}

// start begins a piece of work. found are the outputs by their metadata; nil where they are to be looked for.
func (k *Keeper) start(w *work, found map[string]*metav1.ObjectMeta) error {
	of := runner.Subject{UID: w.token.UID, Namespace: w.token.Namespace, Host: w.app.Host, Operation: runner.Scoping}
	k.notes.Peek(w.token.UID, func(n *notes) { w.seen = n.parent })
	return k.runner.Start(of, func() {
		ctx, cancel := k.options.Clock.WithTimeout(context.Background(), workTime)
		defer cancel()
		err := k.readPair(ctx, w)
		if err == nil && found == nil {
			found, err = k.options.Outputs.Find(ctx, w.token)
		}
		if err != nil {
			defer k.options.Outputs.Begin(w.token.UID)() // What failed is remembered in a round alone.
			for _, o := range w.outputs {
				k.fail(w, o, err)
				k.pauseEnding(w.token.UID, o.name)
			}
			return
		}
		k.carryOut(ctx, w, found)
		if w.follows != nil {
			publishDuration.Observe((k.options.Clock.Monotonic() - *w.follows).Seconds())
		}
	})
}

// isDue reports whether there is something to do about an output, for all that its metadata tells.
func (k *Keeper) isDue(s *scope.Scope, o output, current *metav1.ObjectMeta, user *rotation.Pair) (due bool, at time.Time) {
	uid := s.Token.UID
	l, err := ledgerOf(current)
	if err != nil { // A live look tells what is there.
		due = !k.options.Outputs.Waits(s.Token, o.name)
		return due && (o.isSurplus() || user == nil || k.options.Outputs.MayPutRight(uid, o.name, wantedName(o, user), current)), time.Time{}
	}
	if current != nil {
		k.saw(uid, o.name, len(l.entries()) > 0)
	}
	v := k.view(uid, o, user, l, current != nil, s.Now)
	if v.spec != nil && user != nil {
		wanted, keys := metadataOf(o.spec, user, l)
		v.right = k.options.Outputs.IsRight(s.Token, o.name, wanted, keys, current)
	}
	p := next(v)
	if !v.endsOne() {
		k.notes.Peek(uid, func(n *notes) {
			if known := n.byName[o.name]; known != nil {
				known.failures, known.ending, known.endAgain = 0, nil, backoff.Due{} // It may have gone with its Secret.
			}
		})
	}
	switch p.step {
	case rest:
		if v.spec != nil && v.right {
			k.options.Outputs.Stands(s.Token, o.name)
			k.options.Outputs.Came(uid, o.name, user.State.AccessToken)
		}
		return false, p.at
	case end:
		return !o.isSurplus() || !k.options.Outputs.Waits(s.Token, o.name), p.at
	case remove:
		return !k.options.Outputs.Waits(s.Token, o.name), time.Time{}
	default:
		due = !k.options.Outputs.Waits(s.Token, o.name) && k.options.Outputs.MayPutRight(uid, o.name, wantedName(o, user), current)
		return due, time.Time{}
	}
}

// wantedName names what an output is put right to: of the same user's token and scope it may be contested.
func wantedName(o output, user *rotation.Pair) string {
	name := string(user.State.AccessToken)
	if o.spec.Scope != nil {
		name += " " + nameOf(o.spec.Scope)
	}
	return name + " " + o.spec.Type + " " + string(o.spec.Format)
}

// view is what the next step about an output depends on.
func (k *Keeper) view(uid types.UID, o output, user *rotation.Pair, l ledger, exists bool, now time.Time) view {
	v := view{now: now, spec: o.spec, pair: user, exists: exists, ledger: l}
	mono := k.options.Clock.Monotonic()
	k.notes.Peek(uid, func(n *notes) {
		if known := n.byName[o.name]; known != nil {
			v.answered = known.answered
			if !known.endAgain.HasCome(mono) {
				v.endAfter = known.endAgain.At(now, mono)
			}
		}
	})
	return v
}

// userPair is the metadata of the pair that outputs are derived from; nil when there is none.
func userPair(s *scope.Scope) *rotation.Pair {
	state := s.Stored()
	if state == nil || !state.HasToken() || state.Owner != string(s.Token.UID) {
		return nil
	}
	pair := s.Pair.Clone()
	pair.NextRefreshAt = s.NextRefreshAt()
	return pair
}

// output is one output that is dealt with here.
type output struct {
	name string
	// spec is nil when it is not asked for.
	spec *v1alpha1.Output
}

func (o output) isSurplus() bool { return o.spec == nil }

// scoped are the outputs that are dealt with here: those with a scope, and those that may hold scoped tokens still. What is not asked for
// must be the resource's own.
func (k *Keeper) scoped(token *v1alpha1.GitHubUserToken, found map[string]*metav1.ObjectMeta) []output {
	var all []output
	asked := map[string]bool{}
	for _, asks := range token.AllOutputs() {
		spec, meta := &asks, found[asks.Name]
		switch asked[spec.Name] = true; {
		case spec.Scope != nil && !k.options.Enabled:
			if meta != nil && isOwn(token, meta) {
				all = append(all, output{name: spec.Name})
			}
		case outputs.IsScoped(spec, meta):
			all = append(all, output{spec.Name, spec})
		}
	}
	for name, meta := range found {
		if !asked[name] && outputs.IsScoped(nil, meta) && isOwn(token, meta) {
			all = append(all, output{name: name})
		}
	}
	return all
}

// isOwn reports whether an output is there until its tokens have ended, and the resource's own.
func isOwn(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	return (meta.DeletionTimestamp.IsZero() || outputs.IsHeld(meta)) && outputs.GoesWith(token, meta) && outputs.IsOutputOf(token, meta)
}

func ledgerOf(meta *metav1.ObjectMeta) (ledger, error) {
	if meta == nil {
		return ledger{Format: ledgerFormat}, nil
	}
	return parseLedger(meta.Annotations[v1alpha1.AnnotationScopedTokens])
}
