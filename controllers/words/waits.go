package words

import (
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// WaitsToProve is the problem of a pair about which GitHub was not asked yet.
func WaitsToProve(host string, perHour int) problem.Problem {
	return problem.Problem{
		Reason: v1alpha1.ReasonPairUnproven,
		Message: fmt.Sprintf("Waiting for the turn of this namespace to ask GitHub about the restored pair: whether %s takes it is not known yet, and at most %d such requests an hour are made to it.",
			host, perHour),
	}
}

// Unstored says what an exchange has brought that the API server does not store, and why; empty for what is not told.
func Unstored(what rotation.Unwritten, said string) string {
	switch what {
	case rotation.UnwrittenPair:
		return "A new pair has been received and is kept safe, but the API server does not store it: " + said + " It is tried again within half a minute. " + KeepPod
	case rotation.UnwrittenRefusal:
		return "A new pair has been received that must not be stored, and the API server does not store that either: " + said +
			" Until it does, the pair is kept safe and is not revoked. It is tried again within half a minute. " + KeepPod
	default:
		return ""
	}
}
