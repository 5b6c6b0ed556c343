package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// usage is the processor time that each process has used.
type usage struct{ operator, apiServer, etcd, standIn, others time.Duration }

// takeUsage reads it. The others are kube-controller-manager and this process, in which the plain client is.
func takeUsage() usage {
	of := func(pid int) time.Duration { took, _ := suite.ProcessorTime(pid); return took }
	s := the.stage
	return usage{
		operator: of(s.Operator.PID()), apiServer: of(s.Plane.APIServer.PID()), etcd: of(s.Plane.Etcd.PID()),
		standIn: of(s.GitHubPID()), others: of(s.Plane.ControllerManager.PID()) + of(os.Getpid()),
	}
}

func (u usage) minus(v usage) usage {
	return usage{u.operator - v.operator, u.apiServer - v.apiServer, u.etcd - v.etcd, u.standIn - v.standIn, u.others - v.others}
}

// startOperator starts it and waits until nothing is left to do. It returns after how long it was ready, and settled.
func startOperator(ctx context.Context) (ready, done time.Duration, err error) {
	began := time.Now()
	if err := the.stage.Operator.Start(ctx); err != nil {
		return 0, 0, err
	}
	ready = time.Since(began)
	ended, err := settled(ctx)
	return ready, ended.Sub(began), err
}

// settled waits until the operator rests, and returns since when it does.
func settled(ctx context.Context) (time.Time, error) {
	since, err := rests(ctx, the.stage.Operator, 10*time.Millisecond)
	if err != nil {
		return since, fmt.Errorf("%w; the end of the operator's log:\n%s", err, the.stage.Operator.LogTail())
	}
	return since, nil
}

// rests waits until a process has for a while used no more than so much of the processors in a quarter of a second.
func rests(ctx context.Context, process *controlplane.Process, most time.Duration) (time.Time, error) {
	const pause, quiet = 250 * time.Millisecond, 6
	pid := process.PID()
	before, _ := suite.ProcessorTime(pid)
	still, since := 0, time.Now()
	for end := time.Now().Add(30 * time.Minute); still < quiet; {
		if time.Now().After(end) || ctx.Err() != nil || process.PID() != pid {
			return since, errors.New("it does not come to rest")
		}
		time.Sleep(pause)
		now, _ := suite.ProcessorTime(pid)
		still++
		if now-before > most {
			still, since = 0, time.Now()
		}
		before = now
	}
	return since, nil
}

func stopOperator(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return the.stage.Operator.Stop(ctx)
}

// allocations are the objects and bytes that the operator has allocated so far.
func allocations(ctx context.Context) (objects, bytes float64, err error) {
	text, err := fetch(ctx, "http://"+the.stage.MetricsAddress+"/metrics")
	if err != nil {
		return 0, 0, err
	}
	return metric(text, "go_memstats_mallocs_total"), metric(text, "go_memstats_alloc_bytes_total"), nil
}

// metric is the value of a metric without labels; 0 when it is not there.
func metric(text []byte, name string) float64 {
	match := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if match == nil {
		return 0
	}
	value, _ := strconv.ParseFloat(string(match[1]), 64)
	return value
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the operator: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the operator: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return content, err
}

// profile takes profiles of the API server, and of the operator where that is at work, once for each name, while so many
// cycles are made. It returns at once; wait ends it.
func profile(ctx context.Context, name string, cycles int, operator bool) (wait func() error) {
	if settings.profile == "" {
		return func() error { return nil }
	}
	path := fmt.Sprintf("/debug/pprof/profile?seconds=%d", 1+cycles/100)
	take := map[string]func() ([]byte, error){"apiserver": func() ([]byte, error) {
		kube, err := kubernetes.NewForConfig(the.stage.Plane.AdminConfig())
		if err != nil {
			return nil, fmt.Errorf("make a client: %w", err)
		}
		return kube.RESTClient().Get().AbsPath("/debug/pprof/profile").Param("seconds", strconv.Itoa(1+cycles/100)).DoRaw(ctx)
	}}
	if operator {
		take["operator"] = func() ([]byte, error) { return fetch(ctx, "http://"+the.debug+path) }
	}
	ended, begun := make(chan error, len(take)), 0
	for of, content := range take {
		file := filepath.Join(settings.profile, camel(name)+"."+of+".pprof")
		if _, err := os.Stat(file); err == nil {
			continue
		}
		begun++
		go func() {
			text, err := content()
			if err == nil {
				err = os.WriteFile(file, text, 0o600)
			}
			ended <- err
		}()
	}
	return func() error {
		var failed []error
		for range begun {
			failed = append(failed, <-ended)
		}
		return errors.Join(failed...)
	}
}
