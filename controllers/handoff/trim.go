package handoff

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	// maxAnnouncement is how long what a pod was told may be, and maxMounts how many Secrets one may mount that are
	// looked at. Nothing that a handoff writes is longer, and no pod that runs mounts more.
	maxAnnouncement = 8 << 10
	maxMounts       = 128
)

// trimPod is a transform of the cache: it cuts a pod to what a handoff looks at. To apply it twice changes
// nothing, as client-go asks of a transform.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	trimmed := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	if text, notified := pod.Annotations[v1alpha1.AnnotationRefreshedAt]; notified && len(text) <= maxAnnouncement {
		trimmed.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: text}
	}
	mounted := mountedSecrets(&pod.Spec)
	for _, secret := range mounted[:min(len(mounted), maxMounts)] {
		if len(trimmed.Spec.Containers) == 0 {
			trimmed.Spec.Containers = make([]corev1.Container, 1)
		}
		mounts := &trimmed.Spec.Containers[0].VolumeMounts
		*mounts = append(*mounts, corev1.VolumeMount{Name: secret})
		trimmed.Spec.Volumes = append(trimmed.Spec.Volumes, corev1.Volume{
			Name: secret, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}},
		})
	}
	return trimmed, nil
}
