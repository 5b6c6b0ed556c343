package format_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
)

func TestOutputMetadataSaysWhatAConsumerPlansWith(t *testing.T) {
	spec := v1alpha1.Output{
		Name: "out", Format: v1alpha1.OutputFormatOpaque,
		Labels:      map[string]string{"argocd.argoproj.io/secret-type": "repo-creds", v1alpha1.LabelRole: "pair"},
		Annotations: map[string]string{"tekton.dev/git-0": "https://github.com", v1alpha1.AnnotationExpiresAt: "never"},
	}
	pair := metadataOnly(newPair(accessToken, refreshToken))
	got := format.MetadataFor(spec, pair, format.Defaults{})

	wantLabels := map[string]string{
		"argocd.argoproj.io/secret-type": "repo-creds",
		"githubusertoken.dev/role":       "output",
		"githubusertoken.dev/owner":      "octocat",
	}
	wantAnnotations := map[string]string{
		"tekton.dev/git-0":                     "https://github.com",
		"githubusertoken.dev/applied-metadata": "argocd.argoproj.io/secret-type,githubusertoken.dev/role;githubusertoken.dev/expires-at,tekton.dev/git-0",
		"githubusertoken.dev/expires-at":       "2026-03-04T05:06:07Z",
		"githubusertoken.dev/next-refresh-at":  "2026-03-04T03:06:07Z",
		"githubusertoken.dev/source":           format.Fingerprint(spec, pair, format.Defaults{}),
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

func TestOutputOfATokenThatNeverExpiresHasNoTimes(t *testing.T) {
	pair := newPair(accessToken, "")
	pair.State.ExpiresAt, pair.NextRefreshAt = time.Time{}, time.Time{}
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, Annotations: map[string]string{v1alpha1.AnnotationExpiresAt: "2001-01-01T00:00:00Z"}}
	got := format.MetadataFor(spec, pair, format.Defaults{})
	for _, key := range []string{v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt} {
		if value, ok := got.Annotations[key]; ok {
			t.Errorf("%s is %s", key, value)
		}
	}
}

func TestOutputOwnersNameAlwaysFitsALabel(t *testing.T) {
	for _, name := range []string{"octocat", strings.Repeat("a", 63), strings.Repeat("a", 62) + "-" + "b", strings.Repeat("a.", 100) + "b", strings.Repeat("a", 60) + "-.-" + "b"} {
		pair := newPair(accessToken, refreshToken)
		pair.Owner.Name = name
		label := format.MetadataFor(v1alpha1.Output{}, pair, format.Defaults{}).Labels[v1alpha1.LabelOwner]
		if problems := validation.IsValidLabelValue(label); label == "" || !strings.HasPrefix(name, label) || len(problems) > 0 {
			t.Errorf("%s became %q: %v", name, label, problems)
		}
	}
}

func TestOutputMetadataDiffersOnlyWhereItIsNotCurrent(t *testing.T) {
	spec := v1alpha1.Output{
		Name: "out", Format: v1alpha1.OutputFormatOpaque,
		Labels: map[string]string{"team": "a"}, Annotations: map[string]string{"example.com/x": "y"},
	}
	pair := newPair(accessToken, refreshToken)
	want := format.MetadataFor(spec, pair, format.Defaults{})

	permanent := newPair(accessToken, "")
	permanent.State.ExpiresAt, permanent.NextRefreshAt = time.Time{}, time.Time{}
	bare := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque}

	type patch = map[string]any
	for name, test := range map[string]struct {
		want                format.Metadata
		change              func(labels, annotations map[string]string)
		labels, annotations patch
	}{
		"as it was written":               {want, func(_, _ map[string]string) {}, patch{}, patch{}},
		"what others add does not matter": {want, func(l, a map[string]string) { l["x"], a["y"] = "1", "2" }, patch{}, patch{}},
		"a label of the user is gone":     {want, func(l, _ map[string]string) { delete(l, "team") }, patch{"team": "a"}, patch{}},
		"the role was changed": {
			want, func(l, _ map[string]string) { l[v1alpha1.LabelRole] = "pair" },
			patch{v1alpha1.LabelRole: v1alpha1.RoleOutput}, patch{},
		},
		"the expiry was changed": {
			want, func(_, a map[string]string) { a[v1alpha1.AnnotationExpiresAt] = "x" },
			patch{}, patch{v1alpha1.AnnotationExpiresAt: "2026-03-04T05:06:07Z"},
		},
		"the next refresh is gone": {
			want, func(_, a map[string]string) { delete(a, v1alpha1.AnnotationNextRefreshAt) },
			patch{}, patch{v1alpha1.AnnotationNextRefreshAt: "2026-03-04T03:06:07Z"},
		},
		"the list of what was applied is gone": {
			want, func(_, a map[string]string) { delete(a, v1alpha1.AnnotationAppliedMetadata) },
			patch{}, patch{v1alpha1.AnnotationAppliedMetadata: "team;example.com/x"},
		},
		"the spec asks for no labels and annotations any more": {
			format.MetadataFor(bare, pair, format.Defaults{}), func(_, _ map[string]string) {},
			patch{"team": nil}, patch{"example.com/x": nil, v1alpha1.AnnotationAppliedMetadata: nil},
		},
		"the list of what was applied names the operator's own": {
			want, func(_, a map[string]string) {
				a[v1alpha1.AnnotationAppliedMetadata] = v1alpha1.LabelRole + ";" + v1alpha1.AnnotationSource
			},
			patch{}, patch{v1alpha1.AnnotationAppliedMetadata: "team;example.com/x"},
		},
		"a time still stands though the token expires no more": {
			format.MetadataFor(spec, permanent, format.Defaults{}), func(_, a map[string]string) {
				a[v1alpha1.AnnotationSource] = format.Fingerprint(spec, permanent, format.Defaults{})
			},
			patch{}, patch{v1alpha1.AnnotationExpiresAt: nil, v1alpha1.AnnotationNextRefreshAt: nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			labels, annotations := maps.Clone(want.Labels), maps.Clone(want.Annotations)
			test.change(labels, annotations)
			gotLabels, gotAnnotations := test.want.Difference(labels, annotations)
			if !reflect.DeepEqual(gotLabels, test.labels) || !reflect.DeepEqual(gotAnnotations, test.annotations) {
				t.Errorf("labels differ by %v, annotations by %v; want %v and %v", gotLabels, gotAnnotations, test.labels, test.annotations)
			}
		})
	}
}
