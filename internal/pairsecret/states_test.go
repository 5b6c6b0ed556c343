package pairsecret

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// meta is metadata with a state as the operator writes it.
func meta(owner string) *metav1.ObjectMeta {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	fingerprint := func(of string) credential.Fingerprint { return credential.NewAccessToken(of).Fingerprint() }
	state, err := json.Marshal(rotation.State{
		Owner: owner, OwnerName: "octocat", App: "github.com/Iv23li", Revision: 7, RefreshCount: 7, AccessToken: fingerprint("a"), RefreshToken: fingerprint("r"),
		IssuedAt: at, ExpiresAt: at.Add(8 * time.Hour), RefreshTokenExpiresAt: at.Add(4000 * time.Hour), Seeds: []rotation.SeedRecord{{Fingerprint: fingerprint("s")}},
		User: &rotation.User{Login: "octocat", ID: 583231}, Verdict: &rotation.Verdict{Reason: rotation.ReasonReplyLost, Time: at},
	})
	if err != nil {
		panic(err)
	}
	return &metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-token", Annotations: map[string]string{v1alpha1.AnnotationState: string(state)}}
}

// Whoever changes the state that was decoded for them changes that of nobody else.
func TestStatesDecodedStateIsNobodyElses(t *testing.T) {
	first, _ := FromMetadata(meta("u"))
	want := encode(first.State)
	for range 2 { // It is remembered, and then it was.
		pair, _ := FromMetadata(meta("u"))
		pair.State.Owner, pair.State.User.Login, pair.State.Verdict.Reason = "changed", "changed", rotation.ReasonRevoked
		pair.State.Seeds = append(pair.State.Seeds, rotation.SeedRecord{Fingerprint: "changed"})
		if again, _ := FromMetadata(meta("u")); encode(again.State) != want {
			t.Fatalf("the state is %s, want %s", encode(again.State), want)
		}
	}
}

func TestStatesThatAreRememberedAreBounded(t *testing.T) {
	for i := range 3 * statesKept {
		FromMetadata(meta(fmt.Sprint(i)))
	}
	FromMetadata(meta(strings.Repeat("x", maxStateKept)))
	if n := len(states.younger) + len(states.older); n > 2*statesKept {
		t.Errorf("%d states are remembered", n)
	}
	for text := range states.younger {
		if len(text) > maxStateKept {
			t.Errorf("one of %d bytes is remembered", len(text))
		}
	}
}

// A state that was read a moment ago is not decoded again.
func TestStatesOfAMomentAgoCostLittle(t *testing.T) {
	of := meta("u")
	FromMetadata(of)
	if n := testing.AllocsPerRun(100, func() { FromMetadata(of) }); n > 10 {
		t.Errorf("%.0f allocations", n)
	}
}

func BenchmarkFromMetadata(b *testing.B) {
	of := meta("u")
	for b.Loop() {
		FromMetadata(of)
	}
}
