package controllers

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// alter has the API server apply a JSON patch to each Secret of the namespace that is written and meets a condition, until
// it is released. Whoever writes it hears that all is well.
func (w *world) alter(condition, patch string) (release func()) {
	w.t.Helper()
	return w.alterAlso("", "secrets", condition, patch)
}

// alterAlso is alter for objects of another kind besides.
func (w *world) alterAlso(group, resource, condition, patch string) (release func()) {
	w.t.Helper()
	name, fail := "alter-"+w.namespace, admissionregistrationv1.Fail
	canary := `object.metadata.name == "canary"`
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"", group}, APIVersions: []string{"*"}, Resources: []string{"secrets", resource}},
				}}},
			},
			FailurePolicy:      &fail,
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: fmt.Sprintf(
					`%s ? [JSONPatch{op: "add", path: "/metadata/labels", value: {"altered": "true"}}] : (%s) ? [%s] : []`, canary, condition, patch)},
			}},
		},
	}
	w.create(policy)
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	w.create(binding)
	isAltered := func() bool {
		probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "canary"}}
		w.must(admin.Create(w.ctx, probe, client.DryRunAll))
		return probe.Labels["altered"] == "true"
	}
	w.eventually("Secrets to be altered", func() (bool, string) { return isAltered(), "they are not" })
	if group == v1alpha1.GroupVersion.Group {
		w.eventually("the policy to know the kind", func() (bool, string) { // The API server learns of it a while after the CRD.
			err := admin.Create(w.ctx, w.resource("canary"), client.DryRunAll)
			return err == nil, fmt.Sprint(err)
		})
	}
	release = func() {
		w.remove(binding)
		w.remove(policy)
		w.eventually("Secrets to be left alone", func() (bool, string) { return !isAltered(), "they are not" })
	}
	w.t.Cleanup(func() {
		w.remove(binding)
		w.remove(policy)
	})
	return release
}

// ofResource is the condition of a GitHubUserToken.
const ofResource = `request.kind.kind == "GitHubUserToken"`

// ofPair is the condition of a Secret that is a pair.
const ofPair = `has(object.metadata.annotations) && "` + v1alpha1.AnnotationState + `" in object.metadata.annotations`

// ofIntent is that of one with an intent.
const ofIntent = ofPair + ` && "` + v1alpha1.AnnotationIntent + `" in object.metadata.annotations`

// repliesIn are the files of replies in an outbox, wherever it keeps them.
func repliesIn(dir string) (records []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasPrefix(entry.Name(), "reply-") {
			records = append(records, path)
		}
		return err
	})
	return records, err
}

// pointer is the JSON pointer of an annotation.
func pointer(annotation string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(annotation, "/", "~1")
}

func TestAdmissionPairThatAdmissionAltersIsKeptUntilItIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	spent := refresh(w.start("octocat"))
	redacted := base64.StdEncoding.EncodeToString([]byte("ghr_" + strings.Repeat("0", 76)))
	release := w.alter(ofPair+` && !("`+v1alpha1.AnnotationIntent+`" in object.metadata.annotations)`,
		`JSONPatch{op: "replace", path: "/data/refresh_token", value: "`+redacted+`"}`)
	w.request("octocat", "now")
	found := w.condition("octocat", v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonCommitting)
	for _, want := range []string{"admission webhook or policy", "refresh_token", v1alpha1.LabelRole} {
		if !strings.Contains(found.Message, want) {
			t.Errorf("the condition does not speak of %q: %s", want, found.Message)
		}
	}
	if records, err := repliesIn(w.outboxDir); err != nil || len(records) != 1 {
		t.Errorf("the pair is not in the outbox: %v, %v", records, err)
	}
	release()
	w.eventually("the pair to be stored", func() (bool, string) {
		return w.gh.Alive(refresh(w.pair("octocat-token"))), "another refresh token"
	})
	w.alive("octocat-token")
	w.condition("octocat", v1alpha1.ConditionAuthorized, "True", v1alpha1.ReasonRefreshTokenValid)
	if exchanges := w.gh.ExchangesOf(spent); exchanges != 1 {
		t.Errorf("%d exchanges were made", exchanges)
	}
}

func TestAdmissionNothingIsExchangedWhileAdmissionTakesTheIntentAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	release := w.alter(ofIntent, `JSONPatch{op: "remove", path: "`+pointer(v1alpha1.AnnotationIntent)+`"}`)
	seed := w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonAlteredByAdmission, says: v1alpha1.AnnotationIntent, retried: true})
	if w.gh.ExchangesOf(seed) != 0 || !w.gh.Alive(seed) {
		t.Error("the seed was exchanged")
	}
	release()
	w.condition("octocat", v1alpha1.ConditionReady, "True", "")
}

// A write of labels alone may be altered in its data, which an answer without data would not show.
func TestAdmissionTokenThatAdmissionAltersInAWriteOfLabelsIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	release := w.alter(`request.operation == "UPDATE" && `+ofPair+` && "team" in object.metadata.labels && !("team" in oldObject.metadata.labels)`,
		`JSONPatch{op: "replace", path: "/data/access_token", value: "Z2h1X3JlZGFjdGVk"}`)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Labels = v1alpha1.Labels{"team": "a"} })
	w.eventually("another token", func() (bool, string) {
		now := w.pair("octocat-token")
		return refresh(now) != refresh(before) && w.gh.Alive(access(now)), "it is " + now.ResourceVersion
	})
	release()
	w.ready("octocat")
	w.presented(2)
}
