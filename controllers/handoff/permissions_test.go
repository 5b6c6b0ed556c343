package handoff

import (
	"errors"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestHandoffPermissionIsAskedForOnceItIsThere(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	podsHere, podsThere, deploymentsHere := permission{podsResource, "team-a"}, permission{podsResource, "team-b"}, permission{deployments, "team-a"}
	api := newAPIServer()
	p := &permissions{client: api}
	for _, step := range []struct {
		what string
		// lacking are the permissions that are not there from now on.
		lacking []permission
		ask     permission
		// refused: something was just refused.
		refused  bool
		allowed  bool
		requests int
	}{
		{"what is lacking is reported", []permission{podsHere}, podsHere, false, false, 1},
		{"and asked for again", []permission{podsHere}, podsHere, false, false, 1},
		{"until it is there", nil, podsHere, false, true, 1},
		{"then it is known", nil, podsHere, false, true, 0},
		{"even when it is taken away", []permission{podsHere}, podsHere, false, true, 0},
		{"another namespace is another permission", []permission{podsThere}, podsThere, false, false, 1},
		{"and so is another resource", nil, deploymentsHere, false, true, 1},
		{"a refusal has it asked for anew", []permission{podsHere}, podsHere, true, false, 1},
		{"and it is not known any more", nil, podsHere, false, true, 1},
		{"a refusal of somebody else leaves it known", nil, podsHere, true, true, 1},
		{"as this shows", nil, podsHere, false, true, 0},
	} {
		api.lacking, api.reviews = map[permission]bool{}, nil
		for _, lacking := range step.lacking {
			api.lacking[lacking] = true
		}
		ask := p.mayPatch
		if step.refused {
			ask = p.refused
		}
		err := ask(t.Context(), step.ask.resource, step.ask.namespace)
		var forbidden *ForbiddenError
		if (err == nil) != step.allowed || err != nil && !errors.As(err, &forbidden) {
			t.Errorf("%s: got %v", step.what, err)
		}
		if len(api.reviews) != step.requests {
			t.Errorf("%s: %d requests, want %d", step.what, len(api.reviews), step.requests)
		}
	}
}

func TestHandoffAsksForWhatTheSpecNeedsOnly(t *testing.T) {
	deployments, statefulSets := kinds["Deployment"].GroupResource(), kinds["StatefulSet"].GroupResource()
	here := func(resources ...schema.GroupResource) (all []permission) {
		for _, resource := range resources {
			all = append(all, permission{resource, "team-a"})
		}
		return all
	}
	for what, c := range map[string]struct {
		spec v1alpha1.Handoff
		want []permission
		fine bool
		// lacking are the permissions that are not there.
		lacking []permission
	}{
		"pods":        {v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}, here(podsResource), true, nil},
		"a kind once": {v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: "a"}, {Kind: "Deployment", Name: "b"}, {Kind: "StatefulSet", Name: "a"}}}, here(deployments, statefulSets), true, nil},
		"a kind once, although the permission is lacking": {
			v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: "a"}, {Kind: "Deployment", Name: "b"}}},
			here(deployments), false, here(deployments),
		},
		"both":            {v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync, Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: "a"}}}, here(podsResource, deployments), true, nil},
		"a bad name too":  {v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: ".."}}}, here(deployments), false, nil},
		"no unknown kind": {v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Job", Name: "a"}}}, nil, false, nil},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, c.spec)
			for _, lacking := range c.lacking {
				w.api.lacking[lacking] = true
			}
			if err := w.handoff.permitted(t.Context(), w.scope.Token); (err == nil) != c.fine {
				t.Errorf("got %v", err)
			}
			if !slices.Equal(w.api.reviews, c.want) {
				t.Errorf("asked for %v, want %v", w.api.reviews, c.want)
			}
		})
	}
}
