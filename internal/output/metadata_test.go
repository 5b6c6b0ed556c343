package output_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/output"
)

func TestMetadataSaysWhatAConsumerPlansWith(t *testing.T) {
	spec := v1alpha1.Output{
		Name: "out", Format: v1alpha1.OutputFormatOpaque,
		Labels:      map[string]string{"argocd.argoproj.io/secret-type": "repo-creds", v1alpha1.LabelRole: "pair"},
		Annotations: map[string]string{"tekton.dev/git-0": "https://github.com", v1alpha1.AnnotationExpiresAt: "never"},
	}
	pair := metadataOnly(newPair(accessToken, refreshToken))
	got := output.MetadataFor(spec, pair, output.Defaults{})

	wantLabels := map[string]string{
		"argocd.argoproj.io/secret-type": "repo-creds",
		"githubusertoken.dev/role":       "output",
		"githubusertoken.dev/owner":      "octocat",
	}
	wantAnnotations := map[string]string{
		"tekton.dev/git-0":                    "https://github.com",
		"githubusertoken.dev/expires-at":      "2026-03-04T05:06:07Z",
		"githubusertoken.dev/next-refresh-at": "2026-03-04T03:06:07Z",
		"githubusertoken.dev/source":          output.Fingerprint(spec, pair, output.Defaults{}),
	}
	if !maps.Equal(got.Labels, wantLabels) {
		t.Errorf("labels are %v", got.Labels)
	}
	if !maps.Equal(got.Annotations, wantAnnotations) {
		t.Errorf("annotations are %v", got.Annotations)
	}
	if spec.Labels[v1alpha1.LabelRole] != "pair" {
		t.Error("the spec itself was changed")
	}
}

func TestATokenThatNeverExpiresHasNoTimes(t *testing.T) {
	pair := newPair(accessToken, "")
	pair.State.ExpiresAt, pair.NextRefreshAt = time.Time{}, time.Time{}
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, Annotations: map[string]string{v1alpha1.AnnotationExpiresAt: "2001-01-01T00:00:00Z"}}
	got := output.MetadataFor(spec, pair, output.Defaults{})
	for _, key := range []string{v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt} {
		if value, ok := got.Annotations[key]; ok {
			t.Errorf("%s is %s", key, value)
		}
	}
}

func TestTheOwnersNameAlwaysFitsALabel(t *testing.T) {
	for _, name := range []string{"octocat", strings.Repeat("a", 63), strings.Repeat("a", 62) + "-" + "b", strings.Repeat("a.", 100) + "b", strings.Repeat("a", 60) + "-.-" + "b"} {
		pair := newPair(accessToken, refreshToken)
		pair.Owner.Name = name
		label := output.MetadataFor(v1alpha1.Output{}, pair, output.Defaults{}).Labels[v1alpha1.LabelOwner]
		if problems := validation.IsValidLabelValue(label); label == "" || !strings.HasPrefix(name, label) || len(problems) > 0 {
			t.Errorf("%s became %q: %v", name, label, problems)
		}
	}
}

func TestMetadataMatchesOnlyWhatIsCurrent(t *testing.T) {
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, Labels: map[string]string{"team": "a"}}
	pair := newPair(accessToken, refreshToken)
	want := output.MetadataFor(spec, pair, output.Defaults{})

	permanent := newPair(accessToken, "")
	permanent.State.ExpiresAt, permanent.NextRefreshAt = time.Time{}, time.Time{}

	for _, test := range []struct {
		name   string
		want   output.Metadata
		change func(labels, annotations map[string]string)
		match  bool
	}{
		{"as it was written", want, func(_, _ map[string]string) {}, true},
		{"what others add does not matter", want, func(l, a map[string]string) { l["x"], a["y"] = "1", "2" }, true},
		{"a label of the user is gone", want, func(l, _ map[string]string) { delete(l, "team") }, false},
		{"the role was changed", want, func(l, _ map[string]string) { l[v1alpha1.LabelRole] = "pair" }, false},
		{"the source is another", want, func(_, a map[string]string) { a[v1alpha1.AnnotationSource] = "x" }, false},
		{"the expiry was changed", want, func(_, a map[string]string) { a[v1alpha1.AnnotationExpiresAt] = "x" }, false},
		{"the next refresh is gone", want, func(_, a map[string]string) { delete(a, v1alpha1.AnnotationNextRefreshAt) }, false},
		{"a time still stands though the token expires no more", output.MetadataFor(spec, permanent, output.Defaults{}), func(_, a map[string]string) {
			maps.Copy(a, output.MetadataFor(spec, permanent, output.Defaults{}).Annotations)
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			labels, annotations := maps.Clone(want.Labels), maps.Clone(want.Annotations)
			test.change(labels, annotations)
			if got := test.want.Matches(labels, annotations); got != test.match {
				t.Errorf("matches: %t, want %t", got, test.match)
			}
		})
	}
}
