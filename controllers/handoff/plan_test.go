package handoff

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestHandoffPlan(t *testing.T) {
	issued := time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
	state := rotation.State{Revision: 7, IssuedAt: issued}
	current, former := NameOf(&state), NameOf(&rotation.State{IssuedAt: issued.Add(-6 * time.Hour)})
	formerTime := TimeOf(&rotation.State{IssuedAt: issued.Add(-6 * time.Hour)})
	syncPods := v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	restart := v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: "web"}}}
	both := v1alpha1.Handoff{Pods: syncPods.Pods, Restart: restart.Restart}
	all := announcement{token: current}
	lacking := func(outputs ...string) announcement { return announcement{current, outputs} }
	const generation = 3
	permitted := func(n note) note { n.permitted, n.tried = generation, generation; return n }

	for name, c := range map[string]struct {
		note  note
		spec  v1alpha1.Handoff
		late  []string
		after time.Duration // After the token was issued; two seconds when zero.
		state func(*rotation.State)
		last  *metav1.MicroTime
		want  plan
		// restarted is what the note has to have of workloads afterwards; not looked at when empty.
		restarted string
		// forgives: a trouble that there was is forgotten.
		forgives bool
	}{
		"nothing is left when all was done":                     {note: permitted(note{notified: all, restarted: all}), spec: both, forgives: true},
		"permissions are asked for a spec that was not tried":   {note: note{notified: all, restarted: all}, spec: both, want: plan{permissions: true}, forgives: true},
		"permissions are asked again when the spec has changed": {note: note{notified: all, restarted: all, permitted: generation - 1, tried: generation - 1}, spec: both, want: plan{permissions: true}, forgives: true},
		"permissions that were lacking are asked for again":     {note: note{notified: all, restarted: all, tried: generation}, spec: both, want: plan{permissions: true}},

		"pods are notified of a new token":                     {note: permitted(note{notified: announcement{token: former}}), spec: syncPods, want: plan{pods: true}},
		"pods are notified by a process that knows nothing":    {note: permitted(note{}), spec: syncPods, want: plan{pods: true}},
		"pods are left alone when only restarts are asked for": {note: permitted(note{restarted: all}), spec: restart, forgives: true},
		"pods are left alone when that is asked for":           {note: permitted(note{restarted: all}), spec: v1alpha1.Handoff{Pods: v1alpha1.PodHandoffNone, Restart: restart.Restart}, forgives: true},
		"pods are left to the kubelet when its period is over": {note: permitted(note{}), spec: syncPods, after: kubeletPeriod, forgives: true},
		"pods are notified just before that":                   {note: permitted(note{}), spec: syncPods, after: kubeletPeriod - time.Second, want: plan{pods: true}},
		"pods are notified again when an output catches up, however late": {
			note: permitted(note{notified: lacking("out"), late: []string{"out"}}), spec: syncPods, after: time.Hour, want: plan{pods: true},
		},
		"and still a while after that": {
			note: permitted(note{notified: lacking("out"), caughtUp: issued.Add(time.Hour - time.Minute)}), spec: syncPods, after: time.Hour, want: plan{pods: true},
		},
		"but not for ever": {
			note: permitted(note{notified: lacking("out"), caughtUp: issued.Add(time.Hour - kubeletPeriod)}), spec: syncPods, after: time.Hour, forgives: true,
		},
		"pods are not notified again while an output stays late":         {note: permitted(note{notified: lacking("out"), late: []string{"out"}}), spec: syncPods, late: []string{"out"}, forgives: true},
		"pods are not notified when an output falls behind":              {note: permitted(note{notified: all}), spec: syncPods, late: []string{"out"}, forgives: true},
		"pods are not notified of an output that is not wanted any more": {note: permitted(note{notified: lacking("removed"), late: []string{"removed"}}), spec: syncPods, forgives: true},

		"workloads are restarted for a new token": {
			note: permitted(note{restarted: announcement{token: former}}), spec: restart, last: formerTime, want: plan{restart: true},
		},
		"workloads are restarted for a new token by a process that knows nothing": {
			note: permitted(note{}), spec: restart, last: formerTime, want: plan{restart: true},
		},
		"however long ago it was issued": {
			note: permitted(note{}), spec: restart, last: formerTime, after: 6 * time.Hour, want: plan{restart: true},
		},
		"workloads are not restarted when the status says that they were": {
			note: permitted(note{}), spec: restart, last: TimeOf(&state), restarted: current, forgives: true,
		},
		"workloads are not restarted for the first token": {
			note: permitted(note{}), spec: restart, last: formerTime, state: func(s *rotation.State) { s.Revision = 1 }, restarted: current, forgives: true,
		},
		"workloads are not restarted when the handoff was asked for just now": {
			note: permitted(note{}), spec: restart, restarted: current, forgives: true,
		},
		"workloads are restarted again when a late output catches up": {
			note: permitted(note{restarted: lacking("out")}), spec: restart, last: formerTime, want: plan{restart: true},
		},
		"even when the status says that they were restarted": {
			note: permitted(note{restarted: lacking("out")}), spec: restart, last: TimeOf(&state), want: plan{restart: true},
		},
		"workloads are not restarted again while it stays late": {
			note: permitted(note{restarted: lacking("out")}), spec: restart, late: []string{"out"}, last: formerTime, restarted: current + " without out", forgives: true,
		},
		"workloads are not restarted for an output that is not wanted any more": {
			note: permitted(note{restarted: lacking("removed")}), spec: restart, last: formerTime, restarted: current, forgives: true,
		},

		"a trouble stays while something is left to do":          {note: permitted(note{}), spec: both, last: formerTime, want: plan{pods: true, restart: true}},
		"a trouble of another spec is forgotten, to try at once": {note: note{permitted: generation, tried: generation - 1}, spec: both, last: formerTime, want: plan{pods: true, restart: true}, forgives: true},
	} {
		t.Run(name, func(t *testing.T) {
			token := &v1alpha1.GitHubUserToken{
				ObjectMeta: metav1.ObjectMeta{Generation: generation},
				Spec:       v1alpha1.GitHubUserTokenSpec{Handoff: &c.spec, Outputs: []v1alpha1.Output{{Name: "out"}}},
				Status:     v1alpha1.GitHubUserTokenStatus{LastHandoffTime: c.last},
			}
			now := state
			if c.state != nil {
				c.state(&now)
			}
			if c.after == 0 {
				c.after = 2 * time.Second
			}
			n := c.note
			n.trouble = &trouble{problem: problem.Problem{Reason: v1alpha1.ReasonHandoffIncomplete}}
			if got := n.plan(token, &now, c.late, issued.Add(c.after)); got != c.want {
				t.Errorf("left to do is %+v, want %+v", got, c.want)
			}
			if got := n.restarted.String(); c.restarted != "" && got != c.restarted {
				t.Errorf("workloads are taken to know of %q, want %q", got, c.restarted)
			}
			if (n.trouble == nil) != c.forgives {
				t.Errorf("the trouble is %+v, want it forgotten: %t", n.trouble, c.forgives)
			}
		})
	}
}
