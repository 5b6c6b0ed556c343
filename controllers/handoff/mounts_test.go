package handoff

import (
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestHandoffSecretsThatAPodMounts(t *testing.T) {
	mount := func(names ...string) (mounts []corev1.VolumeMount) {
		for _, name := range names {
			mounts = append(mounts, corev1.VolumeMount{Name: name})
		}
		return mounts
	}
	volume := func(name string, source corev1.VolumeSource) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: source}
	}
	for what, c := range map[string]struct {
		spec corev1.PodSpec
		want []string
	}{
		"as a volume": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, []string{"s"},
		},
		"as part of a projected one": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", projectedVolume("t", "s"))}}, []string{"s", "t"},
		},
		"beside other sources of a projected one": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{}}, {Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}},
			}})}}, []string{"s"},
		},
		"in a container that goes before the others": {
			corev1.PodSpec{InitContainers: []corev1.Container{{VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, []string{"s"},
		},
		"in one that was added later": {
			corev1.PodSpec{
				EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{VolumeMounts: mount("v")}}},
				Volumes:             []corev1.Volume{volume("v", secretVolume("s"))},
			}, []string{"s"},
		},
		"twice, and named once": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v", "w")}}, Volumes: []corev1.Volume{volume("v", secretVolume("s")), volume("w", projectedVolume("s"))}}, []string{"s"},
		},
		"not when no container mounts the volume": {
			corev1.PodSpec{Containers: []corev1.Container{{}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, nil,
		},
		"not by a subPath, which never changes": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "v", SubPath: "x"}}}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, nil,
		},
		"not by an expression for one": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "v", SubPathExpr: "$(X)"}}}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, nil,
		},
		"by a subPath and as a whole": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "v", SubPath: "x"}}}, {VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", secretVolume("s"))}}, []string{"s"},
		},
		"not what is no Secret": {
			corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v")}}, Volumes: []corev1.Volume{volume("v", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})}}, nil,
		},
	} {
		t.Run(what, func(t *testing.T) {
			if got := mountedSecrets(&c.spec); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			pod := &corev1.Pod{Spec: c.spec}
			trimmed, err := trimPod(pod)
			if err != nil {
				t.Fatal(err)
			}
			if got := indexedSecrets(trimmed.(*corev1.Pod)); !slices.Equal(got, c.want) {
				t.Errorf("after it was cut: %v, want %v", got, c.want)
			}
		})
	}
}

func TestHandoffAPodInTheCacheIsCutToWhatIsLookedAt(t *testing.T) {
	gone := metav1.NewTime(time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "web", UID: "1", ResourceVersion: "7", DeletionTimestamp: &gone, Labels: map[string]string{"app": "web"},
			Annotations:   map[string]string{"other": "x", v1alpha1.AnnotationRefreshedAt: "y"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node",
			Containers: []corev1.Container{{
				Env: []corev1.EnvVar{{Name: "SECRET", Value: "do not keep"}}, VolumeMounts: []corev1.VolumeMount{{Name: "a"}, {Name: "b"}},
			}},
			Volumes: []corev1.Volume{{Name: "a", VolumeSource: secretVolume("one")}, {Name: "b", VolumeSource: projectedVolume("two")}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "192.0.2.1"},
	}
	once, err := trimPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "web", UID: "1", ResourceVersion: "7", DeletionTimestamp: &gone,
			Annotations: map[string]string{v1alpha1.AnnotationRefreshedAt: "y"},
		},
		Spec: corev1.PodSpec{
			NodeName:   "node",
			Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "one"}, {Name: "two"}}}},
			Volumes:    []corev1.Volume{{Name: "one", VolumeSource: secretVolume("one")}, {Name: "two", VolumeSource: secretVolume("two")}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if !reflect.DeepEqual(once, want) {
		t.Errorf("got %+v, want %+v", once, want)
	}
	twice, err := trimPod(once)
	if err != nil || !reflect.DeepEqual(once, twice) {
		t.Errorf("to cut a pod twice is not the same as to cut it once: %+v, %v", twice, err)
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "team-a/web"}
	if left, err := trimPod(tombstone); err != nil || !reflect.DeepEqual(left, tombstone) {
		t.Errorf("what is no pod became %+v, %v", left, err)
	}
}
