package main

import (
	"strings"
	"testing"
)

// audit makes lines as the API server writes them about requests of the operator.
func audit(lines ...string) string { return auditOf(theOperator, lines...) }

// auditOf makes lines about requests of anybody.
func auditOf(user string, lines ...string) string {
	var log strings.Builder
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		object, code, _ := strings.Cut(rest, " ")
		resource, subresource, _ := strings.Cut(object, "/")
		log.WriteString(`{"kind":"Event","user":{"username":"` + user + `"},"verb":"` + verb + `","objectRef":{"resource":"` + resource + `","subresource":"` + subresource +
			`"},"responseStatus":{"code":` + code + "}}\n")
	}
	return log.String()
}

func TestSoakAuditLogIsCountedByWhatRotationsDealWith(t *testing.T) {
	log := audit("patch secrets 200", "patch secrets 409", "patch githubusertokens/status 200", "create events 201",
		"get secrets 200", "watch secrets 200", "update leases 200", "get leases 200")
	log += auditOf("system:serviceaccount:kube-system:generic-garbage-collector", "get githubusertokens 200", "patch secrets 409")
	counted, others, err := readAudit(strings.NewReader(log + `{"verb":"pat`)) // the last line is being written
	if err != nil {
		t.Fatal(err)
	}
	if writes := counted.count(operation.writes); writes != 4 {
		t.Errorf("%d writes, not 4: %s", writes, counted)
	}
	if reads := counted.count(operation.reads); reads != 1 {
		t.Errorf("%d reads, not 1: %s", reads, counted)
	}
	if counted.failed != 1 {
		t.Errorf("%d failed, not 1", counted.failed)
	}
	if text := counted.String(); text != "create events 1, get secrets 1, patch githubusertokens/status 1, patch secrets 2" {
		t.Errorf("it is told as %q", text)
	}
	if text := others.String(); text != "get githubusertokens 1, patch secrets 1" {
		t.Errorf("what others did is told as %q", text)
	}
}

func TestSoakAuditLogThatCannotBeReadIsAnError(t *testing.T) {
	if _, _, err := readAudit(strings.NewReader("not JSON\n")); err == nil {
		t.Error("there is no error")
	}
}

func TestSoakMetricsAreCountedOverCodesAndScopes(t *testing.T) {
	counted := readMetrics(`# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="200",resource="secrets",scope="resource",subresource="",verb="PATCH"} 7
apiserver_request_total{code="409",resource="secrets",scope="resource",subresource="",verb="APPLY"} 1
apiserver_request_total{code="200",resource="githubusertokens",scope="resource",subresource="status",verb="PATCH"} 1.2e+01
apiserver_request_total{code="201",resource="secrets",scope="resource",subresource="",verb="POST"} 2
apiserver_request_duration_seconds_sum{resource="secrets",verb="PATCH"} 99
`)
	for o, want := range map[operation]int{
		{"patch", "secrets"}: 8, {"patch", "githubusertokens/status"}: 12, {"create", "secrets"}: 2,
	} {
		if counted.of[o] != want {
			t.Errorf("%s: %d, not %d", o, counted.of[o], want)
		}
	}
}

func TestSoakDifferenceHoldsWhatCameLater(t *testing.T) {
	earlier, _, err := readAudit(strings.NewReader(audit("patch secrets 409", "get secrets 200")))
	if err != nil {
		t.Fatal(err)
	}
	later, _, err := readAudit(strings.NewReader(audit("patch secrets 409", "get secrets 200", "patch secrets 200", "patch secrets 500")))
	if err != nil {
		t.Fatal(err)
	}
	difference := later.minus(earlier)
	if text := difference.String(); text != "patch secrets 2" || difference.failed != 1 {
		t.Errorf("the difference is %q with %d failed", text, difference.failed)
	}
}
