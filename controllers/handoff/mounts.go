package handoff

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// indexMountedSecrets is the index of the cache of pods by mountedSecrets.
const indexMountedSecrets = "mountedSecrets"

func indexedSecrets(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return mountedSecrets(&pod.Spec)
}

// mountedSecrets are the Secrets that a pod mounts as volumes, whole or as part of a projected one; sorted. A
// mount of a subPath never changes while its container runs, so a volume that is only mounted so does not count.
func mountedSecrets(spec *corev1.PodSpec) []string {
	whole := map[string]bool{}
	add := func(mounts []corev1.VolumeMount) {
		for _, mount := range mounts {
			if mount.SubPath == "" && mount.SubPathExpr == "" {
				whole[mount.Name] = true
			}
		}
	}
	for i := range spec.InitContainers {
		add(spec.InitContainers[i].VolumeMounts)
	}
	for i := range spec.Containers {
		add(spec.Containers[i].VolumeMounts)
	}
	for i := range spec.EphemeralContainers {
		add(spec.EphemeralContainers[i].VolumeMounts)
	}
	var names []string
	for i := range spec.Volumes {
		volume := &spec.Volumes[i]
		if !whole[volume.Name] {
			continue
		}
		if volume.Secret != nil {
			names = append(names, volume.Secret.SecretName)
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				if source.Secret != nil {
					names = append(names, source.Secret.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
