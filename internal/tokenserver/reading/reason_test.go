package reading

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

// What is not read by this process itself is not said to be the API server's doing.
func TestTokenServerTellsReasonsApart(t *testing.T) {
	for want, err := range map[Reason]error{
		Busy: ErrBusy, TooLarge: boundedreply.ErrTooLarge, Failed: errPanicked, "Slow": errSlow, "Timeout": context.DeadlineExceeded, "Canceled": context.Canceled,
		"NotReached": errors.New("dial tcp: quotes ghu_access"), "TooManyRequests": apierrors.NewTooManyRequests("quotes ghu_access", 1),
	} {
		for _, err := range []error{err, fmt.Errorf("read: %w", err)} {
			if got := ReasonOf(err); got != want {
				t.Errorf("%s: got %s", want, got)
			}
		}
	}
}
