package commands

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// describe prints one resource in sentences.
func describe(out io.Writer, s *standing.Standing, now time.Time, wide bool) {
	head := string(s.State)
	if s.Reason != "" {
		head += " (" + s.Reason + ")"
	}
	fmt.Fprintf(out, "%s in %s: %s\n", s.Name, s.Namespace, head)
	for _, sentence := range s.Sentences {
		fmt.Fprintf(out, "  %s\n", sentence)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %s\t%s\n", what, text)
		}
	}
	fmt.Fprintln(w)
	if s.Account != nil {
		row("Account", fmt.Sprintf("%s (id %d)", s.Account.Login, s.Account.ID))
	}
	app := s.App
	if s.Host != "" {
		app += " at " + s.Host
	}
	row("App", app)
	if s.LastRefresh != nil {
		row("Received", standing.When(s.LastRefresh.Time, now))
	}
	row("Secret", s.Secret)
	for _, output := range s.Outputs {
		row("Output", fmt.Sprintf("%s (%s)", output.Name, output))
	}
	for _, line := range usedBy(s, wide) {
		row("Used by", line)
	}
	_ = w.Flush()
	if len(s.ToDo) > 0 {
		fmt.Fprintf(out, "\n  What to do now:\n    %s\n", strings.Join(s.ToDo, "\n    "))
	}
}

// usedBy has a line for each workload, or with wide for each pod.
func usedBy(s *standing.Standing, wide bool) []string {
	switch {
	case s.ConsumersUnknown != "":
		return []string{"not known: " + s.ConsumersUnknown}
	case len(s.Consumers) == 0:
		return []string{"no pod"}
	}
	type group struct {
		workload, how, why string
		newest             standing.Newest
		pods               int
	}
	var groups []group
	for _, consumer := range s.Consumers {
		name := consumer.Workload
		if name == "" || wide {
			name = "Pod/" + consumer.Pod
		}
		g := group{name, strings.Join(consumer.Secrets, ", ") + " by " + strings.Join(consumer.How, ", "), consumer.Why, consumer.Newest, 1}
		if n := len(groups); n > 0 && !wide && groups[n-1].workload == g.workload && groups[n-1].how == g.how && groups[n-1].why == g.why {
			groups[n-1].pods++
			continue
		}
		groups = append(groups, g)
	}
	var lines []string
	for _, g := range groups {
		has := map[standing.Newest]string{
			standing.HasNewest: "has the newest token", standing.HasOld: "HAS AN OLD TOKEN",
			standing.WillHave: "gets the newest token soon", standing.NobodyKnows: "it is not known which token it has",
		}[g.newest]
		pods := ""
		if g.pods > 1 {
			pods = fmt.Sprintf(" (%d pods)", g.pods)
		}
		lines = append(lines, fmt.Sprintf("%s%s, %s: %s (%s)", g.workload, pods, g.how, has, g.why))
	}
	return lines
}

// table prints a line for each resource.
func table(out io.Writer, all []*standing.Standing, now time.Time, namespaces, wide bool) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(columns ...string) { fmt.Fprintln(w, strings.Join(columns, "\t")) }
	head := []string{"NAME", "STATE", "REASON", "EXPIRES", "NEXT REFRESH", "ACCOUNT"}
	if namespaces {
		head = append([]string{"NAMESPACE"}, head...)
	}
	if wide {
		head = append(head, "APP", "SECRET", "OUTPUTS", "USED BY", "WHAT TO DO")
	}
	row(head...)
	for _, s := range all {
		columns := []string{s.Name, string(s.State), orDash(s.Reason), "-", "-", "-"}
		if s.Expires != nil {
			columns[3] = standing.Away(s.Expires.Time, now)
		}
		if s.NextRefresh != nil {
			columns[4] = standing.Away(s.NextRefresh.Time, now)
		}
		if s.Account != nil {
			columns[5] = s.Account.Login
		}
		if namespaces {
			columns = append([]string{s.Namespace}, columns...)
		}
		if wide {
			used := fmt.Sprintf("%d pods", len(s.Consumers))
			if s.ConsumersUnknown != "" {
				used = "?"
			}
			todo := ""
			if len(s.ToDo) > 0 {
				todo = s.ToDo[0]
			}
			columns = append(columns, s.App, orDash(s.Secret), fmt.Sprint(len(s.Outputs)), used, orDash(todo))
		}
		row(columns...)
	}
	_ = w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
