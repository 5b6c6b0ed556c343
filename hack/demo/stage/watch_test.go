package stage

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// version is a pair Secret at one moment, while a seed is imported if one is named.
func version(uid, access, refresh, seed string) *corev1.Secret {
	intent := ""
	if seed != "" {
		intent = `{"spends":"` + seed + `","login":true}`
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "octocat-token", UID: types.UID(uid), Labels: map[string]string{v1alpha1.LabelOwner: "octocat"},
			Annotations: map[string]string{v1alpha1.AnnotationIntent: intent},
		},
		Data: map[string][]byte{
			v1alpha1.KeyAccessToken: []byte(access), v1alpha1.KeyRefreshToken: []byte(refresh),
		},
	}
}

func TestStageChangesAreMadeOutOfVersions(t *testing.T) {
	var told []Change
	tracked := tracker{known: map[types.NamespacedName]pair{}, tell: func(change Change) { told = append(told, change) }}
	tracked.seed = func(_, name string) credential.RefreshToken { return credential.NewRefreshToken(name) }
	deleting := version("1", "access3", "refresh3", "")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	for _, secret := range []*corev1.Secret{
		version("1", "", "", "seed1"), // the first fence
		version("1", "access1", "refresh1", ""),
		version("1", "access1", "refresh1", ""), // another fence, which is in the metadata
		version("1", "access2", "refresh2", ""),
		version("1", "access2", "refresh2", "seed2"), // a new login is imported
		version("1", "access3", "refresh3", ""),
		deleting,
	} {
		tracked.saw(secret, time.Now())
	}
	tracked.lost(deleting, time.Now())
	tracked.saw(version("2", "access3", "refresh3", ""), time.Now())

	type seen struct {
		kind            Kind
		spent, replaced string
	}
	var found []seen
	for _, change := range told {
		if want := (types.NamespacedName{Namespace: "team-a", Name: "octocat"}); change.Resource != want {
			t.Errorf("%s is told of %s", change.Kind, change.Resource)
		}
		found = append(found, seen{change.Kind, change.Spent.Reveal(), change.Replaced.Reveal()})
	}
	want := []seen{
		{LoggedIn, "seed1", ""}, {Rotated, "refresh1", "access1"}, {LoggedIn, "seed2", ""},
		{Deleting, "", ""}, {Gone, "", ""}, {Restored, "", ""},
	}
	if !slices.Equal(found, want) {
		t.Errorf("told %v, not %v", found, want)
	}
}

func TestStageWhatIsWrongWithARotationIsSaid(t *testing.T) {
	good := func() Verdict {
		return Verdict{
			Access:   githubtest.TokenState{Alive: true},
			Refresh:  &githubtest.TokenState{Alive: true},
			Spent:    &githubtest.TokenState{Cause: githubtest.Exchanged, Presented: 1, Exchanged: 1},
			Replaced: &githubtest.TokenState{Cause: githubtest.Exchanged},
		}
	}
	for says, spoil := range map[string]func(*Verdict){
		"":                                       func(*Verdict) {},
		"the new access token is dead (evicted)": func(v *Verdict) { v.Access = githubtest.TokenState{Cause: githubtest.Evicted} },
		"the new refresh token is dead":          func(v *Verdict) { v.Refresh.Alive = false },
		"the previous access token is alive":     func(v *Verdict) { v.Replaced.Alive = true },
		"the previous access token expired before it was replaced":         func(v *Verdict) { v.Replaced.Cause = githubtest.Expired },
		"the previous refresh token is alive":                              func(v *Verdict) { v.Spent.Alive = true },
		"the previous refresh token was presented 2 and exchanged 1 times": func(v *Verdict) { v.Spent.Presented = 2 },
	} {
		v := good()
		spoil(&v)
		if problem := v.Problem(); problem != says {
			t.Errorf("it says %q, not %q", problem, says)
		}
	}
}
