// Package format derives Secrets from a pair, in the shapes that consumers read: the data (Render), the
// metadata (MetadataFor), and a fingerprint by which a look at the metadata alone tells whether an output is
// current. It is pure: no clock, no I/O, no Kubernetes client.
//
// All that is particular to a format stands in its entry in the table formats; nothing else asks which format an output has but
// the policy of Apps (package scope), for the registry that an output is for by default. To add one, write its entry in a file of its
// own, put it into the table, and add its name to the enum in api/v1alpha1.
//
// The formats are a closed list. There is no template language: a template can put a token where it is
// logged, and it can fail in the middle of the night, at a rotation.
package format
