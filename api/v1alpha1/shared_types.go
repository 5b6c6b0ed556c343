package v1alpha1

import "maps"

// What several fields have in common is written here once. The strings are aliases: in Go a field is a plain string, and
// the generator writes the rules into the schema all the same.

// ObjectName is the name of an object of Kubernetes.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of an object: lower-case letters, digits and dashes, in parts that are joined by dots and begin and end with a letter or digit"
type ObjectName = string

// SecretKey is a key of a Secret.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="must be a key of a Secret: letters, digits, dashes, underscores and dots, and not . or .. or what begins with .."
type SecretKey = string

// HostPort is a host name, with or without a port.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$')",message="must be a lower-case host name such as ghcr.io or github.example.com:8443, without https:// and without a path"
type HostPort = string

// AppHost is the host of an App. It may end in /api/v3, as people copy it from an Enterprise Server.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/api/v3)?$')",message="must be a lower-case host name such as github.com, octocorp.ghe.com or github.example.com:8443, without https:// and without a path"
type AppHost = string

// ClientID is the client ID of an App.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$')",message="must be the client ID from the App's settings page, for example Iv23liEXAMPLE: letters, digits, dots, dashes and underscores"
type ClientID = string

// Scopes are scopes of an OAuth App.
//
// +kubebuilder:validation:MinItems=1
// +kubebuilder:validation:MaxItems=32
// +kubebuilder:validation:items:MinLength=1
// +kubebuilder:validation:items:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.all(s, s.matches('^[A-Za-z0-9][A-Za-z0-9_:.-]*$'))",message="must be scopes such as repo or read:org, one in each entry"
// +listType=set
type Scopes []string

// Labels are labels for a Secret. At most 64; those of githubusertoken.dev are the operator's own.
//
// +kubebuilder:validation:MaxProperties=64
// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('githubusertoken.dev/'))",message="labels that start with githubusertoken.dev/ are set by the operator itself"
// +kubebuilder:validation:XValidation:rule="self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="must have keys such as team or example.com/team: at most 63 letters, digits, dashes, dots and underscores after an optional prefix"
type Labels map[string]LabelValue

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="must be a value that a label can have: letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit"
type LabelValue = string

// The generator of deep copies knows no aliases in maps.

// DeepCopyInto copies the labels.
func (in Labels) DeepCopyInto(out *Labels) { *out = maps.Clone(in) }

// DeepCopy copies the labels.
func (in Labels) DeepCopy() Labels { return maps.Clone(in) }

// Annotations are annotations for a Secret. At most 64; those of githubusertoken.dev are the operator's own.
//
// +kubebuilder:validation:MaxProperties=64
// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('githubusertoken.dev/'))",message="annotations that start with githubusertoken.dev/ are set by the operator itself"
// +kubebuilder:validation:XValidation:rule="self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="must have keys such as team or example.com/team: at most 63 letters, digits, dashes, dots and underscores after an optional prefix"
type Annotations map[string]AnnotationValue

// AnnotationValue is the value of an annotation. Kubernetes takes 256 KiB for all annotations of an object together.
//
// +kubebuilder:validation:MaxLength=262144
type AnnotationValue = string

// DeepCopyInto copies the annotations.
func (in Annotations) DeepCopyInto(out *Annotations) { *out = maps.Clone(in) }

// DeepCopy copies the annotations.
func (in Annotations) DeepCopy() Annotations { return maps.Clone(in) }
