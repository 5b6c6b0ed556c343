package tokencount

// Limit is how many tokens GitHub keeps for one account and one App. That is documented for OAuth Apps ("Creating an OAuth
// app": ten tokens for each user, application and scope). For GitHub Apps it is not, and tokens of theirs are reported to end in
// the same way.
const Limit = 10

// WarnFrom is from how many tokens on it is told of.
const WarnFrom = 8

// level is how near to Limit an account is.
type level int

const (
	few level = iota
	near
	over
)

func levelOf(tokens int) level {
	switch {
	case tokens > Limit:
		return over
	case tokens >= WarnFrom:
		return near
	default:
		return few
	}
}

// sentence says it, without a number that would change with each resource that comes or goes.
func (l level) sentence() string {
	const kept = " GitHub is documented to keep ten for an account and an OAuth App, and to end others without notice, and is reported to do the same with GitHub Apps."
	const share = " Let consumers share a resource, or use another App."
	switch l {
	case near:
		return " The account has eight tokens of this App in this cluster, or more." + kept + share
	case over:
		return " The account has more than ten tokens of this App in this cluster." + kept + " So the one that was not used for the longest time ends, or has ended." + share
	default:
		return ""
	}
}
