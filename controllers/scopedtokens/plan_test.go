package scopedtokens

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var epoch = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

const app = "github.com/Iv23liEXAMPLE"

// readOne is an output that may read one repository.
func readOne() *v1alpha1.Output {
	return &v1alpha1.Output{Name: "agent", Format: v1alpha1.OutputFormatOpaque, Scope: &v1alpha1.OutputScope{
		Target: "octo-org", Repositories: []v1alpha1.RepositoryName{"hello-world"},
		Permissions: map[string]v1alpha1.PermissionLevel{"contents": v1alpha1.PermissionRead},
	}}
}

// usersPair is a pair of eight hours that was issued at epoch.
func usersPair(access credential.Fingerprint) *rotation.Pair {
	return &rotation.Pair{Controlled: true, State: rotation.State{
		App: app, Owner: "uid", AccessToken: access, RefreshToken: "refresh", IssuedAt: epoch, ExpiresAt: epoch.Add(8 * time.Hour),
	}}
}

// currentEntry is a token that was made of the pair at epoch for readOne.
func currentEntry(change ...func(*entry)) *entry {
	e := entry{Token: "scoped", Parent: "parent", Scope: nameOf(readOne().Scope), App: app, IssuedAt: epoch, ExpiresAt: epoch.Add(8 * time.Hour)}
	for _, c := range change {
		c(&e)
	}
	return &e
}

func TestScopedPlanOfEachOutput(t *testing.T) {
	minute := epoch.Add(time.Minute)
	retired := func(at time.Time) []entry { return []entry{{Token: "old", App: app, EndAt: at}} }
	plain := &v1alpha1.Output{Name: "agent", Format: v1alpha1.OutputFormatOpaque}
	for name, c := range map[string]struct {
		change func(*view)
		want   plan
	}{
		"all is as it should be": {func(*view) {}, plan{step: rest}},
		"there is no Secret":     {func(v *view) { v.exists, v.right, v.ledger = false, false, ledger{} }, plan{step: makeToken}},
		"the user's token was replaced": {func(v *view) {
			v.pair, v.right = usersPair("another"), false
		}, plan{step: makeToken}},
		"the scope was changed": {func(v *view) {
			v.spec.Scope.Repositories = []v1alpha1.RepositoryName{"other"}
		}, plan{step: makeToken}},
		"the order in the scope was changed": {func(v *view) {
			v.spec.Scope.Repositories = []v1alpha1.RepositoryName{"b", "a"}
			other := readOne()
			other.Scope.Repositories = []v1alpha1.RepositoryName{"a", "b"}
			v.ledger.Current.Scope = nameOf(other.Scope)
		}, plan{step: rest}},
		"the App was changed":      {func(v *view) { v.ledger.Current.App = "github.com/Iv1.former" }, plan{step: makeToken}},
		"the content was edited":   {func(v *view) { v.right = false }, plan{step: write}},
		"there is no pair":         {func(v *view) { v.pair, v.right = nil, false }, plan{step: rest}},
		"the user's token is dead": {func(v *view) { v.pair.State.AccessTokenEnded, v.ledger.Current = true, nil }, plan{step: rest}},
		"the user's token expired": {func(v *view) { v.now, v.ledger.Current = epoch.Add(8*time.Hour), nil }, plan{step: rest}},
		"an exchange is under way": {func(v *view) { v.pair.Intent, v.ledger.Current = &rotation.Intent{}, nil }, plan{step: rest}},
		"another process may be asking": {func(v *view) {
			v.ledger.Current, v.ledger.Asked = nil, epoch.Add(50*time.Second)
		}, plan{step: rest, at: epoch.Add(70 * time.Second)}},
		"another process has died": {func(v *view) { v.ledger.Current, v.ledger.Asked = nil, epoch }, plan{step: makeToken}},
		"somebody forged a time to come": {func(v *view) {
			v.ledger.Current, v.ledger.Asked = nil, epoch.Add(time.Hour)
		}, plan{step: makeToken}},
		"this process has asked": {func(v *view) {
			v.ledger.Current, v.ledger.Asked, v.answered = nil, epoch.Add(50*time.Second), epoch.Add(50*time.Second)
		}, plan{step: makeToken}},
		"a former one has its time still": {func(v *view) { v.ledger.Retired = retired(minute.Add(1)) }, plan{step: rest, at: minute.Add(1)}},
		"a former one has had its time":   {func(v *view) { v.ledger.Retired = retired(minute) }, plan{step: end, token: "old"}},
		"a former one waits, and the next goes first": {func(v *view) {
			v.ledger.Retired, v.pair = retired(minute), usersPair("another")
		}, plan{step: makeToken}},
		"a former one could not be ended": {func(v *view) {
			v.ledger.Retired, v.endAfter = retired(minute), minute.Add(time.Second)
		}, plan{step: rest, at: minute.Add(time.Second)}},
		"a former one without a pair": {func(v *view) { v.ledger.Retired, v.pair = retired(minute), nil }, plan{step: end, token: "old"}},

		"a lifetime of its own": {func(v *view) {
			v.ledger.Current.ExpiresAt = epoch.Add(time.Hour)
		}, plan{step: rest, at: epoch.Add(45 * time.Minute)}},
		"a lifetime of its own at its end": {func(v *view) {
			v.ledger.Current.ExpiresAt, v.now = epoch.Add(time.Hour), epoch.Add(45*time.Minute)
		}, plan{step: makeToken}},
		"a lifetime of its own beside a token that does not expire": {func(v *view) {
			v.ledger.Current.ExpiresAt, v.now, v.pair.State.ExpiresAt = epoch.Add(time.Hour), epoch.Add(45*time.Minute), time.Time{}
		}, plan{step: makeToken}},
		"an expiry that is the user's, but for a moment": {func(v *view) {
			v.ledger.Current.ExpiresAt, v.now = epoch.Add(8*time.Hour-30*time.Second), epoch.Add(7*time.Hour)
		}, plan{step: rest}},
		"no expiry at all": {func(v *view) { v.ledger.Current.ExpiresAt = time.Time{} }, plan{step: rest}},

		"it is not asked for any more":             {func(v *view) { v.spec = nil }, plan{step: end, token: "scoped"}},
		"it is not asked for, with a former one":   {func(v *view) { v.spec, v.ledger.Current, v.ledger.Retired = nil, nil, retired(epoch.Add(time.Hour)) }, plan{step: end, token: "old"}},
		"it is not asked for, and all have ended":  {func(v *view) { v.spec, v.ledger = nil, ledger{} }, plan{step: remove}},
		"it is not asked for, and is gone":         {func(v *view) { v.spec, v.ledger, v.exists = nil, ledger{}, false }, plan{step: rest}},
		"it is not asked for, and cannot be ended": {func(v *view) { v.spec, v.endAfter = nil, minute.Add(time.Second) }, plan{step: rest, at: minute.Add(time.Second)}},

		"it has no scope any more":              {func(v *view) { v.spec = plain }, plan{step: write}},
		"it had a scope, and waits for the end": {func(v *view) { v.spec, v.ledger.Current, v.ledger.Retired = plain, nil, retired(minute.Add(1)) }, plan{step: rest, at: minute.Add(1)}},
		"it had a scope, and the end has come":  {func(v *view) { v.spec, v.ledger.Current, v.ledger.Retired = plain, nil, retired(minute) }, plan{step: end, token: "old"}},
		"it had a scope, and the token is edited": {func(v *view) {
			v.spec, v.ledger.Current, v.ledger.Retired, v.right = plain, nil, retired(minute), false
		}, plan{step: write}},
	} {
		t.Run(name, func(t *testing.T) {
			v := view{now: minute, spec: readOne(), pair: usersPair("parent"), exists: true, ledger: ledger{Format: 1, Current: currentEntry()}, right: true}
			c.change(&v)
			if got := next(v); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestScopedOverlapIsAQuarterOfTheLifetimeAtMost(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{8 * time.Hour: 5 * time.Minute, 30 * time.Second: 7500 * time.Millisecond, 0: 5 * time.Minute} {
		state := rotation.State{IssuedAt: epoch}
		if lifetime > 0 {
			state.ExpiresAt = epoch.Add(lifetime)
		}
		if got := overlapOf(&state); got != want {
			t.Errorf("%s: %s, want %s", lifetime, got, want)
		}
	}
}

func TestScopedScopesThatDifferHaveOtherNames(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*v1alpha1.OutputScope){
		"as it is":         func(*v1alpha1.OutputScope) {},
		"another target":   func(s *v1alpha1.OutputScope) { s.Target = "hello" },
		"no repositories":  func(s *v1alpha1.OutputScope) { s.Repositories = nil },
		"by id":            func(s *v1alpha1.OutputScope) { s.Repositories, s.RepositoryIDs = nil, []int64{1} },
		"a level":          func(s *v1alpha1.OutputScope) { s.Permissions["contents"] = "write" },
		"a permission":     func(s *v1alpha1.OutputScope) { s.Permissions["issues"] = "read" },
		"no permissions":   func(s *v1alpha1.OutputScope) { s.Permissions = nil },
		"more of the same": func(s *v1alpha1.OutputScope) { s.Repositories = append(s.Repositories, "other") },
	} {
		spec := readOne().Scope
		change(spec)
		if other, double := seen[nameOf(spec)]; double {
			t.Errorf("%s has the name of %s", name, other)
		}
		seen[nameOf(spec)] = name
	}
}
