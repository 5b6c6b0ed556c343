package format

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Argo CD takes the URL of a template for the beginning of a repository's.
func TestOutputBasicAuthIsForNoHostThatBeginsAlike(t *testing.T) {
	for _, out := range []v1alpha1.Output{{Format: v1alpha1.OutputFormatBasicAuth}, {Format: v1alpha1.OutputFormatBasicAuth, URL: "https://github.com"}} {
		s := settingsOf(out, Defaults{AppHost: "github.com"})
		for _, v := range s.wantedValues() {
			if v.key != urlKey {
				continue
			}
			text, err := v.render(s, "")
			if err != nil || strings.HasPrefix("https://github.com.example.org/x/y", string(text)) || !strings.HasPrefix("https://github.com/x/y", string(text)) {
				t.Errorf("the url is %q, %v", text, err)
			}
		}
	}
}
