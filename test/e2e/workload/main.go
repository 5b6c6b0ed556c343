// Command workload is what runs in the pods of the end-to-end tests: programs that use an access token as
// users' programs do, and tell the test what they saw. A token is only ever told by its fingerprint.
//
//	workload                         does nothing for ever, as a pause image must
//	workload pause                   the same
//	workload watch FILE...           reads files again and again and tells of each new content
//	workload environment NAME        tells what an environment variable holds
//	workload call FILE URL           calls URL with the token in a file, and reads the file again on 401
//	workload each FILE URL           calls URL with the token in a file, which it reads for each call, and tries nothing again
//	workload once NAME URL           the same with the token in an environment variable, which never changes
//	workload clone FILE URL          clones a repository with git's store helper on a file, again and again
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 { // as the pause image, which is called without arguments
		args = []string{"pause"}
	}
	switch job, args := args[0], args[1:]; {
	case job == "pause" && len(args) == 0:
		<-ctx.Done()
		return nil
	case job == "watch" && len(args) > 0:
		return watchAll(ctx, args)
	case job == "environment" && len(args) == 1:
		return environment(ctx, args[0])
	case job == "call" && len(args) == 2:
		return call(ctx, args[0], args[1])
	case job == "each" && len(args) == 2:
		return each(ctx, args[1], func() ([]byte, error) { return os.ReadFile(args[0]) })
	case job == "once" && len(args) == 2:
		return each(ctx, args[1], func() ([]byte, error) { return []byte(os.Getenv(args[0])), nil })
	case job == "clone" && len(args) == 2:
		return clone(ctx, args[0], args[1])
	default:
		return fmt.Errorf("%s %q is not understood", job, args)
	}
}

// Report is what a pod tells the test.
type Report struct {
	// Pod is the reporting pod's name.
	Pod string `json:"pod"`
	// Event says what happened: see, ok, failed, called.
	Event string `json:"event"`
	// At is when.
	At time.Time `json:"at"`
	// Fingerprint of the access token concerned.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Count is how many calls have succeeded since the last report, for called.
	Count int `json:"count,omitempty"`
	// Detail explains a failure.
	Detail string `json:"detail,omitempty"`
}

// tell sends a report, again until it has arrived. The environment variables POD and COLLECTOR say who
// tells whom.
func tell(ctx context.Context, report Report) error {
	report.Pod = os.Getenv("POD")
	body, err := json.Marshal(report)
	if err != nil {
		return err
	}
	for {
		err := post(ctx, body)
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, "report:", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("COLLECTOR"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return errors.New(response.Status)
	}
	return nil
}
