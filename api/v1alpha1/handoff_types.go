package v1alpha1

// Handoff says how workloads learn of a new token at once.
type Handoff struct {
	// pods says whether running pods are told. Sync makes the kubelet refresh their Secret volumes at once,
	// by an annotation on each pod of the namespace that mounts the pair or an output (not by subPath: such
	// a mount never changes). None, the default, leaves it to the kubelet's own period.
	// +optional
	// +kubebuilder:default=None
	Pods PodHandoff `json:"pods,omitempty"`

	// restart lists the workloads that read the token as an environment variable and so must be restarted,
	// once for each rotation. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Restart []WorkloadReference `json:"restart,omitempty"`
}

// PodHandoff says whether pods are told of a new token.
//
// +kubebuilder:validation:Enum=None;Sync
type PodHandoff string

const (
	// PodHandoffNone leaves volumes to the kubelet's own period.
	PodHandoffNone PodHandoff = "None"
	// PodHandoffSync makes the kubelet refresh volumes at once.
	PodHandoffSync PodHandoff = "Sync"
)

// WorkloadReference names a workload in the resource's namespace.
//
// +kubebuilder:validation:XValidation:rule="!has(self.apiGroup) || self.apiGroup == (self.kind == 'Rollout' ? 'argoproj.io' : 'apps')",message="apiGroup must be the group of kind: argoproj.io for Rollout, otherwise apps"
type WorkloadReference struct {
	// apiGroup is the group of the kind: argoproj.io for Rollout, apps for the others. By default the one that belongs to kind.
	// +optional
	// +kubebuilder:validation:Enum=apps;argoproj.io
	APIGroup string `json:"apiGroup,omitempty"`

	// kind is Deployment, StatefulSet, DaemonSet, or Rollout (of Argo Rollouts, where that is installed).
	// +required
	// +kubebuilder:validation:Enum=Deployment;StatefulSet;DaemonSet;Rollout
	Kind string `json:"kind,omitempty"`

	// name is the workload's name.
	// +required
	Name ObjectName `json:"name,omitempty"`
}
