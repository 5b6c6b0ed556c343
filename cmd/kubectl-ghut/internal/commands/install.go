package commands

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/manifests"
)

func newInstall(e *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "What installs the operator",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGenerate(e))
	return cmd
}

func newGenerate(e *environment) *cobra.Command {
	var o manifests.Options
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Print the manifests of the operator",
		Long: `Print the manifests of the operator: the definitions, the permissions and the Deployment, as config/default of the plugin's version
has them. It asks no cluster.

  kubectl ghut install generate --image registry.example.com/github-user-token-operator:v0.1.0 |
    kubectl apply --server-side -f -`,
		Args: noName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Image == "" {
				if !strings.HasPrefix(e.version, "v") || strings.Contains(e.version, "dirty") || strings.Contains(e.version, "-g") {
					return errors.New("this plugin is of no release, so say which image: --image")
				}
				o.Image = manifests.DefaultImage + ":" + e.version
			}
			// The namespace of the kubeconfig is where people work, and not where the operator goes.
			if e.flags != nil && cmd.Flags().Changed("namespace") {
				o.Namespace = *e.flags.Namespace
			}
			text, err := manifests.Render(o)
			if err != nil {
				return err
			}
			_, err = e.out.Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&o.Image, "image", "", "the operator's image (default that of the plugin's release)")
	cmd.Flags().StringSliceVar(&o.Components, "component", nil, "an optional part, such as prometheus or walls; may be repeated")
	cmd.Flags().StringVar(&o.LoginPageURL, "login-page-url", "", "with the component login-page: where browsers reach the page, https://HOST or https://HOST/PATH")
	cmd.Flags().StringVar(&o.TokenServerAudience, "token-server-audience", "", "with the component token-server: what the tokens of its callers are for, a name that nothing else in the cluster uses")
	_ = cmd.RegisterFlagCompletionFunc("component", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names, _ := manifests.Components()
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}
