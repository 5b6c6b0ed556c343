package v1alpha1

import "maps"

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

// The alias is there for the schema: the rule on values would cost the API server too much without a maximal
// length. The generator of deep copies knows no aliases.

// DeepCopyInto copies the labels.
func (in Labels) DeepCopyInto(out *Labels) { *out = maps.Clone(in) }

// DeepCopy copies the labels.
func (in Labels) DeepCopy() Labels { return maps.Clone(in) }
