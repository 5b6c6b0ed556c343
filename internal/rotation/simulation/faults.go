package simulation

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"time"
)

// Fault is a kind of fault.
type Fault uint8

// The kinds of faults.
const (
	// Of the API server and the network to it.
	APISlow Fault = iota
	APIRequestLost
	APIReplyLost
	APIAppliedLate
	APIOutage
	APIPartition
	APIDenied
	WatchHeld
	WatchDropped
	// Of GitHub and the network to it.
	GitHubFailedBefore
	GitHubFailedAfter
	GitHubRequestLost
	GitHubReplyLost
	GitHubReplyCut
	GitHubHTML
	GitHubRedirect
	GitHubRateLimited
	GitHubRateLimitedSilently
	GitHubHang
	GitHubFreshTokenRefused
	GitHubMisconfigured
	// Of the process and its node.
	Kill
	PodDeleted
	Stop
	LeaseLost
	Terminate
	Panic
	ClockJump
	OutboxFull
	OutboxBroken
	OutboxCorrupt
	// Of people.
	LabelEdit
	NewSeed
	WrongUserSeed
	SecretDeleted
	SecretForceDeleted
	SecretReplaced
	SecretImmutable
	HandEdit
	RefreshRequested
	Suspended
	AppChanged
	ResourceDeleted
	ResourceRetained
	NamespaceDeleted
	Revoked
	BackupRestored
	SaidDead
	ResourceRevoked
	Renamed
	StateGarbled
	FormatNewer
	TokenCopied
	// Of admission.
	WebhookAlters
	WebhookStripsIntent
	// Of the API server again: admission that refuses whatever is written in a namespace from now on, that answers a POST
	// with 404, and that refuses a status.
	APIRefused
	APINotFound
	StatusRefused
	// Of the node again: its clock is hours ahead when a token is sent, and is set right later.
	ClockAhead
	// Of GitHub again: it refuses a good token once.
	GitHubMistaken
	// Of people again: they delete the seed, have a tool put the former token back into it, or delete a device code.
	SeedDeleted
	SeedReverted
	CodeDeleted
	// Of an App's administrator: for a while it may not be used, or it cannot be found out whether it may.
	AppNotUsable
	// Of people again: the one whose token it is asks for the end of their login, or somebody asks for that of another.
	RevocationAsked

	faultCount
)

var faultNames = [faultCount]string{
	"API slow", "API request lost", "API write applied, reply lost", "API write applied late", "API outage",
	"API unreachable from one replica", "API write denied", "watch held back", "watch event dropped",
	"GitHub 502 before it committed", "GitHub 502 after it committed", "GitHub request lost", "GitHub reply lost",
	"GitHub reply cut", "GitHub HTML page", "307 in place of GitHub", "GitHub rate limit with Retry-After", "GitHub rate limit without Retry-After",
	"GitHub hang past the deadline", "GitHub refuses a fresh token", "GitHub refuses the client secret",
	"kill -9", "pod deleted", "SIGSTOP and SIGCONT", "lease lost", "SIGTERM", "panic", "clock jumps",
	"outbox full", "outbox breaks at Keep", "outbox record corrupted",
	"label edit", "new seed", "new seed of another user", "Secret deleted", "Secret deleted by force",
	"Secret replaced by a foreign one", "Secret made immutable", "Secret edited by hand", "refresh requested", "suspended",
	"App changed", "resource deleted", "resource deleted, pair retained", "namespace deleted", "grant revoked",
	"Secret restored from a backup", "access token said to be dead",
	"resource deleted, pair revoked", "pair Secret renamed", "state garbled", "state written by a newer version",
	"refresh token copied into another resource's seed",
	"webhook alters what is written", "webhook strips the intent",
	"API writes refused for ever", "API create answered with 404", "status refused",
	"clock ahead at an exchange, then set right",
	"GitHub refuses a good token once",
	"seed deleted", "seed put back to its former token", "device code deleted",
	"App not usable for a while",
	"revocation asked for",
}

func (f Fault) String() string { return faultNames[f] }

// Faults is a set of kinds: a bit for each.
type Faults [2]uint64

// AllFaults are all kinds there are.
var AllFaults = func() (all Faults) {
	for kind := range faultCount {
		all = all.and(Of(kind))
	}
	return all
}()

// mutatingFaults are those by which something else is stored than was written. With people who delete, edit, restore or
// rename at the same moment nobody can tell any more which of two copies is the newer, nor could the judge: they have
// worlds of their own, with admissionFaults. Where the fence of one process is taken away by admission, nothing keeps
// another one that is active beside it from its work: of several replicas a leader works.
var mutatingFaults = Of(WebhookAlters, WebhookStripsIntent)

// admissionFaults are what goes wrong in a world in which admission alters what is written.
var admissionFaults = mutatingFaults.and(Of(
	APISlow, APIRequestLost, APIReplyLost, APIAppliedLate, APIOutage, APIPartition, APIDenied, WatchHeld, WatchDropped,
	GitHubFailedBefore, GitHubFailedAfter, GitHubRequestLost, GitHubReplyLost, GitHubReplyCut, GitHubRateLimited, GitHubHang,
	GitHubMisconfigured, Kill, Stop, LeaseLost, Terminate, Panic, ClockJump, OutboxFull, LabelEdit, NewSeed, RefreshRequested,
	Suspended, Revoked,
))

// faultsOf are the faults of the world of a seed. Which they are is drawn, so that it goes with nothing else that the seed
// chooses: with leader election and without, with many faults and few.
func faultsOf(seed uint64) Faults {
	if mix(seed)%4 == 0 {
		return admissionFaults
	}
	return AllFaults.except(mutatingFaults).Without(ClockAhead) // That has worlds of its own; here clocks jump either way.
}

// needLeader are the faults that several processes which are active at once all the time do not cope with: resources that go
// and come, and Secrets that move. One of them releases a resource while another has still to replace its Secret, or to store
// its next pair. Of several replicas only a leader works, and a former one for moments: its writes may land late.
var needLeader = Of(ResourceDeleted, ResourceRetained, ResourceRevoked, NamespaceDeleted, Renamed, BackupRestored)

// Of makes a set.
func Of(kinds ...Fault) Faults {
	var set Faults
	for _, kind := range kinds {
		set[kind/64] |= 1 << (kind % 64)
	}
	return set
}

// and has what is in either of two sets, except what is in the first and not in the second, and both what is in each of them.
func (f Faults) and(other Faults) Faults    { return Faults{f[0] | other[0], f[1] | other[1]} }
func (f Faults) except(other Faults) Faults { return Faults{f[0] &^ other[0], f[1] &^ other[1]} }
func (f Faults) both(other Faults) Faults   { return f.except(f.except(other)) }

// isEmpty reports whether there is no kind in the set.
func (f Faults) isEmpty() bool { return f == Faults{} }

// Has reports whether a kind is in the set.
func (f Faults) Has(kind Fault) bool { return f[kind/64]&(1<<(kind%64)) != 0 }

// Without is the set without a kind.
func (f Faults) Without(kind Fault) Faults { return f.except(Of(kind)) }

// Count is the number of kinds in the set.
func (f Faults) Count() int { return bits.OnesCount64(f[0]) + bits.OnesCount64(f[1]) }

func (f Faults) String() string {
	var names []string
	for kind := range faultCount {
		if f.Has(kind) {
			names = append(names, kind.String())
		}
	}
	return strings.Join(names, ", ")
}

// people are the faults that people cause.
var people = []Fault{
	LabelEdit, NewSeed, WrongUserSeed, SecretDeleted, SecretForceDeleted, SecretReplaced, SecretImmutable, HandEdit,
	RefreshRequested, Suspended, AppChanged, ResourceDeleted, ResourceRetained, NamespaceDeleted, Revoked, BackupRestored, SaidDead,
	ResourceRevoked, Renamed, StateGarbled, FormatNewer, TokenCopied, SeedDeleted, SeedReverted, CodeDeleted, RevocationAsked,
}

// strikes reports whether a fault of this kind happens now to the attempt that is under way, where it happens
// once in so many chances.
func (w *world) strikes(kind Fault, once int) bool {
	if w.current == nil || w.current.attempt == nil {
		return false
	}
	return w.strikesOn(w.current.attempt.res, kind, once)
}

// strikesOn is strikes for a resource. Whether the n-th chance is taken depends on the seed, the resource, the
// kind and n alone: to take other faults or resources away changes nothing about it.
func (w *world) strikesOn(res *resource, kind Fault, once int) bool {
	if w.calm || !w.cfg.Faults.Has(kind) {
		return false
	}
	res.chances[kind]++
	number := res.chances[kind]
	draw := mix(mix(mix(w.cfg.Seed)^uint64(res.number)<<8^uint64(kind)) ^ uint64(number))
	if draw%uint64(max(1, once*w.cfg.Rarity/w.cfg.Frequent)) != 0 {
		return false
	}
	name := fmt.Sprintf("%s, %v, chance %d", res.namespace, kind, number)
	if w.cfg.Only != nil && !w.cfg.Only[name] {
		return false
	}
	w.report.Faults[kind]++
	w.report.hits = append(w.report.hits, name)
	w.tracef("FAULT %s", name)
	return true
}

// mix is SplitMix64's finalizer: a hash of one number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// chance is what is left to chance: for each resource apart, so that what happens to one of them changes
// little for the others.
func (w *world) chance() *rand.Rand {
	switch {
	case w.acting != nil:
		return w.acting.rng
	case w.current != nil && w.current.attempt != nil:
		return w.current.attempt.res.rng
	default:
		return w.rng
	}
}

// between is a time drawn evenly.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.chance().Int64N(int64(most-least)+1))
}

// mostly is a short time, and once in a while a long one.
func (w *world) mostly(short, long time.Duration) time.Duration {
	if w.chance().IntN(8) == 0 {
		return w.between(short, long)
	}
	return w.between(0, short)
}

func (w *world) tracef(format string, arguments ...any) {
	if w.cfg.Trace == nil {
		return
	}
	_, _ = fmt.Fprintf(w.cfg.Trace, "%14s  %s\n", w.now, fmt.Sprintf(format, arguments...))
}
