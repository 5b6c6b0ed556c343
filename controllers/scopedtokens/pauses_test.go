package scopedtokens

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// rounds are reconciles at one moment, each with the work that it begins, until none is begun. It returns how many there were.
func (w *world) rounds(most int) (did int) {
	w.t.Helper()
	for did < most {
		w.sync()
		if w.queue.Len() == 0 {
			return did
		}
		w.queue.Run()
		did++
	}
	return did
}

// writeBy has the outputs written by a client, and the pair read from a store.
func (w *world) writeBy(c client.Client, store interface {
	Get(context.Context, rotation.Ref) (*rotation.Pair, error)
}) {
	remembered := memory.NewStore()
	remembered.Learn(w.token.UID, types.NamespacedName{Namespace: "team-a", Name: "octocat"})
	w.options.Outputs = outputs.New(outputs.Options{Client: c, Live: w.cluster, Store: store, Clock: w.clock, Memory: remembered})
}

// lossy applies the next writes and loses their answers.
type lossy struct {
	*cluster
	lose int
}

func (l *lossy) lost(err error) error {
	if err == nil && l.lose > 0 {
		l.lose--
		return apierrors.NewTimeoutError("the reply was lost", 1)
	}
	return err
}

func (l *lossy) Update(ctx context.Context, o client.Object, options ...client.UpdateOption) error {
	return l.lost(l.cluster.Update(ctx, o, options...))
}

func (l *lossy) Create(ctx context.Context, o client.Object, options ...client.CreateOption) error {
	return l.lost(l.cluster.Create(ctx, o, options...))
}

func TestScopedTokenLivesThoughTheAnswerToItsWriteIsLost(t *testing.T) {
	for name, isFirst := range map[string]bool{"create": true, "update": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			l := &lossy{cluster: w.cluster}
			w.writeBy(l, w.pairs)
			if !isFirst {
				w.publish()
				w.clock.Mono = 6 * time.Hour
				w.exchange("ghu_second")
			}
			l.lose = 1
			w.publish()
			if token, _ := w.held("agent"); !w.hub.alive[token] || len(w.hub.revoked) != 0 {
				t.Errorf("it holds a token that is alive: %t; %d were ended", w.hub.alive[token], len(w.hub.revoked))
			}
			if did := w.rounds(30); did > 3 || len(w.hub.asked) > 2 {
				t.Errorf("%d rounds, GitHub was asked %d times", did, len(w.hub.asked))
			}
		})
	}
}

func TestScopedTokenInUseIsNotEndedAsOneThatWasReplaced(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	l := w.ledger("agent")
	l.retire(*l.Current, w.clock.Now().Add(-time.Minute))
	l.retire(*l.Current, w.clock.Now().Add(-time.Minute))
	w.cluster.edit("agent", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationScopedTokens] = l.text() })
	did := w.rounds(50)
	if token, _ := w.held("agent"); !w.hub.alive[token] || len(w.hub.revoked) != 0 || len(w.hub.asked) != 1 || did > 3 {
		t.Errorf("alive: %t, %d ended, asked %d times, %d rounds", w.hub.alive[token], len(w.hub.revoked), len(w.hub.asked), did)
	}
}

// failingStore cannot be read.
type failingStore struct{}

func (failingStore) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	return nil, errors.New("the API server is away")
}

// Work that comes to nothing is not begun again at once.
func TestScopedWorkThatFailsPauses(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"another App": func(w *world) {
			w.app.ClientID = "Iv23liANOTHER"
			w.clock.Mono = 6 * time.Hour
			w.exchange("ghu_second")
		},
		"a token is ended, and the output cannot be written": func(w *world) {
			w.clock.Mono = 6 * time.Hour
			w.exchange("ghu_second")
			w.publish()
			w.clock.Mono += overlap
			w.cluster.before = func(string, string) error {
				return apierrors.NewForbidden(secrets, "agent", errors.New("a policy says no"))
			}
		},
		"the pair cannot be read": func(w *world) {
			w.writeBy(w.cluster, failingStore{})
			w.clock.Mono = 6 * time.Hour
			w.exchange("ghu_second")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			w.publish()
			happens(w)
			before := len(w.hub.revoked)
			if did := w.rounds(50); did == 0 || did > 4 || len(w.hub.revoked) > before+1 {
				t.Errorf("%d rounds at one moment, %d requests to end a token", did, len(w.hub.revoked)-before)
			}
		})
	}
}
