package hostile

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// What must hold.

// settle lets tokens live for long from now on, and waits until each of the subjects stands as it must.
func (s *subjects) settle() {
	s.w.t.Helper()
	for _, app := range s.apps {
		the.gh.UpdateApp(app, func(a *githubtest.App) { a.AccessTokenLifetime = githubtest.DefaultAccessTokenLifetime })
	}
	s.w.eventually("all of "+s.namespace+" to stand as they must", func() (bool, string) {
		var open []string
		for _, name := range s.names {
			s.mu.Lock()
			one := *s.known[name]
			s.mu.Unlock()
			newest, _ := the.gh.Last(one.login)
			switch problem, lost := one.problem(s.w.ctx, s.namespace, s.w.kills); {
			case lost:
			case problem != "":
				open = append(open, name+": "+problem)
			case time.Until(newest.AccessTokenExpiresAt) < time.Hour && the.gh.Alive(newest.RefreshToken):
				open = append(open, name+" has a token that does not live long")
			}
		}
		return len(open) == 0, strings.Join(open, "; ")
	})
}

// judge holds what the subjects and GitHub have seen against what must hold.
func (s *subjects) judge() {
	s.w.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, problem := range s.problems {
		if i == 10 {
			s.w.t.Errorf("and %d more", len(s.problems)-i)
			break
		}
		s.w.t.Error(problem)
	}
	again := map[string]int{}
	for _, p := range the.gh.DoubleSpends() {
		again[p.User]++
	}
	for _, one := range s.known {
		newest, _ := the.gh.Last(one.login)
		if n := again[one.user]; n > 0 && !lostByKill(newest, s.w.kills) {
			s.w.t.Errorf("%s: a spent refresh token was presented %d times", one.name, n)
		}
	}
	totals.late, totals.seen = append(totals.late, s.late...), append(totals.seen, s.seen...)
	for _, one := range s.known {
		totals.refreshes += one.pairs
	}
}

// limits are those of GitHub. A process that was killed forgets what it has used; of what may be sent at once it has then
// another 20, and that is what is allowed here on top.
func (w *world) limits() {
	w.t.Helper()
	const atOnce, unprovenPerHour = 20, 60
	hours := time.Since(the.began).Hours()
	for app := range the.apps {
		most := the.lives*atOnce + int(hours*2000) + 1
		if n := the.calls.of(app); n > most {
			w.t.Errorf("%s: GitHub has seen %d token requests in %.0f s, at most %d are allowed", app, n, hours*3600, most)
		}
	}
	most := the.lives*atOnce + int(hours*unprovenPerHour) + 1
	if n := the.calls.unproven(the.apps); n > most {
		w.t.Errorf("GitHub has seen %d token requests of Apps without a success in %.0f s, at most %d are allowed", n, hours*3600, most)
	}
	if n := the.calls.at("/credentials/revoke"); n > the.lives*githubtest.DefaultRevokeLimit {
		w.t.Errorf("GitHub has seen %d requests to its credentials endpoint, at most %d an hour are allowed", n, githubtest.DefaultRevokeLimit)
	}
	// Of one life the tenant has 20 at once for what is not trusted, and 30 refusals of tokens that GitHub has issued to it.
	const refusedAtOnce, untrustedPerHour, refusalsPerHour = 20 + 30, 60, 60
	most = the.lives*refusedAtOnce + int(hours*(untrustedPerHour+refusalsPerHour)) + 1
	if n := the.calls.refused(); n > most {
		w.t.Errorf("GitHub has seen %d bad credentials at its REST API in %.0f s, at most %d are allowed", n, hours*3600, most)
	}
	// A token that the tenant forged, in a resource that names no client secret, is refused by GitHub for that: nobody
	// can know before that it is not one of the device flow, which needs none.
	issued := map[string]bool{}
	for _, p := range the.gh.Presentations() {
		issued[p.Fingerprint] = issued[p.Fingerprint] || p.User != ""
	}
	for _, v := range the.gh.Violations() {
		forged := v.Rule == githubtest.MissingClientSecret && !issued[v.Fingerprint]
		if v.Rule != githubtest.SpentTokenPresented && !forged {
			w.t.Errorf("GitHub saw a violation: %s %s", v.Rule, v.Detail)
		}
	}
}

// noteMemory notes how much memory the operator's process had at most.
func noteMemory() {
	if bytes, known := suite.PeakMemory(the.stage.Operator.PID()); known {
		totals.memory = max(totals.memory, bytes)
	}
}

// memory holds the operator to the limit that it is shipped with.
func (w *world) memory() {
	w.t.Helper()
	noteMemory()
	content, err := os.ReadFile(the.stage.Root + "/config/manager/manager.yaml")
	w.must(err)
	var deployment struct {
		Spec struct {
			Template struct{ Spec corev1.PodSpec }
		}
	}
	w.must(yaml.Unmarshal([]byte(strings.SplitN(string(content), "\n---", 2)[0]), &deployment))
	limit := deployment.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
	if limit.IsZero() {
		limit = resource.MustParse("0")
		w.t.Error("the manifest has no limit of memory")
	}
	if totals.memory > limit.Value() {
		w.t.Errorf("the operator had %d MiB of memory, and the limit is %d MiB", totals.memory>>20, limit.Value()>>20)
	}
}

// writes holds the operator's writes, by the audit log, against what it may write: of Secrets those of the subjects,
// and in the tenant's namespace whatever the tenant does not keep for itself.
func (w *world) writes(tenants ...*tenant) (reads map[client.ObjectKey]int) {
	w.t.Helper()
	hostile := map[string]*tenant{}
	for _, t := range tenants {
		hostile[t.namespace] = t
	}
	reads = map[client.ObjectKey]int{}
	wrong := map[string]bool{}
	log, err := os.Open(the.stage.Plane.AuditLogPath())
	w.must(err)
	defer log.Close()
	w.must(suite.ReadAudit(log, func(e suite.AuditEvent) {
		if e.User.Username != theOperator || e.ObjectRef.Resource != "secrets" {
			return
		}
		key := client.ObjectKey{Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name}
		if e.Verb == "get" {
			reads[key]++
		}
		if !slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb) || e.ResponseStatus.Code >= 300 {
			return
		}
		totals.writes++
		t := hostile[key.Namespace]
		switch {
		case t != nil && !t.keeps(key.Name):
		case t == nil && (w.writable[key] || strings.HasPrefix(key.Name, "github-user-token-backup-") && w.served(key.Namespace)):
		case t == nil && !w.owns(key.Namespace): // of another test
		default:
			wrong[e.Verb+" "+key.String()] = true
		}
	}))
	for what := range wrong {
		w.t.Errorf("the operator has written what is not its own: %s", what)
	}
	return reads
}

// keeps reports whether a Secret is the tenant's own, with which the operator has nothing to do.
func (t *tenant) keeps(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own[name]
}

// served reports whether this test has subjects in a namespace.
func (w *world) served(namespace string) bool {
	for key := range w.writable {
		if key.Namespace == namespace {
			return true
		}
	}
	return false
}

// owns reports whether a namespace is one of this test.
func (w *world) owns(namespace string) bool { return slices.Contains(w.namespaces, namespace) }

// search looks for the tokens that GitHub has issued, and for client secrets, in all that the operator tells, and in the
// Secrets of all namespaces but the one that they are for. The operator is asked to quit, so that it tells of all its
// goroutines, and is started again.
func (w *world) search() {
	w.t.Helper()
	issued := w.issued()
	page := w.metrics()
	for _, none := range []string{"githubusertoken_exchange_panics_total 0\n", "githubusertoken_outbox_corrupt_records 0\n"} {
		if !strings.Contains(page, none) {
			w.t.Errorf("the operator's metrics do not say %s", none)
		}
	}
	noteMemory()
	ended := the.stage.Operator.Ended()
	w.must(the.stage.Operator.Signal(syscall.SIGQUIT))
	select {
	case <-ended:
	case <-time.After(patience):
		w.t.Fatal("the operator does not quit")
	}
	log, err := os.ReadFile(the.stage.Operator.LogPath())
	w.must(err)
	w.restart()
	for where, text := range map[string][]byte{"metrics": []byte(page), "log and goroutines": log} {
		totals.searched += len(text)
		if suite.EncodedTokens.Match(text) || bytes.Contains(text, []byte(clientSecret)) {
			w.t.Errorf("a token or a client secret stands in the operator's %s", where)
		}
		for _, found := range suite.FindTokens(text) {
			if _, known := issued[found]; known {
				w.t.Errorf("a token stands in the operator's %s", where)
			}
		}
	}
	w.searchObjects(issued)
}

// issued are all tokens of this test, with the namespace that each may stand in.
func (w *world) issued() map[string]string {
	issued := map[string]string{}
	for namespace, logins := range w.logins {
		for _, token := range logins {
			for token != "" {
				if !slices.Contains(suite.FindTokens([]byte(token)), token) {
					w.t.Fatal("the search would not find GitHub's tokens")
				}
				issued[token] = namespace
				pair, _ := the.gh.Successor(token)
				if pair.AccessToken != "" {
					issued[pair.AccessToken] = namespace
				}
				token = pair.RefreshToken
			}
		}
	}
	totals.canaries += len(issued)
	return issued
}

func (w *world) searchObjects(issued map[string]string) {
	w.t.Helper()
	var secrets corev1.SecretList
	w.must(the.admin.List(w.ctx, &secrets))
	for _, secret := range secrets.Items {
		for _, value := range secret.Data {
			totals.searched += len(value)
			for _, found := range suite.FindTokens(value) {
				if namespace, known := issued[found]; known && namespace != secret.Namespace {
					w.t.Errorf("a token of %s stands in the Secret %s/%s", namespace, secret.Namespace, secret.Name)
				}
			}
		}
		secret.Data = nil
	}
	for _, list := range []client.ObjectList{
		&v1alpha1.GitHubUserTokenList{}, &corev1.EventList{}, &eventsv1.EventList{}, &coordinationv1.LeaseList{}, &secrets,
	} {
		if list != client.ObjectList(&secrets) {
			w.must(the.admin.List(w.ctx, list))
		} else {
			for i := range secrets.Items {
				secrets.Items[i].Data = nil
			}
		}
		text, err := json.Marshal(list)
		w.must(err)
		totals.searched += len(text)
		for _, found := range suite.FindTokens(text) {
			if _, known := issued[found]; known {
				w.t.Errorf("a token stands in %T", list)
			}
		}
	}
}

// outbox is how many received pairs are not stored yet, by the operator's metrics.
var outboxRecords = regexp.MustCompile(`(?m)^githubusertoken_outbox_records (\d+)$`)

func (w *world) outboxRecords() string {
	found := outboxRecords.FindStringSubmatch(w.metrics())
	if found == nil {
		return ""
	}
	return found[1]
}
