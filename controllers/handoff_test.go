package controllers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/validnames"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// withHandoff is a world whose operator runs with --enable-handoff.
func withHandoff(t *testing.T) *world {
	t.Helper()
	return newWorld(t, worldOptions{controller: func(options *Options) { options.EnableHandoff = true }})
}

// permitHandoff binds the Role of config/components/handoff in the world's namespace, as a namespaced
// install does.
func (w *world) permitHandoff() {
	w.t.Helper()
	for file, object := range map[string]client.Object{"role.yaml": &rbacv1.Role{}, "role_binding.yaml": &rbacv1.RoleBinding{}} {
		text, err := os.ReadFile(filepath.Join("../config/components/handoff/role", file))
		w.must(err)
		w.must(yaml.UnmarshalStrict(text, object))
		object.SetNamespace(w.namespace)
		w.create(object)
	}
}

// pod creates a pod that runs as far as the API server knows, with the volumes given.
func (w *world) pod(name string, change func(*corev1.Pod), volumes ...corev1.VolumeSource) {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: corev1.PodSpec{
			NodeName: "nowhere", AutomountServiceAccountToken: new(bool),
			Containers: []corev1.Container{{Name: "main", Image: "none"}},
		},
	}
	for i, source := range volumes {
		volume := fmt.Sprintf("v%d", i)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: source})
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: "/" + volume})
	}
	if change != nil {
		change(pod)
	}
	phase := pod.Status.Phase
	w.eventually("pod "+name, func() (bool, string) { // The namespace's service account may not be there yet.
		err := admin.Create(w.ctx, pod)
		return err == nil, fmt.Sprint(err)
	})
	if phase == "" {
		phase = corev1.PodRunning
	}
	created := pod.DeepCopy()
	pod.Status.Phase = phase
	w.must(admin.Status().Patch(w.ctx, pod, client.MergeFrom(created))) // The operator may have told the pod of a token meanwhile.
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

// toldPods are the pods that carry the annotation, with its value.
func (w *world) toldPods() map[string]string {
	w.t.Helper()
	var pods corev1.PodList
	w.must(admin.List(w.ctx, &pods, client.InNamespace(w.namespace)))
	told := map[string]string{}
	for _, pod := range pods.Items {
		if value, ok := pod.Annotations[v1alpha1.AnnotationRefreshedAt]; ok {
			told[pod.Name] = value
		}
	}
	return told
}

func TestHandoffPodsThatMountTheTokenAreToldOfANewOne(t *testing.T) {
	t.Parallel()
	w := withHandoff(t)
	w.permitHandoff()
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatOpaque}}
	token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	w.create(token)
	first := w.ready("octocat")
	w.output("out", access(first))

	w.pod("mounts-the-pair", nil, secretVolume("octocat-token"))
	w.pod("mounts-an-output", nil, secretVolume("unrelated"), projectedVolume("unrelated", "out"))
	w.pod("mounts-both", nil, secretVolume("octocat-token"), secretVolume("out"))
	w.pod("is-pending-on-a-node", func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodPending }, secretVolume("out"))
	w.pod("mounts-something-else", nil, secretVolume("octocat-seed"), projectedVolume("unrelated"))
	w.pod("mounts-a-subpath-only", func(pod *corev1.Pod) { pod.Spec.Containers[0].VolumeMounts[0].SubPath = "access_token" }, secretVolume("out"))
	w.pod("has-no-node-yet", func(pod *corev1.Pod) { pod.Spec.NodeName = ""; pod.Status.Phase = corev1.PodPending }, secretVolume("out"))
	w.pod("is-done", func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }, secretVolume("out"))
	wanted := []string{"is-pending-on-a-node", "mounts-an-output", "mounts-both", "mounts-the-pair"}
	w.account("octocat")
	w.settle()

	then := w.meter.read()
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.eventually("the pods to be told", func() (bool, string) {
		told := w.toldPods()
		return len(told) >= len(wanted), fmt.Sprint(told)
	})
	w.settle()
	told := w.toldPods()
	last := w.get("octocat").Status.LastRefreshTime.UTC().Format("2006-01-02T15:04:05.")
	for _, name := range wanted {
		if !strings.HasPrefix(told[name], last) {
			t.Errorf("pod %s was told of %q, want %q", name, told[name], last)
		}
		delete(told, name)
	}
	if len(told) > 0 {
		t.Errorf("these pods were told for nothing: %v", told)
	}
	writes, _, _ := w.meter.since(then)
	if want := 3 + 1 + len(wanted); len(writes) != want {
		t.Errorf("%d writes for a rotation with one output and %d pods, want %d: %v", len(writes), len(wanted), want, writes)
	}
	if text := suite.Describe(w.get("octocat")); strings.Contains(text, "Handoff") {
		t.Errorf("a handoff that works is reported as trouble: %s", text)
	}
	w.quiet()

	then = w.meter.read()
	w.restart()
	w.quiet()
	writes, _, _ = w.meter.since(then)
	for _, write := range writes {
		if strings.Contains(write, "/pods/") {
			t.Errorf("a restart of the operator tells a pod again: %s", write)
		}
	}
}

// workloads creates a Deployment, a StatefulSet and a DaemonSet of a name, and returns references to them.
func (w *world) workloads(name string) []v1alpha1.WorkloadReference {
	w.t.Helper()
	meta := metav1.ObjectMeta{Namespace: w.namespace, Name: name}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: selector.MatchLabels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	w.create(&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32), Selector: selector, Template: template}})
	w.create(&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: new(int32), Selector: selector, Template: template}})
	w.create(&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}})
	return []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: name}, {Kind: "StatefulSet", Name: name}, {Kind: "DaemonSet", Name: name}}
}

// restarted are the values of the restart annotations of a workload, and its generation.
func (w *world) restarted(reference v1alpha1.WorkloadReference) (map[string]string, int64) {
	w.t.Helper()
	object := &unstructured.Unstructured{}
	resource, known := handoff.ResourceOf(reference.Kind)
	if !known {
		w.t.Fatalf("nothing is known of the kind %s", reference.Kind)
	}
	object.SetAPIVersion(resource.GroupVersion().String())
	object.SetKind(reference.Kind)
	w.must(admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: reference.Name}, object))
	annotations, _, err := unstructured.NestedStringMap(object.Object, "spec", "template", "metadata", "annotations")
	w.must(err)
	for key := range annotations {
		if !strings.HasPrefix(key, v1alpha1.AnnotationPrefixRestartedFor) {
			delete(annotations, key)
		}
	}
	return annotations, object.GetGeneration()
}

// handedOver waits until the status says that the workloads were told of the current token, and returns
// how the token is named to them.
func (w *world) handedOver(name string) string {
	w.t.Helper()
	pair, stateLost := pairsecret.FromMetadata(&w.pair(name + "-token").ObjectMeta)
	if stateLost {
		w.t.Fatal("the pair has no state")
	}
	w.eventually("the handoff of "+name, func() (bool, string) {
		last := w.get(name).Status.LastHandoffTime
		return last != nil && last.Equal(handoff.TimeOf(&pair.State)), fmt.Sprintf("handed over %v; %s", last, suite.Describe(w.get(name)))
	})
	return handoff.NameOf(&pair.State)
}

func TestHandoffWorkloadsAreRestartedOnceForEachRotation(t *testing.T) {
	t.Parallel()
	w := withHandoff(t)
	w.permitHandoff()
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	references := w.workloads("web")
	token.Spec.Handoff = &v1alpha1.Handoff{Restart: append(references, v1alpha1.WorkloadReference{Kind: "Deployment", Name: "not-there"})}
	w.create(token)
	w.ready("octocat")
	w.handedOver("octocat")
	for _, reference := range references {
		if annotations, _ := w.restarted(reference); len(annotations) != 0 {
			t.Errorf("%s was restarted for the first token, which nobody waited for", reference.Kind)
		}
	}
	const key = v1alpha1.AnnotationPrefixRestartedFor + "octocat"
	for i := range 2 {
		w.request("octocat", fmt.Sprint(i))
		w.refreshed("octocat", int64(i)+2)
		at := w.handedOver("octocat")
		w.settle()
		for _, reference := range references {
			annotations, generation := w.restarted(reference)
			if len(annotations) != 1 || annotations[key] != at || generation != int64(i)+2 {
				t.Errorf("%s has the annotations %v and generation %d after rotation %d, want %s", reference.Kind, annotations, generation, i+1, at)
			}
		}
	}
	w.eventually("an event about the workload that is not there", func() (bool, string) {
		var events eventsv1.EventList
		w.must(admin.List(w.ctx, &events, client.InNamespace(w.namespace)))
		return slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Reason == handoff.EventTargetMissing && strings.Contains(e.Note, "not-there")
		}), fmt.Sprint(len(events.Items))
	})
	if text := suite.Describe(w.get("octocat")); strings.Contains(text, v1alpha1.ConditionStalled) || strings.Contains(text, v1alpha1.ConditionReconciling) {
		t.Errorf("a workload that is not there makes the resource look ill: %s", text)
	}

	then := w.meter.read()
	w.restart()
	w.quiet()
	writes, _, _ := w.meter.since(then)
	for _, write := range writes {
		if strings.Contains(write, "/apis/apps/") {
			t.Errorf("a restart of the operator restarts a workload: %s", write)
		}
	}
}

// annotationOf is what the restart annotation of a workload says for a token.
func (w *world) annotationOf(reference v1alpha1.WorkloadReference, name string) string {
	w.t.Helper()
	annotations, _ := w.restarted(reference)
	return annotations[v1alpha1.AnnotationPrefixRestartedFor+name]
}

func TestHandoffWhoReadsAnOutputThatIsLateIsToldWhenItIsWritten(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	w := newWorld(t, worldOptions{
		controller: func(options *Options) { options.EnableHandoff = true },
		config: func(config *rest.Config) {
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(request *http.Request) (*http.Response, error) {
					if cut.Load() && request.Method != http.MethodGet && strings.HasSuffix(request.URL.Path, "/secrets/late") {
						return nil, errors.New("connection refused")
					}
					return next.RoundTrip(request)
				})
			})
		},
	})
	w.permitHandoff()
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	web := w.workloads("web")[0]
	token.Spec.Outputs = []v1alpha1.Output{{Name: "late", Format: v1alpha1.OutputFormatOpaque}, {Name: "prompt", Format: v1alpha1.OutputFormatOpaque}}
	token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync, Restart: []v1alpha1.WorkloadReference{web}}
	w.create(token)
	w.output("late", access(w.ready("octocat")))
	w.pod("mounts-the-late-one", nil, secretVolume("late"))
	w.pod("mounts-both", nil, projectedVolume("late", "prompt"))
	w.pod("mounts-the-prompt-one", nil, secretVolume("prompt"))
	w.handedOver("octocat")
	w.settle()

	cut.Store(true)
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.eventually("the pods to be told of what was written", func() (bool, string) {
		told := w.toldPods()
		return len(told) == 2 && told["mounts-both"] == told["mounts-the-prompt-one"]+" without late", fmt.Sprint(told)
	})
	if _, generation := w.restarted(web); generation != 1 {
		t.Error("the workload was restarted before the output was written, which may happen in a moment")
	}
	w.settle()
	cut.Store(false)
	w.output("late", access(w.pair("octocat-token")))
	at := w.handedOver("octocat")
	w.eventually("the pods to be told of the late output", func() (bool, string) {
		told := w.toldPods()
		return len(told) == 3 && told["mounts-the-late-one"] == at && told["mounts-both"] == at && told["mounts-the-prompt-one"] == at, fmt.Sprint(told)
	})
	w.settle()
	if _, generation := w.restarted(web); generation != 2 || w.annotationOf(web, "octocat") != at {
		t.Errorf("the workload has generation %d and was restarted for %q, want %q", generation, w.annotationOf(web, "octocat"), at)
	}
	patches := map[string]int{}
	writes, _, _ := w.meter.since(reading{})
	for _, write := range writes {
		if _, pod, ok := strings.Cut(write, "/pods/"); ok {
			patches[pod]++
		}
	}
	if want := map[string]int{"mounts-the-late-one": 1, "mounts-both": 2, "mounts-the-prompt-one": 1}; !maps.Equal(patches, want) {
		t.Errorf("the pods were written %v, want %v", patches, want)
	}
}

func TestHandoffWorkloadsAreRestartedAgainWhenARefusedOutputIsWritten(t *testing.T) {
	t.Parallel()
	var refusing writeRefusal
	w := newWorld(t, worldOptions{
		controller: func(options *Options) { options.EnableHandoff = true },
		config:     func(config *rest.Config) { config.Wrap(refusing.wrap) },
	})
	w.permitHandoff()
	w.secret("foreign", map[string]string{"somebody": "else"})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	web := w.workloads("web")[0]
	token.Spec.Outputs = []v1alpha1.Output{{Name: "foreign", Format: v1alpha1.OutputFormatOpaque}, {Name: "refused-output", Format: v1alpha1.OutputFormatOpaque}}
	token.Spec.Handoff = &v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{web}}
	w.create(token)
	w.output("refused-output", access(w.ready("octocat")))
	first := w.handedOver("octocat")
	w.settle()

	restartedFor := func(generation int64, without string) (at string) {
		t.Helper()
		w.eventually("the restart"+without, func() (bool, string) {
			annotations, now := w.restarted(web)
			at = annotations[v1alpha1.AnnotationPrefixRestartedFor+"octocat"]
			return now == generation && strings.HasSuffix(at, "Z"+without), fmt.Sprintf("generation %d, %q", now, at)
		})
		w.settle()
		if _, now := w.restarted(web); now != generation {
			t.Errorf("the workload has generation %d, want %d", now, generation)
		}
		return at
	}
	refusing.set("refused-output")
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	restartedFor(2, " without foreign,refused-output") // What reads the pair need not wait for what may never be written.
	if last := w.get("octocat").Status.LastHandoffTime.UTC().Format(metav1.RFC3339Micro); last != first {
		t.Errorf("the status says that the workloads know the token of %s, and some cannot", last)
	}

	w.restart()
	restartedFor(2, " without foreign,refused-output")
	w.stop()
	refusing.set("")
	w.restart() // It finds the output late no more, and has not seen it late.
	restartedFor(3, " without foreign")
	w.must(admin.Delete(w.ctx, w.pair("foreign")))
	if at := restartedFor(4, ""); at != w.handedOver("octocat") {
		t.Errorf("the workload was restarted for %q, which is not the current token", at)
	}
	w.restart()
	restartedFor(4, "")
}

func TestHandoffWithoutPermissionIsReportedAndMadeUpFor(t *testing.T) {
	t.Parallel()
	w := withHandoff(t)
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	references := w.workloads("web")
	token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync, Restart: references}
	w.create(token)
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonHandoffForbidden)
	for _, want := range []string{"may not", "config/components/handoff", "github-user-token-operator-handoff"} {
		if !strings.Contains(stalled.Message, want) {
			t.Errorf("the message does not say %q: %s", want, stalled.Message)
		}
	}
	w.ready("octocat")
	w.pod("reader", nil, secretVolume("octocat-token"))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.alive("octocat-token")
	if next := w.get("octocat").Status.NextRefreshTime; next == nil {
		t.Error("nextRefreshTime is gone because of the handoff")
	}
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonHandoffForbidden)

	w.stop() // A new operator knows of it as well.
	w.permitHandoff()
	w.restart()
	at := w.handedOver("octocat")
	for _, reference := range references {
		if annotations, _ := w.restarted(reference); annotations[v1alpha1.AnnotationPrefixRestartedFor+"octocat"] != at {
			t.Errorf("%s was not restarted: %v", reference.Kind, annotations)
		}
	}
	w.eventually("the pod to be told", func() (bool, string) { return w.toldPods()["reader"] == at, fmt.Sprint(w.toldPods()) })
	w.eventually("Stalled to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionStalled), text
	})
	w.quiet()
}

func TestHandoffThatAPolicyRefusesIsNotTakenForALackOfPermission(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	w := newWorld(t, worldOptions{
		controller: func(options *Options) { options.EnableHandoff = true },
		config: func(config *rest.Config) {
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(request *http.Request) (*http.Response, error) {
					if refuses.Load() && (strings.Contains(request.URL.Path, "/pods/") || strings.Contains(request.URL.Path, "/deployments/")) {
						return forbidden("admission webhook denied the request: policy says no"), nil
					}
					return next.RoundTrip(request)
				})
			})
		},
	})
	w.permitHandoff()
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync, Restart: w.workloads("web")[:1]}
	w.create(token)
	w.ready("octocat")
	w.pod("reader", nil, secretVolume("octocat-token"))
	w.handedOver("octocat")
	w.settle()

	refuses.Store(true)
	w.request("octocat", "refused by a policy")
	w.refreshed("octocat", 2)
	incomplete := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonHandoffIncomplete)
	if !strings.Contains(incomplete.Message, "policy says no") {
		t.Errorf("the message does not have the API server's words: %s", incomplete.Message)
	}
	refuses.Store(false)
	w.handedOver("octocat")

	// One that is taken away after it was found to be there is told from that.
	w.must(admin.DeleteAllOf(w.ctx, &rbacv1.RoleBinding{}, client.InNamespace(w.namespace)))
	w.eventually("the permission to be gone", func() (bool, string) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: w.namespace, Verb: "patch", Resource: "pods"},
		}}
		w.must(w.reconciler.Client.Create(w.ctx, review))
		return !review.Status.Allowed, "it may still"
	})
	w.request("octocat", "refused for want of a permission")
	w.refreshed("octocat", 3)
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonHandoffForbidden)
}

func TestHandoffThatTheOperatorWasNotStartedForIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	w.create(token)
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonHandoffDisabled)
	if !strings.Contains(stalled.Message, "--enable-handoff") {
		t.Errorf("the message does not say what to do: %s", stalled.Message)
	}
	w.ready("octocat")
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Handoff = nil })
	w.eventually("Stalled to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionStalled), text
	})
	w.quiet()
}

func TestHandoffArgoRolloutsAreRestartedWhereTheyAreInstalled(t *testing.T) {
	t.Parallel()
	w := withHandoff(t)
	w.permitHandoff()
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	reference := v1alpha1.WorkloadReference{Kind: "Rollout", Name: "web"}
	token.Spec.Handoff = &v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{reference}}
	w.create(token)
	w.ready("octocat")
	w.handedOver("octocat")
	w.request("octocat", "without the CRD")
	w.refreshed("octocat", 2)
	w.handedOver("octocat") // There is nothing to restart, which is no trouble.

	crd := rolloutCRD()
	w.create(crd)
	t.Cleanup(func() { // It is the whole cluster's: a second run is to begin without it.
		w.remove(crd)
		w.gone(crd)
	})
	rollout := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
		"metadata": map[string]any{"namespace": w.namespace, "name": "web"},
		"spec":     map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}}},
	}}
	w.eventually("the CRD to be served", func() (bool, string) {
		err := admin.Create(w.ctx, rollout.DeepCopy())
		return err == nil, fmt.Sprint(err)
	})
	w.request("octocat", "with the CRD")
	w.refreshed("octocat", 3)
	at := w.handedOver("octocat")
	if annotations, _ := w.restarted(reference); annotations[v1alpha1.AnnotationPrefixRestartedFor+"octocat"] != at {
		t.Errorf("the Rollout was not restarted: %v", annotations)
	}
}

// rolloutCRD is as much of Argo Rollouts as matters here.
func rolloutCRD() client.Object {
	schema := map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "rollouts.argoproj.io", "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"}},
		"spec": map[string]any{
			"group": "argoproj.io", "scope": "Namespaced",
			"names":    map[string]any{"kind": "Rollout", "plural": "rollouts", "singular": "rollout", "listKind": "RolloutList"},
			"versions": []any{map[string]any{"name": "v1alpha1", "served": true, "storage": true, "schema": schema}},
		},
	}}
}

// What was stored under an older CRD may have any name.
func TestHandoffWorkloadOfAnotherNamespaceIsNeverRestarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2, controller: func(options *Options) { options.EnableHandoff = true }})
	own, other := w.namespaces[0], w.namespaces[1]
	w.namespace = other
	w.permitHandoff()
	victim := w.workloads("web")[0]
	w.namespace = own
	w.permitHandoff()
	w.startWith("octocat")
	w.settle()
	w.stop()

	token := w.get("octocat")
	name := "../../" + other + "/deployments/web"
	token.Spec.Handoff = &v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: name}}}
	pair, _ := pairsecret.FromMetadata(&w.pair("octocat-token").ObjectMeta)
	pair.State.Revision++
	s := &scope.Scope{Token: token, Owner: pair.Owner, Ref: pair.Ref, Pair: pair, Now: time.Now()}
	w.reconciler.handoff.HandOver(logr.Discard(), token, pair)
	found := w.reconciler.handoff.Sync(logr.Discard(), s).Problem
	if found == nil || found.Reason != v1alpha1.ReasonHandoffIncomplete || !found.Stalled || !strings.Contains(found.Message, strconv.Quote(name)) {
		t.Errorf("the problem is %+v", found)
	}
	w.namespace = other
	if annotations, generation := w.restarted(victim); len(annotations) > 0 || generation != 1 {
		t.Errorf("a Deployment of another namespace has the annotations %v and generation %d", annotations, generation)
	}

	token.Generation++ // A correction is tried at once.
	if found := w.reconciler.handoff.Sync(logr.Discard(), s).Problem; found != nil {
		t.Errorf("the problem outlives the spec that it was about: %+v", found)
	}
}

func TestHandoffNoNameLeadsToAnotherNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true, namespaces: 2})
	astray := client.ObjectKey{Namespace: w.namespaces[0], Name: "../../" + w.namespaces[1] + "/secrets/github-app"}
	object := secretMetadata(astray)
	if err := admin.Get(w.ctx, astray, object.DeepCopy()); err != nil {
		t.Fatalf("the client itself does not go astray any more, so nothing has to be guarded: %v", err)
	}
	if err := (validnames.Reader{Reader: admin}).Get(w.ctx, astray, object.DeepCopy()); !apierrors.IsNotFound(err) {
		t.Errorf("an object of another namespace is read: %v", err)
	}
	guarded := validnames.Client{Client: admin}
	if err := guarded.Patch(w.ctx, object.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`))); err == nil {
		t.Error("an object of another namespace is patched")
	}
	if err := guarded.Delete(w.ctx, object.DeepCopy()); err == nil {
		t.Error("an object of another namespace is deleted")
	}
	w.namespace = w.namespaces[1]
	if len(w.pair("github-app").Labels) > 0 {
		t.Error("the Secret was changed")
	}
}
