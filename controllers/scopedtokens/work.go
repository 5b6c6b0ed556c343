package scopedtokens

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// work is a piece of work for one resource.
type work struct {
	token *v1alpha1.GitHubUserToken
	// app is the App of the resource.
	app scope.App
	// from says where the pair is, and pair is what was read there, with its tokens; nil when there is none that outputs are derived from.
	from *scope.Scope
	pair *rotation.Pair
	// next is when the pair is due, as the annotation tells consumers.
	next time.Time
	// outputs are those that are dealt with.
	outputs []output
	// seen is the last user's token that was seen when the work began.
	seen credential.Fingerprint
	// follows is when the pair was stored, by the monotonic clock, where this is the work that follows; nil otherwise.
	follows *time.Duration

	mu sync.Mutex
	// room is how many tokens may be alive more than there are, and makings how many may still be made within the hour.
	room    int
	makings makings
	// secret is the App with its client secret, once it was read; lacking is why there is none.
	secret  *github.App
	lacking *problem.Problem
}

// maxTokens is how many tokens of a resource may be alive at GitHub beside the user's: GitHub may count scoped tokens to the ten that an
// account can have of an App, and end another one for the eleventh.
const maxTokens = 9

// maxSteps bounds what is done about one output in one piece of work.
const maxSteps = 2 * maxRetired

// readPair reads the pair of the resource with its tokens.
func (k *Keeper) readPair(ctx context.Context, w *work) error {
	if w.pair != nil || w.from == nil {
		return nil
	}
	pair, err := k.options.Outputs.OwnPair(ctx, w.from)
	if err != nil {
		return err
	}
	if pair != nil && pair.State.HasToken() {
		w.pair, pair.NextRefreshAt = pair, w.next
	}
	return nil
}

// carryOut does what is due about each output, beside each other. found are the outputs by their metadata.
func (k *Keeper) carryOut(ctx context.Context, w *work, found map[string]*metav1.ObjectMeta) {
	defer k.options.Outputs.Begin(w.token.UID)()
	all, now := k.scoped(w.token, found), k.options.Clock.Now()
	k.keep(w.token.UID, all, now)
	w.room = maxTokens - k.lost(w.token.UID, now)
	w.makings = k.makingsOf(w, all, found, now)
	for _, o := range all {
		if l, err := ledgerOf(found[o.name]); err == nil {
			w.room -= l.weight(now)
		}
		w.room -= k.weight(w.token.UID, o.name, now)
	}
	var group sync.WaitGroup
	for _, o := range w.outputs {
		group.Go(func() {
			defer k.came(w, o)
			defer func() {
				if recover() == nil {
					return
				}
				if k.options.OnPanic != nil {
					k.options.OnPanic(w.token.UID)
				}
				k.record(w, o, outputs.ProblemOf(o.name, errPanicked))
			}()
			k.advance(ctx, w, o)
		})
	}
	group.Wait()
}

// came notes that an output is late no more, or by its trouble alone.
func (k *Keeper) came(w *work, o output) {
	if w.pair != nil {
		k.options.Outputs.Came(w.token.UID, o.name, w.pair.State.AccessToken)
	}
}

// isPassed reports whether an exchange, which does not wait for it, has brought another user's token since a piece of work began.
func (k *Keeper) isPassed(w *work) (passed bool) {
	k.notes.Peek(w.token.UID, func(n *notes) { passed = n.parent != w.seen })
	return passed
}

// record remembers what is wrong with an output. What was so with a user's token of which there is another by now is not: with that it
// is tried at once.
func (k *Keeper) record(w *work, o output, found *problem.Problem) {
	if !k.isPassed(w) {
		k.options.Outputs.Record(w.token, o.name, found)
	}
}

// errPanicked is the failure of an output whose work ended in a panic.
var errPanicked = errors.New("the operator itself failed")

// take takes room for one more token.
func (w *work) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.room <= 0 {
		return false
	}
	w.room--
	return true
}

// give gives room back.
func (w *work) give() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room++
}

// who is who asks GitHub.
func (w *work) who() restlimit.Caller {
	return restlimit.Caller{UID: w.token.UID, Namespace: w.token.Namespace}
}

// appWithSecret is the App with its client secret, which is read once; a problem says why there is none.
func (k *Keeper) appWithSecret(ctx context.Context, w *work) (github.App, *problem.Problem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secret != nil || w.lacking != nil {
		if w.lacking != nil {
			return github.App{}, w.lacking
		}
		return *w.secret, nil
	}
	app := w.app.App
	switch {
	case w.app.Problem != nil:
		w.lacking = w.app.Problem
	case k.options.Asking.CheckHost(app.Host) != nil:
		w.lacking = hostNotAllowed(app.Host)
	default:
		secret, missing, err := k.options.ClientSecret(ctx, w.app)
		switch {
		case err != nil:
			w.lacking = secretUnread()
		case missing != nil:
			w.lacking = missing
		case secret.IsZero():
			w.lacking = noSecret()
		}
		app.ClientSecret = secret
	}
	if w.lacking != nil {
		return github.App{}, w.lacking
	}
	w.secret = &app
	return app, nil
}

// state is an output as a live read has found it.
type state struct {
	// secret is nil when there is none.
	secret *corev1.Secret
	ledger ledger
	there  tokens
	// told are all tokens of which the annotation tells, whether they are there or not.
	told map[credential.Fingerprint]bool
}

func (s state) meta() *metav1.ObjectMeta {
	if s.secret == nil {
		return nil
	}
	return &s.secret.ObjectMeta
}

// isGoing reports whether an output is being deleted, and waits for its tokens to end.
func (s state) isGoing() bool {
	return s.secret != nil && !s.secret.DeletionTimestamp.IsZero() && outputs.IsHeld(&s.secret.ObjectMeta)
}

// read reads an output live. What its annotation tells and its data does not hold is lost: somebody else has changed it.
func (k *Keeper) read(ctx context.Context, w *work, o output) (state, error) {
	s := state{ledger: ledger{Format: ledgerFormat}, there: tokens{}}
	var secret corev1.Secret
	err := k.options.Live.Get(ctx, client.ObjectKey{Namespace: w.token.Namespace, Name: o.name}, &secret)
	if apierrors.IsNotFound(err) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.secret = &secret
	if !outputs.IsOutputOf(w.token, &secret.ObjectMeta) {
		return s, nil // It is somebody else's, and nothing in it is looked at; a write says so.
	}
	l, err := ledgerOf(&secret.ObjectMeta)
	if errors.Is(err, errTooNew) {
		return s, err
	}
	s.there = parseTokens(secret.Data[v1alpha1.KeyScopedTokens])
	s.told = map[credential.Fingerprint]bool{}
	for _, e := range l.entries() {
		s.told[e.Token] = true
	}
	s.ledger = l.without(s.there, k.options.Clock.Now())
	return s, nil
}

// advance does what is due about one output, step by step, each from what is there then.
func (k *Keeper) advance(ctx context.Context, w *work, o output) {
	for range maxSteps {
		s, err := k.read(ctx, w, o)
		if err != nil {
			k.fail(w, o, err)
			return
		}
		if o.isSurplus() && s.secret != nil && !outputs.IsOutputOf(w.token, s.meta()) {
			return // It is none of ours any more.
		}
		now := k.options.Clock.Now()
		if s.isGoing() && o.spec != nil {
			switch may, err := k.options.Outputs.MayBeMadeAnew(ctx, w.token, s.meta()); {
			case err != nil:
				k.fail(w, o, err)
				return
			case !may:
				o.spec = nil // It goes with its namespace, and its tokens end.
			}
		}
		v := k.view(w.token.UID, o, w.pair, s.ledger, s.secret != nil, now)
		if v.spec != nil && w.pair != nil && s.secret != nil {
			content, err := contentOf(o.spec, w.pair, s.ledger, s.there)
			v.right = err == nil && k.options.Outputs.Holds(w.token, s.secret, content)
		}
		goOn := false
		switch p := next(v); p.step {
		case makeToken:
			goOn = k.makeToken(ctx, w, o, s)
		case write:
			goOn = k.rewrite(ctx, w, o, s)
		case end:
			goOn = k.end(ctx, w, o, s, p.token)
		case remove:
			k.remove(ctx, w, o, s)
		default:
			if v.right {
				k.options.Outputs.Stands(w.token, o.name)
			}
		}
		if !goOn {
			return
		}
		if ctx.Err() != nil {
			k.fail(w, o, errLate)
			return
		}
	}
	k.fail(w, o, errRestless)
}

var (
	errLate     = errors.New("its time was over")
	errRestless = errors.New("somebody else changes it all the time")
)

// rewrite writes an output with the tokens that there are. One that has no scope any more gets the user's, and its own is ended.
func (k *Keeper) rewrite(ctx context.Context, w *work, o output, s state) (goOn bool) {
	l, now := s.ledger.clone(), k.options.Clock.Now()
	if o.spec.Scope == nil {
		l.retireCurrent(now.Add(overlapOf(&w.pair.State)))
		l.Asked, l.Lost, l.Made = time.Time{}, nil, nil
	}
	if s.isGoing() { // Somebody has deleted it: another one takes its place, with the same tokens.
		if err := k.options.Outputs.Let(ctx, w.token, s.meta()); err != nil && !outputs.IsOutdated(err) {
			k.fail(w, o, err)
			return false
		}
		s.secret = nil
	}
	goOn, err := k.put(ctx, w, o, s, l, s.there)
	if err != nil {
		k.fail(w, o, err)
		return false
	}
	k.options.Outputs.WasPutRight(w.token.UID, o.name, wantedName(o, w.pair))
	return goOn
}

// put writes an output with a ledger and the tokens of which that tells. Whether another version is there by now is no error: it is
// looked at anew.
func (k *Keeper) put(ctx context.Context, w *work, o output, s state, l ledger, there tokens) (written bool, err error) {
	content, err := contentOf(o.spec, w.pair, l, there)
	if err != nil {
		return false, err
	}
	_, err = k.options.Outputs.Put(ctx, w.token, o.name, content, s.meta())
	if err != nil && !outputs.IsOutdated(err) {
		return false, err
	}
	return true, nil
}

// remove removes an output that is not asked for, whose tokens are ended.
func (k *Keeper) remove(ctx context.Context, w *work, o output, s state) {
	err := k.options.Outputs.Let(ctx, w.token, s.meta())
	if err == nil {
		err = k.options.Outputs.Delete(ctx, w.token, s.meta())
	}
	if err != nil && !outputs.IsOutdated(err) {
		k.fail(w, o, err)
		return
	}
	k.notes.With(w.token.UID, func(n *notes) {
		n.removed = append(n.removed, s.secret.UID)
		delete(n.tokens, o.name)
	})
}

// fail remembers why an output could not be written or removed.
func (k *Keeper) fail(w *work, o output, err error) {
	switch {
	case o.isSurplus():
		k.options.Outputs.Record(w.token, o.name, outputs.NotRemoved(o.name, err))
	case errors.Is(err, errTooNew):
		k.options.Outputs.Record(w.token, o.name, tooNew(o.name))
	default:
		k.record(w, o, outputs.ProblemOf(o.name, err))
	}
}
