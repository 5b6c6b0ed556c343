// Package output derives Secrets from a pair, in the shapes that consumers read: the data (Render), the
// metadata (MetadataFor), and a fingerprint by which a look at the metadata alone tells whether an
// output is current. It is pure: no clock, no I/O, no Kubernetes client.
//
// The formats are a closed list. There is no template language: a template can put a token where it is
// logged, and it can fail in the middle of the night, at a rotation.
package output
