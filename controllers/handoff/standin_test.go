package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// apiServer stands in for what a handoff writes to.
type apiServer struct {
	mu sync.Mutex
	// lacking are the permissions that the operator does not have.
	lacking map[permission]bool
	// answer is what a patch is answered with. May be nil.
	answer func(kind, name string) error
	// admit is what admission makes of the annotations of a patch. May be nil.
	admit func(annotations map[string]string)
	// latency is how long each patch takes.
	latency time.Duration

	// patches are those that succeeded, and tries are all, as "kind namespace/name".
	patches, tries []string
	// annotations are those of the last successful patch of each object.
	annotations map[string]map[string]string
	// uids are those that the patches insist on.
	uids        []string
	reviews     []permission
	running     int
	mostRunning int
}

func newAPIServer() *apiServer {
	return &apiServer{lacking: map[permission]bool{}, annotations: map[string]map[string]string{}}
}

func (s *apiServer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	review := object.(*authorizationv1.SelfSubjectAccessReview)
	asked := review.Spec.ResourceAttributes
	if asked.Verb != "patch" {
		return fmt.Errorf("nobody needs to %s", asked.Verb)
	}
	wanted := permission{schema.GroupResource{Group: asked.Group, Resource: asked.Resource}, asked.Namespace}
	s.reviews = append(s.reviews, wanted)
	review.Status.Allowed = !s.lacking[wanted]
	return nil
}

func (s *apiServer) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	what := fmt.Sprintf("%s %s/%s", kind, object.GetNamespace(), object.GetName())
	s.mu.Lock()
	s.running++
	s.mostRunning = max(s.mostRunning, s.running)
	s.tries = append(s.tries, what)
	answer, latency := s.answer, s.latency
	s.mu.Unlock()
	var err error
	select {
	case <-time.After(latency):
		if answer != nil {
			err = answer(kind, object.GetName())
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if err != nil {
		return err
	}
	body, err := patch.Data(object)
	if err != nil {
		return err
	}
	type metadata struct {
		UID         string            `json:"uid"`
		Annotations map[string]string `json:"annotations"`
	}
	var sent struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Template struct {
				Metadata metadata `json:"metadata"`
			} `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return err
	}
	s.patches, s.uids = append(s.patches, what), append(s.uids, sent.Metadata.UID)
	stored := sent.Metadata.Annotations
	if kind != "Pod" {
		stored = sent.Spec.Template.Metadata.Annotations
	}
	if s.admit != nil {
		s.admit(stored)
	}
	s.annotations[what] = stored
	if kind == "Pod" {
		object.SetAnnotations(stored)
	}
	return nil
}

// tried is how many patches were tried.
func (s *apiServer) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tries)
}

func policySaysNo(string, string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", fmt.Errorf("policy says no to ghu_0123456789abcdefghij"))
}

func notThere(kind, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: kind}, name)
}

// webhookSays is the answer of an admission webhook, with a code that is another's, as the API server passes it on.
func webhookSays(code int32) func(string, string) error {
	return func(string, string) error {
		reason := map[int32]metav1.StatusReason{404: metav1.StatusReasonNotFound, 409: metav1.StatusReasonConflict}[code]
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: code, Reason: reason, Message: `admission webhook "hook.example.com" denied the request: not found`,
		}}
	}
}

// podList stands in for the cache of pods.
type podList []corev1.Pod

func (l podList) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	secret, _ := asked.FieldSelector.RequiresExactMatch(indexMountedSecrets)
	for _, pod := range l {
		if pod.Namespace == asked.Namespace && slices.Contains(indexedSecrets(&pod), secret) && (asked.LabelSelector == nil || asked.LabelSelector.Matches(labels.Set(pod.Labels))) {
			list.(*corev1.PodList).Items = append(list.(*corev1.PodList).Items, pod)
		}
	}
	return nil
}

func settledCache(pods ...corev1.Pod) *podCache {
	c := &podCache{cache: podList(pods), clock: rotation.SystemClock(), settled: make(chan struct{})}
	close(c.settled)
	return c
}

// runningPod is a pod that mounts Secrets.
func runningPod(name string, secrets ...string) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, secret := range secrets {
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: secret})
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: secret, VolumeSource: secretVolume(secret)})
	}
	return pod
}

func secretVolume(name string) corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}
}

func projectedVolume(names ...string) corev1.VolumeSource {
	projected := &corev1.ProjectedVolumeSource{}
	for _, name := range names {
		projected.Sources = append(projected.Sources, corev1.VolumeProjection{
			Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		})
	}
	return corev1.VolumeSource{Projected: projected}
}

// world is a Handoff with everything around it, and one resource. Use it in a bubble of synctest.
type world struct {
	t       *testing.T
	api     *apiServer
	store   *memory.Store
	handoff *Handoff
	scope   *scope.Scope
	// late are the outputs that are late, and pending reports whether they may be written in a moment.
	late    []string
	pending bool
	events  []string
	// busy is what Start answers with.
	busy error
	// starts is how often work was started.
	starts int
	work   sync.WaitGroup
}

func newWorld(t *testing.T, spec v1alpha1.Handoff, pods ...corev1.Pod) *world {
	w := &world{t: t, api: newAPIServer(), store: memory.NewStore()}
	w.handoff = w.operator(pods...)
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid", Generation: 1},
		Spec:       v1alpha1.GitHubUserTokenSpec{Handoff: &spec, Outputs: []v1alpha1.Output{{Name: "out"}, {Name: "other"}}},
	}
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat-token"}, Controlled: true,
		State: rotation.State{Owner: "uid", Revision: 1, AccessToken: credential.NewAccessToken("1").Fingerprint(), IssuedAt: time.Now()},
	}
	w.scope = &scope.Scope{Token: token, Pair: pair, Now: time.Now()}
	return w
}

// operator is a process that remembers nothing.
func (w *world) operator(pods ...corev1.Pod) *Handoff {
	w.store = memory.NewStore()
	return assemble(Options{
		Client: w.api, Clock: rotation.SystemClock(), Memory: w.store, Start: w.Start, Recorder: w,
		LateOutputs:    func(*v1alpha1.GitHubUserToken) []string { return w.late },
		OutputsPending: func(types.UID) bool { return w.pending },
	}, map[string]*podCache{metav1.NamespaceAll: settledCache(pods...)})
}

// Start starts what is left to do, as Options.Start.
func (w *world) Start(_ *v1alpha1.GitHubUserToken, work func()) error {
	if w.busy == nil {
		w.starts++
		w.work.Go(work)
	}
	return w.busy
}

// Eventf implements Recorder.
func (w *world) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	w.events = append(w.events, kind+" "+reason+" "+fmt.Sprintf(note, args...))
}

// rotate brings a new token six hours later and hands it over. It returns how long that took.
func (w *world) rotate() time.Duration {
	time.Sleep(6 * time.Hour)
	w.scope.Pair.State.Revision++
	w.scope.Pair.State.IssuedAt = time.Now()
	began := time.Now()
	w.handoff.HandOver(logr.Discard(), w.scope.Token, w.scope.Pair)
	return time.Since(began)
}

// sync is one reconcile. It writes the status, and waits for what was started.
func (w *world) sync() Report {
	w.scope.Now = time.Now()
	report := w.handoff.Sync(logr.Discard(), w.scope)
	w.scope.Token.Status.LastHandoffTime = report.LastHandoff
	w.work.Wait()
	return report
}

// name is how the current token is named to workloads.
func (w *world) name() string { return NameOf(&w.scope.Pair.State) }

func (w *world) takePatches() []string {
	w.api.mu.Lock()
	defer w.api.mu.Unlock()
	patches := w.api.patches
	w.api.patches, w.api.tries, w.api.reviews = nil, nil, nil
	slices.Sort(patches)
	return patches
}

func (w *world) wantPatches(what string, want ...string) {
	w.t.Helper()
	if got := w.takePatches(); !slices.Equal(got, want) {
		w.t.Errorf("%s: patched %q, want %q", what, got, want)
	}
}
