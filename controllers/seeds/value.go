package seeds

import (
	"context"
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
}

func (r *Reader) value(ctx context.Context, ref reference) (value, error) {
	secret, err := r.options.Source.ReadSecret(ctx, ref.secret)
	if err != nil {
		return value{}, err // The caller wraps it and says what was to be read.
	}
	if secret == nil {
		return value{missing: fmt.Sprintf("Secret %q does not exist", ref.secret.Name)}, nil
	}
	found := value{version: secret.Version}
	raw, present := secret.Data[ref.key]
	found.text = strings.TrimSpace(string(raw))
	switch {
	case !present:
		found.missing = fmt.Sprintf("Secret %q has no key %q", ref.secret.Name, ref.key)
	case found.text == "":
		found.missing = fmt.Sprintf("The value of key %q in Secret %q is empty", ref.key, ref.secret.Name)
	}
	return found, nil
}
