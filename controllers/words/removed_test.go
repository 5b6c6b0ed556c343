package words

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestCodeThatCouldNotBeRemovedSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		err       error
		says      string
		transient bool
	}{
		"it is refused":                {fmt.Errorf("%w: a policy says no", rotation.ErrDenied), "Change what refuses it, or delete the Secret yourself.", false},
		"the API server did not reply": {errors.New("no answer"), ": no answer. It is tried again. The token", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := CodeNotRemoved(c.err)
			if !strings.Contains(p.Message, c.says) || p.Transient != c.transient {
				t.Errorf("it says %q, transient: %t", p.Message, p.Transient)
			}
			if c.transient && strings.Contains(p.Message, "refuses") {
				t.Errorf("nothing refuses it: %s", p.Message)
			}
		})
	}
}
