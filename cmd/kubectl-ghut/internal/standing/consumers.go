package standing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// kubeletTime is how long a kubelet takes at most to show a changed Secret in a volume, when nobody tells it to hurry.
const kubeletTime = 2 * time.Minute

// Newest says whether a pod has the newest token.
type Newest string

const (
	// HasNewest: it has.
	HasNewest Newest = "yes"
	// HasOld: it has an older one, and will not get another until it is restarted.
	HasOld Newest = "no"
	// WillHave: the kubelet brings it within two minutes of the refresh.
	WillHave Newest = "soon"
	// NobodyKnows: no pair was received yet, or it cannot be told from outside.
	NobodyKnows Newest = "unknown"
)

// Consumer is a pod that uses the pair or an output.
type Consumer struct {
	Pod string `json:"pod"`
	// Workload is what the pod belongs to, as KIND/NAME; empty if it belongs to nobody.
	Workload string `json:"workload,omitempty"`
	// Secrets are those that it uses, and How in which ways: volume, subPath, env, imagePull.
	Secrets []string `json:"secrets"`
	How     []string `json:"how"`
	Newest  Newest   `json:"hasNewestToken"`
	// Why says how that is known.
	Why string `json:"why"`
}

// ways in which a pod can use a Secret.
const (
	byVolume    = "volume"
	bySubPath   = "subPath"
	byEnv       = "env"
	byImagePull = "imagePull"
)

// ConsumersOf are the pods that use the token of a resource, by name.
func ConsumersOf(token *v1alpha1.GitHubUserToken, pods []corev1.Pod, now time.Time) []Consumer {
	ours := map[string]bool{SecretOf(token): true}
	for _, output := range token.AllOutputs() {
		ours[output.Name] = true
	}
	var found []Consumer
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		uses := usesOf(&pod.Spec)
		consumer := Consumer{Pod: pod.Name, Workload: workloadOf(pod)}
		ways := map[string]bool{}
		for _, name := range sortedKeys(uses) {
			if !ours[name] {
				continue
			}
			consumer.Secrets = append(consumer.Secrets, name)
			for way := range uses[name] {
				ways[way] = true
			}
		}
		if len(consumer.Secrets) == 0 {
			continue
		}
		consumer.How = sortedKeys(ways)
		consumer.Newest, consumer.Why = newest(token, pod, ways, now)
		found = append(found, consumer)
	}
	slices.SortFunc(found, func(a, b Consumer) int { return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Pod, b.Pod)) })
	return found
}

// newest says whether a pod has the newest token, by what it is and when it was started.
func newest(token *v1alpha1.GitHubUserToken, pod *corev1.Pod, ways map[string]bool, now time.Time) (Newest, string) {
	received := token.Status.LastRefreshTime
	if received == nil {
		return NobodyKnows, "no token was received yet"
	}
	since := startOf(pod)
	switch {
	case pod.Status.Phase == corev1.PodPending:
		return WillHave, "it has not started yet"
	case since.IsZero():
		return NobodyKnows, "it does not say since when its containers run"
	case since.After(received.Time):
		return HasNewest, "it was started after the last refresh"
	case ways[byEnv]:
		return HasOld, "it reads the token from its environment, and was started before the last refresh"
	case ways[bySubPath]:
		return HasOld, "it mounts the token by subPath, which never changes, and was started before the last refresh"
	case !ways[byVolume]:
		return HasNewest, "the token is read whenever an image is pulled"
	case isTold(pod, received):
		return HasNewest, "it was told of the last refresh"
	case now.Sub(received.Time) > kubeletTime:
		return HasNewest, "the kubelet has had the time to bring it"
	default:
		return WillHave, "the kubelet brings it within two minutes of the refresh"
	}
}

// isTold reports whether the pod's annotation speaks of the pair that was received last, or of a later one. That time is to the
// microsecond, and the status to the second.
func isTold(pod *corev1.Pod, received *metav1.Time) bool {
	text, late, _ := strings.Cut(pod.Annotations[v1alpha1.AnnotationRefreshedAt], " without ")
	told, err := time.Parse(time.RFC3339, text)
	return err == nil && late == "" && !told.Before(received.Truncate(time.Second))
}

// startOf is when the containers of a pod that has been longest without a restart were started; zero if one does not say.
func startOf(pod *corev1.Pod) time.Time {
	var oldest time.Time
	for i := range pod.Status.ContainerStatuses {
		running := pod.Status.ContainerStatuses[i].State.Running
		if running == nil {
			continue
		}
		if started := running.StartedAt.Time; oldest.IsZero() || started.Before(oldest) {
			oldest = started
		}
	}
	if oldest.IsZero() && pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return oldest
}

// usesOf are the Secrets that a pod uses, each with the ways.
func usesOf(spec *corev1.PodSpec) map[string]map[string]bool {
	uses := map[string]map[string]bool{}
	use := func(secret, way string) {
		if secret == "" {
			return
		}
		if uses[secret] == nil {
			uses[secret] = map[string]bool{}
		}
		uses[secret][way] = true
	}
	volumes := map[string][]string{}
	for i := range spec.Volumes {
		volume := &spec.Volumes[i]
		if volume.Secret != nil {
			volumes[volume.Name] = append(volumes[volume.Name], volume.Secret.SecretName)
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				if source.Secret != nil {
					volumes[volume.Name] = append(volumes[volume.Name], source.Secret.Name)
				}
			}
		}
	}
	container := func(mounts []corev1.VolumeMount, env []corev1.EnvVar, from []corev1.EnvFromSource) {
		for _, mount := range mounts {
			way := byVolume
			if mount.SubPath != "" || mount.SubPathExpr != "" {
				way = bySubPath
			}
			for _, secret := range volumes[mount.Name] {
				use(secret, way)
			}
		}
		for _, variable := range env {
			if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
				use(variable.ValueFrom.SecretKeyRef.Name, byEnv)
			}
		}
		for _, source := range from {
			if source.SecretRef != nil {
				use(source.SecretRef.Name, byEnv)
			}
		}
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		container(c.VolumeMounts, c.Env, c.EnvFrom)
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		container(c.VolumeMounts, c.Env, c.EnvFrom)
	}
	for _, pull := range spec.ImagePullSecrets {
		use(pull.Name, byImagePull)
	}
	return uses
}

// workloadOf is what a pod belongs to. A ReplicaSet of a Deployment tells it by its name, whose end is a hash.
func workloadOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return ""
	}
	if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" && strings.HasSuffix(owner.Name, "-"+hash) {
		return "Deployment/" + strings.TrimSuffix(owner.Name, "-"+hash)
	}
	return owner.Kind + "/" + owner.Name
}

// restarts are the commands for those that have an old token.
func restarts(namespace string, consumers []Consumer) []string {
	var commands []string
	for _, consumer := range consumers {
		if consumer.Newest != HasOld {
			continue
		}
		kind, name, ok := strings.Cut(consumer.Workload, "/")
		command := fmt.Sprintf("Restart the pod %s, which has an old token", consumer.Pod)
		if ok && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, kind) {
			command = fmt.Sprintf("kubectl -n %s rollout restart %s/%s    # it has an old token; spec.handoff.restart does this by itself", namespace, strings.ToLower(kind), name)
		}
		if !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return commands
}

func sortedKeys[V any](of map[string]V) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
