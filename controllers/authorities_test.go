package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/cafile"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// The CA of a host is rotated while the operator runs.
func TestAuthoritiesCAFileIsReadAnewWhileTheOperatorRuns(t *testing.T) {
	t.Parallel()
	other, err := githubtest.NewCA("former")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.crt")
	replace := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(other.PEM)
	file, err := cafile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, worldOptions{client: func(o *github.Options) { o.RootCAs, o.Authorities = nil, file }})
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	untrusted := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonCertificateNotTrusted)
	if strings.Contains(untrusted.Message, "CA file") {
		t.Errorf("the file is blamed although it is good: %s", untrusted.Message)
	}

	replace([]byte("broken"))
	w.meter.leap(time.Minute)
	w.touch("octocat")
	w.says("octocat", v1alpha1.ConditionReconciling, "the operator's CA file cannot be read anew (there is no certificate in it), so the one before it counts")

	replace(w.site.CA.PEM)
	w.meter.leap(time.Minute)
	w.touch("octocat")
	w.ready("octocat")
	w.account("octocat")

	replace([]byte("broken"))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.alive("octocat-token")
	w.quiet()
}
