package tokenserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/recent"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

// eventReason is that of the event which tells of a new reader.
const eventReason = "TokenReleased"

// record writes down that a token is given out, before it is: who has it, of which resource, and which one, by its fingerprint.
func (s *Server) record(v *visit, resource *v1alpha1.GitHubUserToken, token *release.Token) {
	s.options.Audit.Info("A token is given out",
		"namespace", resource.Namespace, "name", resource.Name, "uid", resource.UID, "fingerprint", token.Fingerprint, "expiresAt", timestamp(token.ExpiresAt),
		"user", v.caller.User, "userNamespace", v.caller.Namespace, "pod", v.caller.Pod, "podUID", v.caller.PodUID, "node", v.caller.Node,
		"waited", v.waiting,
	)
	if s.readers.isNew(resource.UID, v.caller.User) {
		s.options.Events.Eventf(resource, nil, "Normal", eventReason, "Release",
			"The token server has given the access token to %s, in the pod %s of the namespace %s. This is told of once for each reader, by each process.", v.caller.User, v.caller.Pod, v.caller.Namespace)
	}
}

// readers are those of whom an event has told. They are forgotten with the process, and when there are too many.
type readers struct {
	told recent.Set[reader]

	mu   sync.Mutex
	pace *rate.Limiter
}

type reader struct {
	uid  types.UID
	user string
}

// Events of new readers, on average and at once: whoever may make ServiceAccounts makes as many readers as they like.
const (
	eventsPerSecond = 1
	eventsAtOnce    = 25
)

func newReaders() *readers { return &readers{pace: rate.NewLimiter(eventsPerSecond, eventsAtOnce)} }

// isNew reports whether an event is to tell of a reader. One of whom it could not because there were too many is told of later.
func (r *readers) isNew(uid types.UID, user string) bool {
	key := reader{uid, user}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told.Has(key) || !r.pace.AllowN(time.Now(), 1) {
		return false
	}
	r.told.Add(key)
	return true
}

// reasonOf is the reason of an error of the API server, in a word: its sentences quote what was sent.
func reasonOf(err error) string {
	switch reason := apierrors.ReasonForError(err); {
	case reason != "":
		return string(reason)
	case errors.Is(err, context.DeadlineExceeded):
		return "Timeout"
	case errors.Is(err, context.Canceled):
		return "Canceled"
	default:
		return "NotReached"
	}
}
