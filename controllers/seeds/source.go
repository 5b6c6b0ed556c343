package seeds

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

// Source reads Secrets.
type Source interface {
	// ReadSecret reads a Secret live, past every cache; nil when there is none. No token may stand in an
	// error of it.
	ReadSecret(ctx context.Context, name types.NamespacedName) (*Secret, error)
}

// Secret is a Secret as it was read.
type Secret struct {
	// Version names this version of this very Secret, one that was deleted and made anew being another. It is
	// the text that Versions has for it.
	Version string
	// Ours reports that it is one of the operator's own: a pair, a backup or an output, whoever has edited it since.
	Ours bool
	// Data are its values by their keys.
	Data map[string][]byte
	// Metadata is how many bytes its metadata has.
	Metadata int
}

func (s *Secret) size() (bytes int) {
	if s == nil {
		return 0
	}
	bytes = s.Metadata
	for key, value := range s.Data {
		bytes += len(key) + len(value)
	}
	return bytes
}

// Versions is what a watch knows of the Secrets that resources name.
type Versions interface {
	// Version is the current version of a Secret; empty when there is none. known is false when nothing is
	// known of it.
	Version(name types.NamespacedName) (version string, known bool)
	// Learn notes the version that was read, empty when there was no Secret, unless the watch has told of one.
	Learn(name types.NamespacedName, version string)
	// Forget drops what is known of a Secret.
	Forget(name types.NamespacedName)
}
