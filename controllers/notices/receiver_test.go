package notices

import (
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

// Of which App a notice is, and in which namespace, is known of those that came to the address of one.
func TestNoticesNameTheirAppInTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		of    *Webhook
		has   []string
		lacks string
	}{
		"of a GitHubApp":                {&Webhook{Key: "github.com/iv23li", Namespace: "team-a"}, []string{`"app"="github.com/iv23li"`, `"namespace"="team-a"`, `"login"="octocat"`}, "nothing"},
		"of a ClusterGitHubApp":         {&Webhook{Key: "github.com/iv23li"}, []string{`"app"="github.com/iv23li"`}, "namespace"},
		"at the receiver's own address": {nil, []string{`"login"="octocat"`}, `"app"`},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			r := &Receiver{log: funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})}
			done := make(chan string, 1)
			ask := func(account string) { done <- account }
			r.accounts, r.tenants = &accounts{ask: ask}, &accounts{ask: ask, ofNamespace: namespaceOfNotice}
			if !r.revoked(c.of, "octocat", 1) {
				t.Fatal("there is no room")
			}
			<-done
			told := strings.Join(lines, "\n")
			for _, part := range c.has {
				if !strings.Contains(told, part) {
					t.Errorf("the log has no %s: %s", part, told)
				}
			}
			if len(lines) != 1 || strings.Contains(told, c.lacks) {
				t.Errorf("the log is %s", told)
			}
		})
	}
}
