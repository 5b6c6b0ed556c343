package rotation

import "github.com/githubusertoken/github-user-token-operator/internal/credential"

// AtWork reports whether this process is at work under an intent at this moment: exchanging, storing a pair, or replaying
// a record. The work goes on when the resource is deleted and its pair retained, and the next resource of the name may
// take up the pair, intent included, before it has ended.
func (r *Rotator) AtWork(intent *Intent) bool { return intent != nil && r.atWork.Has(intent.ID) }

// IsSpending reports whether this process is at work with a token at this moment. Its resource may have gone with its
// Secret, and with the intent, and the next one of the name have the same seed.
func (r *Rotator) IsSpending(token credential.Fingerprint) bool { return r.atWork.Spends(token) }
