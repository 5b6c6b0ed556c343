package tokenserver

import (
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/recent"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

// eventReason is that of the event which tells of a new reader.
const eventReason = "TokenReleased"

// record writes down that a token is given out, before it is: who has it, of which resource, and which one, by its fingerprint.
func (s *Server) record(v *visit, resource *v1alpha1.GitHubUserToken, token *release.Token) {
	s.options.Audit.Info("A token is given out",
		"namespace", resource.Namespace, "name", resource.Name, "uid", resource.UID, "output", v.request.output, "fingerprint", token.Fingerprint, "expiresAt", timestamp(token.ExpiresAt),
		"user", v.caller.User, "userNamespace", v.caller.Namespace, "pod", v.caller.Pod, "podUID", v.caller.PodUID, "node", v.caller.Node,
		"waited", v.waiting,
	)
	if s.readers.isNew(resource, v.caller.User) {
		s.options.Events.Eventf(resource, accountOf(v.caller), "Normal", eventReason, "Release",
			"The token server has given the access token to %s, in the pod %s of the namespace %s. This is told of once for each reader, by each process.", v.caller.User, v.caller.Pod, v.caller.Namespace)
	}
}

// accountOf is the ServiceAccount of a caller. Events that differ in nothing but what they say are made one by the recorder, with what the first has
// said: so the account is what they are related to.
func accountOf(caller callers.Caller) *corev1.ObjectReference {
	name := caller.User[strings.LastIndexByte(caller.User, ':')+1:]
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "ServiceAccount", Namespace: caller.Namespace, Name: name}
}

// readers are those of whom an event has told. They are forgotten with the process, and when there are too many.
type readers struct {
	mu   sync.Mutex
	told recent.Set[reader]
	// pace is by the namespace of the resource: who makes many readers of theirs keeps no others from being told of.
	pace *buckets
}

type reader struct {
	uid  types.UID
	user string
}

// Events of new readers of the resources of a namespace, on average and at once: whoever may make ServiceAccounts makes as many readers as they like.
const (
	eventsPerSecond = 1
	eventsAtOnce    = 25
)

func newReaders() *readers { return &readers{pace: newBuckets(eventsPerSecond, eventsAtOnce)} }

// isNew reports whether an event is to tell of a reader. One of whom it could not because there were too many is told of later.
func (r *readers) isNew(resource *v1alpha1.GitHubUserToken, user string) bool {
	key := reader{resource.UID, user}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told.Has(key) || !r.pace.take(resource.Namespace) {
		return false
	}
	r.told.Add(key)
	return true
}
