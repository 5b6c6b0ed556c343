package main

import (
	"strings"
	"testing"
)

func TestMyTokensFlags(t *testing.T) {
	for name, c := range map[string]struct {
		flags     pageFlags
		own       string
		perClient int
		refused   string
	}{
		"as they are":                      {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40, certPath: t.TempDir()}, "own", 4, ""},
		"behind a proxy":                   {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40}, "own", 40, ""},
		"as somebody says":                 {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40, visitsPerClient: 7}, "own", 7, ""},
		"outside of a cluster":             {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40, visitsNamespace: "own"}, "", 40, ""},
		"an App of the namespace":          {pageFlags{visitsApp: "GitHubApp/who", visits: 40}, "own", 0, "--my-tokens-app"},
		"an App without a name":            {pageFlags{visitsApp: "ClusterGitHubApp/", visits: 40}, "own", 0, "--my-tokens-app"},
		"another namespace":                {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40, visitsNamespace: "team-a"}, "own", 0, "--my-tokens-namespace"},
		"a namespace that nobody knows of": {pageFlags{visitsApp: "ClusterGitHubApp/who", visits: 40}, "", 0, "--my-tokens-namespace"},
		"no visits":                        {pageFlags{visitsApp: "ClusterGitHubApp/who"}, "own", 0, "--my-tokens-visits"},
	} {
		visits, err := visitsOf(&c.flags, c.own)
		switch {
		case c.refused != "":
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || visits.PerClient != c.perClient || visits.InAll != 40 || visits.Namespace != "own":
			t.Errorf("%s: %+v, %v", name, visits, err)
		}
	}
}
