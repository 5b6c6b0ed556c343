package commands

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// watchEvery is how often --watch looks again.
const watchEvery = 2 * time.Second

type statusOptions struct {
	all, watch bool
	output     string
	// namespace is where is looked.
	namespace string
}

func newStatus(e *environment) *cobra.Command {
	var o statusOptions
	cmd := maybeName(e, &cobra.Command{
		Use:   "status [NAME]",
		Short: "Say how resources stand, who uses their tokens, and what to do now",
		Long: `Say how resources stand, who uses their tokens, and what to do now. It reads no Secret.

Exit code: 0 ready, 1 not ready yet or an error, 2 a person is needed, 3 stalled: the configuration is to be changed. Of
several resources the most urgent one counts: 2 before 3 before 1.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			if name != "" && o.all {
				return fmt.Errorf("either a name or -A")
			}
			if !slices.Contains([]string{"", "wide", "json", "yaml"}, o.output) {
				return fmt.Errorf("-o %s is not known here: wide, json or yaml", o.output)
			}
			return e.status(cmd.Context(), name, o)
		},
	})
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "look again every two seconds, until Ctrl-C")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "wide, json or yaml")
	return cmd
}

func (e *environment) status(ctx context.Context, name string, o statusOptions) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	o.namespace = c.Namespace
	var last string
	var shown []*standing.Standing
	for {
		all, err := e.standings(ctx, c, name, o.all)
		switch {
		case err == nil:
		case shown == nil || cluster.IsFinal(err) || ctx.Err() != nil:
			return err
		default: // Who watches goes on watching.
			e.say("%v", err)
			if e.sleep(ctx, watchEvery) != nil {
				return exit(worst(shown))
			}
			continue
		}
		shown = all
		text, err := e.statusText(all, name, o)
		if err != nil {
			return err
		}
		if !o.watch {
			_, err := e.out.Write([]byte(text))
			return cmp.Or(err, exit(worst(all)))
		}
		switch {
		case e.isTerminal() && (o.output == "" || o.output == "wide"):
			fmt.Fprint(e.out, "\x1b[H\x1b[2J"+text) // From the top of an empty screen.
		case text != last:
			fmt.Fprint(e.out, text)
		}
		last = text
		if e.sleep(ctx, watchEvery) != nil {
			return exit(worst(all))
		}
	}
}

func worst(all []*standing.Standing) int {
	var codes []int
	for _, s := range all {
		codes = append(codes, s.State.ExitCode())
	}
	return standing.Worst(codes...)
}

// standings looks at one resource, or at all of a namespace or of the cluster.
func (e *environment) standings(ctx context.Context, c *cluster.Cluster, name string, everywhere bool) ([]*standing.Standing, error) {
	var tokens []v1alpha1.GitHubUserToken
	if name != "" {
		token, err := c.Token(ctx, name)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, *token)
	} else {
		var list v1alpha1.GitHubUserTokenList
		if err := c.List(ctx, &list, client.InNamespace(scopeOf(c, everywhere))); err != nil {
			return nil, err
		}
		tokens = list.Items
	}
	pods := podsOf(ctx, c, tokens, scopeOf(c, everywhere))
	var all []*standing.Standing
	for i := range tokens {
		all = append(all, standing.Of(&tokens[i], pods(tokens[i].Namespace), e.now()))
	}
	return all, nil
}

// scopeOf is the namespace to look at; empty for all.
func scopeOf(c *cluster.Cluster, everywhere bool) string {
	if everywhere {
		return ""
	}
	return c.Namespace
}

// podsOf lists the pods that may use one of the tokens, and tells them by namespace.
func podsOf(ctx context.Context, c *cluster.Cluster, tokens []v1alpha1.GitHubUserToken, namespace string) func(string) standing.Pods {
	var list corev1.PodList
	var err error
	if len(tokens) > 0 {
		err = c.List(ctx, &list, client.InNamespace(namespace))
	}
	byNamespace := map[string][]corev1.Pod{}
	for i := range list.Items {
		pod := &list.Items[i]
		byNamespace[pod.Namespace] = append(byNamespace[pod.Namespace], *pod)
	}
	return func(namespace string) standing.Pods { return standing.Pods{Items: byNamespace[namespace], Err: err} }
}

// statusText is what is printed of the resources.
func (e *environment) statusText(all []*standing.Standing, name string, o statusOptions) (string, error) {
	var text bytes.Buffer
	inner := *e
	inner.out = &text
	switch {
	case o.output == "json", o.output == "yaml":
		if name != "" {
			err := inner.encode(o.output, all[0])
			return text.String(), err
		}
		if all == nil {
			all = []*standing.Standing{}
		}
		err := inner.encode(o.output, map[string]any{"items": all})
		return text.String(), err
	case name != "":
		describe(&text, all[0], e.now(), o.output == "wide")
	case len(all) == 0:
		e.none(o.namespace, o.all)
	default:
		table(&text, all, e.now(), o.all, o.output == "wide")
	}
	return text.String(), nil
}

// none says that there are no resources, and where was looked.
func (e *environment) none(namespace string, everywhere bool) {
	if everywhere {
		e.say("There are no GitHubUserTokens in this cluster. To make one: kubectl ghut login --help")
		return
	}
	e.say("There are no GitHubUserTokens here, in namespace %s. Those of all namespaces: -A", namespace)
}
