package seeds

import (
	"fmt"
	"strings"
)

// value is what was read under a reference.
type value struct {
	// text is the value without the white space around it; empty when there is none.
	text string
	// missing tells a person why there is no text: a sentence without its full stop.
	missing string
	// version is that of the Secret; empty when there is no Secret.
	version string
	// ours reports that the Secret is the operator's own.
	ours bool
}

// valueOf is what stands under a reference in a Secret that was read, nil when there is none.
func valueOf(ref reference, secret *Secret) value {
	if secret == nil {
		return value{missing: fmt.Sprintf("Secret %q does not exist", ref.secret.Name)}
	}
	found := value{version: secret.Version, ours: secret.Ours}
	raw, present := secret.Data[ref.key]
	found.text = strings.TrimSpace(string(raw))
	switch {
	case !present:
		found.missing = fmt.Sprintf("Secret %q has no key %q", ref.secret.Name, ref.key)
	case found.text == "":
		found.missing = fmt.Sprintf("The value of key %q in Secret %q is empty", ref.key, ref.secret.Name)
	}
	return found
}
