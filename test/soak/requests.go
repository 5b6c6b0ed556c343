package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// theOperator is who it is to the API server.
const theOperator = "system:serviceaccount:" + stage.Namespace + ":" + stage.ServiceAccount

// operation is a kind of request.
type operation struct {
	// verb in lower case, and resource with its subresource behind a slash.
	verb, resource string
}

func (o operation) String() string { return o.verb + " " + o.resource }

// ofRotations reports whether it is about what rotations deal with: leases of the
// leader election and the like are not.
func (o operation) ofRotations() bool {
	resource, _, _ := strings.Cut(o.resource, "/")
	return slices.Contains([]string{"secrets", "githubusertokens", "events"}, resource)
}

func (o operation) writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, o.verb)
}

// A watch is one request for a long time, and counted when it ends.
func (o operation) reads() bool { return o.verb == "get" || o.verb == "list" }

// requests counts them.
type requests struct {
	of     map[operation]int
	failed int
}

func (r requests) minus(earlier requests) requests {
	difference := requests{of: map[operation]int{}, failed: r.failed - earlier.failed}
	for o, count := range r.of {
		if count > earlier.of[o] {
			difference.of[o] = count - earlier.of[o]
		}
	}
	return difference
}

// count of those that rotations have caused.
func (r requests) count(which func(operation) bool) int {
	total := 0
	for o, count := range r.of {
		if o.ofRotations() && which(o) {
			total += count
		}
	}
	return total
}

func (r requests) String() string {
	var lines []string
	for _, o := range slices.SortedFunc(maps.Keys(r.of), func(a, b operation) int { return strings.Compare(a.String(), b.String()) }) {
		if o.ofRotations() && (o.writes() || o.reads()) {
			lines = append(lines, fmt.Sprintf("%s %d", o, r.of[o]))
		}
	}
	return strings.Join(lines, ", ")
}

// reading is what was counted up to a moment: by the audit log the operator's
// requests and those of others, by the metrics those of everybody.
type reading struct{ operators, others, metered requests }

// minus is what was counted since an earlier reading.
func (r reading) minus(earlier reading) reading {
	return reading{r.operators.minus(earlier.operators), r.others.minus(earlier.others), r.metered.minus(earlier.metered)}
}

func takeReading(ctx context.Context, s *stage.Stage) (reading, error) {
	log, err := os.Open(s.Plane.AuditLogPath())
	if err != nil {
		return reading{}, fmt.Errorf("read the audit log: %w", err)
	}
	defer func() { _ = log.Close() }()
	operators, others, err := readAudit(log)
	if err != nil {
		return reading{}, err
	}
	admin, err := kubernetes.NewForConfig(s.Plane.AdminConfig())
	if err != nil {
		return reading{}, fmt.Errorf("make a client: %w", err)
	}
	content, err := admin.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return reading{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return reading{operators, others, readMetrics(string(content))}, nil
}

// readAudit counts the requests of an audit log, the operator's and those of others. A last line that is being
// written is left out.
func readAudit(log io.Reader) (operators, others requests, err error) {
	operators, others = requests{of: map[operation]int{}}, requests{of: map[operation]int{}}
	err = suite.ReadAudit(log, func(event suite.AuditEvent) {
		r := &others
		if event.User.Username == theOperator {
			r = &operators
		}
		o := operation{event.Verb, join(event.ObjectRef.Resource, event.ObjectRef.Subresource)}
		r.of[o]++
		if event.ResponseStatus.Code >= 400 && o.ofRotations() {
			r.failed++
		}
	})
	return operators, others, err
}

func join(resource, subresource string) string {
	if subresource == "" {
		return resource
	}
	return resource + "/" + subresource
}

var (
	requestTotal = regexp.MustCompile(`(?m)^apiserver_request_total\{(.*)\} (\S+)$`)
	label        = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// readMetrics counts the requests of everybody, from the API server's apiserver_request_total.
func readMetrics(text string) requests {
	r := requests{of: map[operation]int{}}
	for _, match := range requestTotal.FindAllStringSubmatch(text, -1) {
		labels := map[string]string{}
		for _, pair := range label.FindAllStringSubmatch(match[1], -1) {
			labels[pair[1]] = pair[2]
		}
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			continue
		}
		verb := strings.ToLower(labels["verb"])
		switch verb { // the metrics have words of their own for some
		case "post":
			verb = "create"
		case "put":
			verb = "update"
		case "apply":
			verb = "patch"
		}
		r.of[operation{verb, join(labels["resource"], labels["subresource"])}] += int(value)
	}
	return r
}
