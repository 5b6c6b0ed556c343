package cachetrim

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
)

// many is that many labels or annotations of others, of 100 bytes each.
func many(n int) map[string]string {
	values := map[string]string{}
	for i := range n {
		values[fmt.Sprintf("example.com/%06d", i)] = strings.Repeat("x", 82)
	}
	return values
}

func trimmedSecret(t *testing.T, meta metav1.ObjectMeta) *metav1.ObjectMeta {
	t.Helper()
	once, err := Object(toolscache.DeletedFinalStateUnknown{Obj: &metav1.PartialObjectMetadata{ObjectMeta: *meta.DeepCopy()}})
	if err != nil {
		t.Fatal(err)
	}
	result := once.(*metav1.PartialObjectMetadata)
	if twice, err := Object(result.DeepCopy()); err != nil || !reflect.DeepEqual(twice, once) {
		t.Errorf("to trim twice is not the same as to trim once: %+v, %+v", once, twice)
	}
	return &result.ObjectMeta
}

func controlledBy(name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: name, UID: "u", Controller: new(true)}}
}

func TestCacheKeepsSecretsThatAreNotTooLargeAsTheyAre(t *testing.T) {
	meta := metav1.ObjectMeta{
		Namespace: "team-a", Name: "token", UID: "s", ResourceVersion: "7", OwnerReferences: controlledBy("octocat"),
		Labels:      map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, "team": "a"},
		Annotations: map[string]string{v1alpha1.AnnotationState: `{"x":"` + strings.Repeat("x", 16_000) + `"}`, v1alpha1.AnnotationIntent: `{}`},
		Finalizers:  []string{"example.com/a", v1alpha1.Finalizer},
	}
	maps.Copy(meta.Annotations, many(70))
	want := *meta.DeepCopy()
	meta.ManagedFields, meta.GenerateName = []metav1.ManagedFieldsEntry{{Manager: "x"}}, "x"
	if got := trimmedSecret(t, meta); !reflect.DeepEqual(*got, want) {
		t.Errorf("it is %+v", got)
	}
}

func TestCacheTakesAStateAndAnIntentThatAreTooLongForGarbled(t *testing.T) {
	meta := trimmedSecret(t, metav1.ObjectMeta{
		Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}, OwnerReferences: controlledBy("octocat"),
		Annotations: map[string]string{
			v1alpha1.AnnotationState:  `{"app":"` + strings.Repeat("x", maxState) + `"}`,
			v1alpha1.AnnotationIntent: `{"id":"` + strings.Repeat("x", maxIntent) + `"}`,
		},
	})
	pair, _ := pairsecret.FromMetadata(meta)
	if !pair.Controlled || !pair.StateLost || pair.State.App != "" || pair.Intent == nil || len(pair.Intent.ID) > 100 {
		t.Errorf("the pair is %+v", pair)
	}
}

func TestCacheKeepsOfLargeSecretsWhatIsLookedAt(t *testing.T) {
	large := strings.Repeat("x", maxMetadata)
	cases := map[string]func(meta *metav1.ObjectMeta){
		"many annotations":         func(meta *metav1.ObjectMeta) { maps.Copy(meta.Annotations, many(1000)) },
		"one long annotation":      func(meta *metav1.ObjectMeta) { meta.Annotations["example.com/a"] = large },
		"many annotations of ours": func(meta *metav1.ObjectMeta) { maps.Copy(meta.Annotations, ourOwn(1000)) },
		"many labels":              func(meta *metav1.ObjectMeta) { maps.Copy(meta.Labels, many(1000)) },
		"a long finalizer":         func(meta *metav1.ObjectMeta) { meta.Finalizers = append(meta.Finalizers, large) },
		"many other owners": func(meta *metav1.ObjectMeta) {
			for i := range 1000 {
				meta.OwnerReferences = append(meta.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprint(i), UID: "x"})
			}
		},
	}
	for name, enlarge := range cases {
		t.Run(name, func(t *testing.T) {
			meta := metav1.ObjectMeta{
				Namespace: "team-a", Name: "token", UID: "s", ResourceVersion: "7", OwnerReferences: controlledBy("octocat"), DeletionTimestamp: new(metav1.Now()),
				Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: "octocat"}, Finalizers: []string{v1alpha1.Finalizer},
				Annotations: map[string]string{
					v1alpha1.AnnotationState: `{"app":"github.com/x"}`, v1alpha1.AnnotationIntent: `{"id":"i"}`, v1alpha1.AnnotationSource: "s",
					v1alpha1.AnnotationNextRefreshAt: "2026-01-02T03:04:05Z",
				},
			}
			small := *meta.DeepCopy()
			enlarge(&meta)
			whole := metapatch.SizeOf(meta.Annotations)
			got := trimmedSecret(t, meta)
			if !metapatch.IsTrimmed(got.Annotations) {
				t.Error("nobody can tell that something is missing")
			}
			if size := metapatch.SizeOf(got.Annotations); size < whole || size > whole+100 {
				t.Errorf("the annotations are said to come to %d bytes, which are %d", size, whole)
			}
			delete(got.Annotations, metapatch.AnnotationTrimmed)
			if !reflect.DeepEqual(*got, small) {
				t.Errorf("it is %+v", got)
			}
		})
	}
}

func ourOwn(n int) map[string]string {
	values := map[string]string{}
	for i := range n {
		values[fmt.Sprintf("githubusertoken.dev/%06d", i)] = "x"
	}
	return values
}

func TestCacheKeepsOfResourcesWhatIsLookedAt(t *testing.T) {
	requested := strings.Repeat("2", 1000)
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team-a", Name: "octocat", UID: "u", Generation: 3, Finalizers: []string{"example.com/a", v1alpha1.Finalizer}, Labels: many(10), OwnerReferences: controlledBy("x"),
		Annotations: map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("x", 100_000),
			v1alpha1.AnnotationHoldUntil:                       "2026-01-02T03:04:05Z", v1alpha1.AnnotationAdopt: strings.Repeat("u", 1000), v1alpha1.AnnotationRefreshRequestedAt: requested,
		},
	}}
	token.Spec.Secret.Annotations = many(10)
	want := *token.Spec.DeepCopy()
	request := scope.RequestOf(token)
	for range 2 {
		if _, err := Object(token); err != nil {
			t.Fatal(err)
		}
		if len(token.Annotations) != 3 || sizeOfMap(token.Annotations) > 500 || token.Labels != nil || token.OwnerReferences != nil {
			t.Errorf("the metadata is %+v", token.ObjectMeta)
		}
		if scope.RequestOf(token) != request {
			t.Errorf("the request is named %q, and %q as it is", scope.RequestOf(token), request)
		}
		if !reflect.DeepEqual(token.Spec, want) || len(token.Finalizers) != 2 || metapatch.IsTrimmed(token.Annotations) {
			t.Errorf("the resource is %+v", token)
		}
	}
}

func TestCacheMarksResourcesThatAreTooLarge(t *testing.T) {
	cases := map[string]func(token *v1alpha1.GitHubUserToken){
		"by the Secret's annotations": func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Annotations = many(1000) },
		"by an output's annotations": func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Outputs = []v1alpha1.Output{{Name: "a"}, {Name: "b", Annotations: many(1000)}}
		},
		"by their finalizers": func(token *v1alpha1.GitHubUserToken) {
			for i := range 1000 {
				token.Finalizers = append(token.Finalizers, fmt.Sprintf("example.com/%d", i))
			}
		},
		"by their conditions": func(token *v1alpha1.GitHubUserToken) {
			token.Status.Conditions = []metav1.Condition{{Type: "Ready", Message: strings.Repeat("x", maxStatus)}}
		},
	}
	for name, enlarge := range cases {
		t.Run(name, func(t *testing.T) {
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "octocat", Finalizers: []string{v1alpha1.Finalizer}}}
			token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed", Key: "k"}
			enlarge(token)
			outputs := len(token.Spec.Outputs)
			for range 2 {
				if _, err := Object(token); err != nil {
					t.Fatal(err)
				}
				if !metapatch.IsTrimmed(token.Annotations) || sizeOfSpec(&token.Spec)+sizeOfStrings(token.Finalizers)+sizeOfConditions(token.Status.Conditions) > maxMetadata {
					t.Errorf("the resource is %+v", token)
				}
				if token.Spec.RefreshTokenRef == nil || len(token.Spec.Outputs) != outputs || !slices.Contains(token.Finalizers, v1alpha1.Finalizer) {
					t.Errorf("something that is looked at is missing: %+v", token)
				}
			}
		})
	}
}

var annotationRead = regexp.MustCompile(`token\.Annotations\[v1alpha1\.(Annotation\w+)\]`)

// An annotation that the cache drops would have no effect, and nothing would tell.
func TestCacheKeepsTheAnnotationsThatAreRead(t *testing.T) {
	names, err := os.ReadFile("../../api/v1alpha1/names.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range annotationRead.FindAllSubmatch(source, -1) {
			read++
			value := regexp.MustCompile(string(found[1]) + `\s*= "([^"]+)"`).FindSubmatch(names)
			if value == nil {
				t.Fatalf("%s: %s is not in names.go", file, found[1])
			}
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{string(value[1]): "x"}}}
			if ownAnnotations(token)[string(value[1])] != "x" {
				t.Errorf("%s reads %s, which the cache does not keep: see ownAnnotations", file, value[1])
			}
		}
	}
	if read == 0 {
		t.Error("no annotation is read")
	}
}

// The labels by which objects are selected stay, however large the others are: whoever could have them dropped would choose who
// serves a resource.
func TestCacheKeepsTheLabelsOfASelector(t *testing.T) {
	labels := many(1000)
	labels["shard"] = "one"
	meta := metav1.ObjectMeta{Name: "octocat", Labels: labels}
	trim := Keeping([]string{"absent", "shard"})
	for _, object := range []metav1.Object{
		&v1alpha1.GitHubUserToken{ObjectMeta: *meta.DeepCopy()},
		&v1alpha1.GitHubApp{ObjectMeta: *meta.DeepCopy()},
		&v1alpha1.ClusterGitHubApp{ObjectMeta: *meta.DeepCopy()},
	} {
		for range 2 { // To trim it twice changes nothing.
			if _, err := trim(object); err != nil {
				t.Fatal(err)
			}
			if got := object.GetLabels(); !maps.Equal(got, map[string]string{"shard": "one"}) {
				t.Errorf("%T keeps %d labels", object, len(got))
			}
		}
		if _, err := Object(object); err != nil || object.GetLabels() != nil {
			t.Errorf("%T keeps labels without a selector: %v", object, err)
		}
	}
}
