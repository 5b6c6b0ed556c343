package seeds

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/credential/shape"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// finding is what was found under one key of a Secret, good or bad. It holds no value: the fingerprint of a seed
// names its token without telling it, and of any other value there is only a keyed hash, which is of use in this
// process alone.
type finding struct {
	// seed is what the value is as a seed.
	seed scope.Seed
	// missing is why there is no value; see value.
	missing string
	// digest tells one value from another, and ours the operator's own Secret from a person's.
	digest [sha256.Size]byte
	ours   bool
}

// sameAs reports whether nothing has changed for those who name the key.
func (f finding) sameAs(other finding) bool {
	return f.missing == other.missing && f.digest == other.digest && f.ours == other.ours
}

// find judges what was read under a reference; secret is nil when there is none. key is that of the digest.
func find(ref reference, secret *Secret, key []byte) finding {
	read := valueOf(ref, secret)
	hash := hmac.New(sha256.New, key)
	_, _ = hash.Write([]byte(read.text))
	found := finding{
		seed: scope.Seed{Version: ref.at(read.version), Problem: problemOf(ref, read)}, missing: read.missing, ours: read.ours,
	}
	hash.Sum(found.digest[:0])
	if found.seed.Problem == nil {
		found.seed.Fingerprint = credential.NewRefreshToken(read.text).Fingerprint()
	}
	return found
}

// problemOf is why what was read is no refresh token; nil when it may be one.
func problemOf(ref reference, read value) *problem.Problem {
	trouble := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMissing, Message: read.missing, Unauthorized: true, Stalled: true}
	switch fault := shape.NotRefreshToken(read.text); {
	case read.ours:
		trouble.Reason = v1alpha1.ReasonRefreshTokenMalformed
		trouble.Message = fmt.Sprintf("Secret %q is one of the operator's own: its token belongs to the chain of a GitHubUserToken, which would end if it were exchanged here. Put the refresh token (ghr_…) of a login of its own into a Secret of yours, and name that in spec.refreshTokenRef", ref.secret.Name)
	case read.missing != "":
		trouble.Message += ". Put the user's refresh token (ghr_…) there"
	case fault != "":
		trouble.Reason = v1alpha1.ReasonRefreshTokenMalformed
		trouble.Message = fmt.Sprintf("The value of key %q in Secret %q is not a refresh token: %s. Put the user's refresh token (ghr_…) there", ref.key, ref.secret.Name, fault)
	default:
		return nil
	}
	trouble.Message += "."
	return trouble
}
