package outputs

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestOutputJudgedByItsMetadata(t *testing.T) {
	type input struct {
		spec    *v1alpha1.Output
		pair    *rotation.Pair
		secret  *corev1.Secret
		checked string
	}
	editData := func(in *input) { in.secret.ManagedFields[0].Manager = "kubectl-edit" }
	for name, c := range map[string]struct {
		change func(*input)
		want   finding
	}{
		"as it was written":                   {func(*input) {}, right},
		"missing":                             {func(in *input) { in.secret = nil }, amiss},
		"of no controller":                    {func(in *input) { in.secret.OwnerReferences = nil }, amiss},
		"of a former resource of this name":   {func(in *input) { in.secret.OwnerReferences[0].UID = "former" }, amiss},
		"of the token before":                 {func(in *input) { in.pair.State.AccessToken = "another" }, amiss},
		"of another expiry":                   {func(in *input) { in.pair.State.ExpiresAt = in.pair.State.ExpiresAt.Add(time.Hour) }, amiss},
		"of another spec":                     {func(in *input) { in.spec.Key = "GITHUB_TOKEN" }, amiss},
		"of a field that the format ignores":  {func(in *input) { in.spec.Username = "octocat" }, right},
		"its source was removed":              {func(in *input) { delete(in.secret.Annotations, v1alpha1.AnnotationSource) }, amiss},
		"its data was edited":                 {editData, amiss},
		"its data was edited and found right": {func(in *input) { editData(in); in.checked = in.secret.ResourceVersion }, right},
		"its data was edited since it was found right": {
			func(in *input) { editData(in); in.checked = "0" }, amiss,
		},
		"a label was removed":              {func(in *input) { delete(in.secret.Labels, v1alpha1.LabelRole) }, metadataAmiss},
		"a label is asked for":             {func(in *input) { in.spec.Labels = map[string]string{"team": "a"} }, metadataAmiss},
		"another time of the next refresh": {func(in *input) { in.pair.NextRefreshAt = in.pair.NextRefreshAt.Add(time.Minute) }, metadataAmiss},
		"nothing will be refreshed":        {func(in *input) { in.pair.NextRefreshAt = time.Time{} }, metadataAmiss},
		"others have added metadata":       {func(in *input) { in.secret.Labels["theirs"] = "x"; in.secret.Annotations["theirs"] = "x" }, right},
		"edited data goes before metadata": {func(in *input) { editData(in); delete(in.secret.Labels, v1alpha1.LabelRole) }, amiss},
		"an owner beside the controller": {func(in *input) {
			in.secret.OwnerReferences = append(in.secret.OwnerReferences, metav1.OwnerReference{UID: "other"})
		}, right},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			in := &input{spec: &w.token.Spec.Outputs[0], pair: w.pairs.pair, secret: w.server.get("out")}
			c.change(in)
			var meta *metav1.ObjectMeta
			if in.secret != nil {
				meta = new(asCached(in.secret))
				// The cache drops the account of a Secret that has lost its label; this is about the rest.
				meta.ManagedFields = managers.OfData(in.secret.ManagedFields)
			}
			if got := judge(w.token, *in.spec, in.pair, meta, in.checked); got != c.want {
				t.Errorf("it is %s, want %s", got, c.want)
			}
		})
	}
}
