package controllers

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var updateStatuses = flag.Bool("update-statuses", false, "write the files of the statuses anew")

var stageNow = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)

// stages are moments in the life of a resource. Their statuses stand in hack/tools/gitopstest/testdata/statuses, as the API server
// sends them, and are tried there with kstatus and Argo CD.
var stages = []struct {
	name   string
	change func(v *view)
	// stop is what a launch met; nil when what Decide says is all.
	stop func(v *view) *obstacle
}{
	{"ready", nil, nil},
	{"ready-never-expires", func(v *view) {
		v.pair.State.ExpiresAt, v.pair.State.RefreshTokenExpiresAt, v.pair.State.RefreshToken = time.Time{}, time.Time{}, ""
	}, nil},
	{"ready-refresh-before-too-long", func(v *view) { v.input.Policy.RefreshBefore = 9 * time.Hour }, nil},
	{"ready-github-down", func(v *view) { dueNow(v); githubDown(v) }, nil},
	{"ready-outcome-unknown", func(v *view) {
		dueNow(v)
		githubDown(v)
		v.failure.ambiguous = true
	}, nil},
	{"ready-committing", nil, func(*view) *obstacle {
		return &obstacle{reason: v1alpha1.ReasonCommitting, message: "A new pair has been received and is kept safe."}
	}},
	{"ready-client-secret-wrong", dueNow, func(v *view) *obstacle {
		return &obstacle{reason: v1alpha1.ReasonIncorrectClientCredentials, message: "GitHub knows no such client ID and secret.", stalled: true}
	}},
	{"ready-rejected", func(v *view) { condemn(v, v1alpha1.ReasonRefreshTokenRejected) }, nil},
	{"ready-revoked", func(v *view) { condemn(v, v1alpha1.ReasonRevoked); endAccessToken(v) }, nil},
	{"ready-access-token-ended", func(v *view) { endAccessToken(v); v.pair.State.RenewedAt = stageNow.Add(-time.Minute) }, nil},
	{"ready-access-token-ended-github-down", func(v *view) { endAccessToken(v); githubDown(v) }, nil},
	{"ready-rejected-code-offered", func(v *view) { condemn(v, v1alpha1.ReasonRefreshTokenRejected); offerCode(v) }, deviceStop},
	{"ready-rejected-code-denied", func(v *view) {
		condemn(v, v1alpha1.ReasonRefreshTokenRejected)
		offerCode(v)
		denyCode(v)
	}, deviceStop},
	{"ready-suspended", func(v *view) { suspend(v) }, nil},
	{"ready-suspended-rejected", func(v *view) { suspend(v); condemn(v, v1alpha1.ReasonRefreshTokenRejected) }, nil},
	{"ready-output-not-owned", func(v *view) {
		v.setAside(outputStage(errOutputNotOwned), time.Time{})
	}, nil},
	{"ready-output-refused", func(v *view) {
		found := outputStage(&scrubbedError{text: "a policy says no", reason: metav1.StatusReasonForbidden})
		found.next = v.now.Add(time.Minute)
		v.setAside(found, found.next)
	}, nil},
	{"ready-handoff-disabled", func(v *view) {
		v.token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
		(&Reconciler{}).tendHandoff(logr.Discard(), v)
	}, nil},
	{"ready-handoff-forbidden", func(v *view) {
		var remembered handoffMemory
		remembered.blame(rotation.SystemClock(), &handoffForbiddenError{"patch", "pods", "team-a"})
		v.setAside(&obstacle{reason: remembered.trouble.reason, message: remembered.trouble.message, stalled: true}, time.Time{})
	}, nil},
	{"restored-being-proven", func(v *view) { v.pair.State.Owner = "former"; githubDown(v) }, nil},
	{"restored-unproven", func(v *view) { v.pair.State.Owner, v.input.Proof = "former", rotation.ProofDead }, nil},
	{"expired-github-down", func(v *view) { expire(v); githubDown(v) }, nil},
	{"expired-rejected-code-offered", func(v *view) {
		expire(v)
		condemn(v, v1alpha1.ReasonRefreshTokenRejected)
		offerCode(v)
	}, deviceStop},
	{"expired-rejected", func(v *view) { expire(v); condemn(v, v1alpha1.ReasonRefreshTokenRejected) }, nil},
	{"expired-suspended", func(v *view) { expire(v); suspend(v) }, nil},
	{"new-pending", withoutPair, nil},
	{"new-github-down", func(v *view) { withoutPair(v); githubDown(v) }, nil},
	{"new-suspended", func(v *view) { withoutPair(v); suspend(v) }, nil},
	{"new-code-offered", func(v *view) { withoutLogin(v); offerCode(v) }, deviceStop},
	{"new-code-denied", func(v *view) { withoutLogin(v); offerCode(v); denyCode(v) }, deviceStop},
	{"new-device-flow-disabled", func(v *view) { withoutLogin(v) }, func(*view) *obstacle {
		return troubleAtGitHub(&github.Error{Class: github.Misconfigured, Reason: github.DeviceFlowDisabled, Host: "github.com"})
	}},
	{"new-host-not-allowed", withoutPair, func(*view) *obstacle {
		return &obstacle{reason: v1alpha1.ReasonHostNotAllowed, message: "The host is not allowed.", stalled: true}
	}},
	{"new-seed-missing", func(v *view) {
		withoutPair(v)
		v.seed, v.input.Seed = seed{problem: &obstacle{
			reason: v1alpha1.ReasonRefreshTokenMissing, message: "There is no Secret \"octocat-seed\".", stalled: true, unauthorized: true,
		}}, ""
	}, nil},
	{"new-secret-not-owned", func(v *view) { v.pair.Controlled, v.pair.State = false, rotation.State{} }, nil},
}

// withoutLogin is a resource with nothing but the device flow, and nobody has logged in yet.
func withoutLogin(v *view) {
	v.token.Spec.RefreshTokenRef, v.token.Spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
	v.seed, v.input.Seed = seed{}, ""
	v.pair.State = rotation.State{Owner: v.owner.UID, OwnerName: v.owner.Name, App: v.input.App}
}

func offerCode(v *view) {
	v.token.Spec.DeviceFlow = &v1alpha1.DeviceFlow{}
	v.pair.State.Device = &rotation.DeviceAuthorization{
		UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", App: v.input.App,
		DeviceCode: credential.NewDeviceCode("device code").Fingerprint(), Interval: 5 * time.Second,
		OfferedAt: v.input.Now, Since: v.input.Now, ExpiresAt: v.input.Now.Add(15 * time.Minute), Codes: 1,
	}
}

// denyCode ends the series of the code that is offered.
func denyCode(v *view) {
	why := loginNeeded(v, rotation.Decide(v.input), nil)
	v.pair.State.Device.For = newDevices(rotation.SystemClock()).look(v, why).series.For
	v.pair.State.Device.Ended = v1alpha1.ReasonAuthorizationDenied
}

// deviceStop is what the device flow finds in the way.
func deviceStop(v *view) *obstacle {
	r := &Reconciler{devices: newDevices(rotation.SystemClock())}
	decision := rotation.Decide(v.input)
	stop, err := r.goThrough(context.Background(), v, loginNeeded(v, decision, r.obstacleOf(v, decision)))
	if err != nil || v.device.asking {
		panic("a status needs nothing of GitHub")
	}
	return stop
}

func outputStage(err error) *obstacle {
	trouble := troubleOf(v1alpha1.Output{Name: "octocat-git"}, err)
	return &obstacle{reason: trouble.reason, message: trouble.message, stalled: trouble.stalled}
}

func dueNow(v *view) { v.input.Now = v.pair.State.ExpiresAt.Add(-time.Hour); v.now = v.input.Now }

func expire(v *view) { v.input.Now = v.pair.State.ExpiresAt.Add(time.Minute); v.now = v.input.Now }

func suspend(v *view) { v.token.Spec.Suspend, v.input.Suspended = true, true }

func withoutPair(v *view) { v.pair, v.input.Pair = nil, nil }

func condemn(v *view, reason string) {
	v.pair.State.Verdict = &rotation.Verdict{Reason: reason, Fingerprint: v.pair.State.RefreshToken, Time: stageNow}
}

func endAccessToken(v *view) { v.pair.State.AccessTokenEnded = true }

func githubDown(v *view) {
	v.failure = &failure{reason: v1alpha1.ReasonGitHubUnavailable, message: "GitHub answered with an error of its own.", next: v.now.Add(time.Minute)}
	v.input.NotBefore = v.failure.next
}

// stageView is a resource with a good pair, an eighth of whose life is over.
func stageView() *view {
	token := &v1alpha1.GitHubUserToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "8b1c7f2e-0000-4000-8000-000000000001", Generation: 3},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:             v1alpha1.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"},
			RefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: "octocat-seed", Key: "refresh_token"},
		},
	}
	seedPrint := credential.NewRefreshToken("the seed").Fingerprint()
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: ownerOf(token), UID: "secret", Version: "7", Controlled: true,
		State: rotation.State{
			Owner: string(token.UID), App: appOf(token).Key(), RefreshCount: 4,
			AccessToken: credential.NewAccessToken("access").Fingerprint(), RefreshToken: credential.NewRefreshToken("refresh").Fingerprint(),
			IssuedAt: stageNow.Add(-time.Hour), ExpiresAt: stageNow.Add(7 * time.Hour), RefreshTokenExpiresAt: stageNow.Add(4000 * time.Hour),
			Seeds: []rotation.SeedRecord{{Fingerprint: seedPrint}}, User: &rotation.User{Login: "octocat", ID: 583231},
		},
	}
	v := &view{token: token, owner: ownerOf(token), ref: pair.Ref, pair: pair, seed: seed{fingerprint: seedPrint, version: "1"}, now: stageNow}
	v.input = rotation.Input{Owner: v.owner, App: appOf(token).Key(), Pair: pair, Seed: seedPrint, Now: stageNow}
	return v
}

func TestTheStatusOfEachStageOfLifeIsAsWrittenDown(t *testing.T) {
	const folder = "../hack/tools/gitopstest/testdata/statuses"
	known := map[string]bool{}
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			v := stageView()
			if stage.change != nil {
				stage.change(v)
			}
			decision := rotation.Decide(v.input)
			stop := (&Reconciler{}).obstacleOf(v, decision)
			if stage.stop != nil {
				stop = stage.stop(v)
			}
			v.token.Status = *statusOf(v, decision, stop)
			text, err := yaml.Marshal(v.token)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, stage.name+".yaml")
			if *updateStatuses {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != string(want) {
				t.Errorf("the status is another than in %s; if that is right, run: go test ./controllers -run %s -update-statuses\n%s", file, t.Name(), text)
			}
		})
		known[stage.name+".yaml"] = true
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !known[file.Name()] || !strings.HasSuffix(file.Name(), ".yaml") {
			t.Errorf("%s belongs to no stage", file.Name())
		}
	}
}
