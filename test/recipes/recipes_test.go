package recipes

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	root  = "../.."
	token = "ghu_abcdefghijklmnopqrstuvwxyz0123456789"
)

// recipe is what one file comes to.
type recipe struct {
	t *testing.T
	f *facts
	// outputs are the rendered data of what the operator writes, by name, and specs what was asked for.
	outputs map[string]map[string][]byte
	specs   map[string]v1alpha1.Output
	pods    []corev1.PodSpec
	others  []map[string]any
	// names are the objects of the file, as KIND/NAME.
	names map[string]bool
}

func TestRecipesAreWhatTheirConsumersDocument(t *testing.T) {
	f := readFacts(t)
	paths, err := filepath.Glob(filepath.Join(root, "config", "samples", "recipes", "*.yaml"))
	if err != nil || len(paths) < 9 {
		t.Fatalf("there are %d recipes, %v", len(paths), err)
	}
	document, err := os.ReadFile(filepath.Join(root, "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(document, []byte("(../config/samples/recipes/"+name+")")) {
				t.Error("docs/recipes.md does not lead to it")
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r := &recipe{t: t, f: f, outputs: map[string]map[string][]byte{}, specs: map[string]v1alpha1.Output{}, names: map[string]bool{}}
			for text := range strings.SplitSeq(string(content), "\n---\n") {
				r.read([]byte(text))
			}
			r.checkOthers()
			r.checkPods()
			r.checkLabels()
		})
	}
	for _, k := range f.Kinds {
		if !k.used || !strings.HasPrefix(k.Source, "https://") {
			t.Errorf("the facts of %s are of no use, or have no source", k.Kind)
		}
	}
	for _, p := range f.Programs {
		if !p.used || !strings.HasPrefix(p.Source, "https://") {
			t.Errorf("the facts of %s are of no use, or have no source", p.Name)
		}
	}
	for _, m := range f.Labelled {
		if !m.used || !strings.HasPrefix(m.Source, "https://") {
			t.Errorf("the facts of %s are of no use, or have no source", m.Label)
		}
	}
}

// read reads one object, strictly.
func (r *recipe) read(text []byte) {
	r.t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		r.t.Fatal(err)
	}
	strict := func(into any) {
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			r.t.Errorf("%v: %v", object["kind"], err)
		}
	}
	metadata, _ := object["metadata"].(map[string]any)
	kind, _ := object["kind"].(string)
	name, _ := metadata["name"].(string)
	r.names[kind+"/"+name] = true
	switch kind {
	case "GitHubUserToken":
		resource := &v1alpha1.GitHubUserToken{}
		strict(resource)
		r.render(resource)
	case "Pod":
		pod := &corev1.Pod{}
		strict(pod)
		r.pods = append(r.pods, pod.Spec)
	case "Deployment":
		deployment := &appsv1.Deployment{}
		strict(deployment)
		r.pods = append(r.pods, deployment.Spec.Template.Spec)
	case "CronJob":
		job := &batchv1.CronJob{}
		strict(job)
		r.pods = append(r.pods, job.Spec.JobTemplate.Spec.Template.Spec)
	case "Service":
		strict(&corev1.Service{})
	case "ConfigMap":
		strict(&corev1.ConfigMap{})
	case "ServiceAccount":
		strict(&corev1.ServiceAccount{})
	case "Role":
		role := &rbacv1.Role{}
		strict(role)
		for _, rule := range role.Rules {
			if !slices.Equal(rule.Resources, []string{"githubusertokens/token"}) || len(rule.ResourceNames) != 1 || !slices.Equal(rule.Verbs, []string{"get"}) {
				r.t.Errorf("the role allows more than to get one token: %v", rule)
			}
		}
	case "RoleBinding":
		strict(&rbacv1.RoleBinding{})
	default:
		r.others = append(r.others, object)
	}
}

// render makes the outputs as the operator does.
func (r *recipe) render(resource *v1alpha1.GitHubUserToken) {
	r.t.Helper()
	access := credential.NewAccessToken(token)
	pair := &rotation.Pair{AccessToken: access, State: rotation.State{AccessToken: access.Fingerprint(), ExpiresAt: time.Now().Add(time.Hour)}}
	for _, output := range resource.Spec.Outputs {
		rendered, err := format.Render(output, pair, format.Defaults{})
		if err != nil {
			r.t.Fatal(err)
		}
		r.outputs[output.Name], r.specs[output.Name] = rendered.Data, output
	}
}

// reads holds an output to what a consumer reads of it.
func (r *recipe) reads(secret string, what read) {
	r.t.Helper()
	data, ok := r.outputs[secret]
	if !ok {
		r.t.Errorf("it reads the Secret %s, which is no output", secret)
		return
	}
	value, ok := data[what.Key]
	if !ok {
		r.t.Errorf("the Secret %s has no key %s", secret, what.Key)
		return
	}
	if !pattern(strings.ReplaceAll(what.Value, "TOKEN", regexp.QuoteMeta(token))).Match(value) {
		r.t.Errorf("the key %s of the Secret %s has not the form %s", what.Key, secret, what.Value)
	}
}

func (r *recipe) checkOthers() {
	r.t.Helper()
	for _, object := range r.others {
		apiVersion, _ := object["apiVersion"].(string)
		name, _ := object["kind"].(string)
		k := r.f.of(apiVersion, name)
		if k == nil {
			r.t.Errorf("there are no facts of %s %s", apiVersion, name)
			continue
		}
		for _, problem := range k.check(object) {
			r.t.Errorf("%s: %s", name, problem)
		}
		leaves(object["spec"], "spec", func(path string, value any) {
			if what, ok := k.Secrets[path]; ok {
				r.reads(value.(string), what)
			}
			// What names another object of the recipe's own kinds must be there.
			if kind, found := strings.CutSuffix(path, "Refs[].name"); found && kind == "spec.target" && !r.names["Backend/"+value.(string)] &&
				!r.names["AIServiceBackend/"+value.(string)] {
				r.t.Errorf("%s is for %v, which is not there", name, value)
			}
		})
	}
}

// checkPods holds containers to the variables that their programs read, and to where the token comes from.
func (r *recipe) checkPods() {
	r.t.Helper()
	for _, pod := range r.pods {
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			r.t.Error("the pod has a token for the API server that it does not need")
		}
		for _, container := range pod.Containers {
			p := r.f.program(container.Name)
			if p == nil {
				if slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool { return true }) {
					r.t.Errorf("there are no facts of the program %s", container.Name)
				}
				continue
			}
			isServed := len(container.Command) > 0 && container.Command[0] == "ghut-token"
			got := p.Served != "" && len(container.Args) > 0 && container.Args[0] == p.Served
			got = got || isServed && strings.Contains(strings.Join(container.Command, " "), "--env "+p.Token)
			for _, variable := range container.Env {
				reference := variable.ValueFrom
				switch {
				case isServed && strings.HasPrefix(variable.Name, "GHUT_"), isServed && strings.HasPrefix(variable.Name, "GIT_CONFIG_"):
				case variable.Name == p.Token:
					if reference == nil || reference.SecretKeyRef == nil {
						r.t.Errorf("%s is not from a Secret", p.Token)
						continue
					}
					r.reads(reference.SecretKeyRef.Name, read{Key: reference.SecretKeyRef.Key, Value: "/TOKEN/"})
					got = true
				case !slices.Contains(p.Variables, variable.Name):
					r.t.Errorf("%s reads no variable %s", p.Name, variable.Name)
				}
			}
			if !got {
				r.t.Errorf("%s does not get its token", p.Name)
			}
			if isServed {
				r.checkServed(pod, container)
			}
		}
	}
}

// checkServed holds a pod to what ghut-token wants: its variables, a projected token with an audience, and the authority.
func (r *recipe) checkServed(pod corev1.PodSpec, container corev1.Container) {
	r.t.Helper()
	document, err := os.ReadFile(filepath.Join(root, "docs", "ghut-token.md"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, variable := range container.Env {
		if strings.HasPrefix(variable.Name, "GHUT_") && !bytes.Contains(document, []byte("| `"+variable.Name+"` |")) {
			r.t.Errorf("ghut-token reads no variable %s", variable.Name)
		}
	}
	hasToken, hasAuthority := false, false
	for _, volume := range pod.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			hasToken = hasToken || source.ServiceAccountToken != nil && source.ServiceAccountToken.Path == "token" && source.ServiceAccountToken.Audience != ""
			hasAuthority = hasAuthority || source.ConfigMap != nil && source.ConfigMap.Items[0].Path == "ca.crt"
		}
	}
	if !hasToken || !hasAuthority || pod.ServiceAccountName == "" || !r.names["ServiceAccount/"+pod.ServiceAccountName] || len(r.outputs) != 0 {
		r.t.Errorf("the pod has not what ghut-token wants, or there is a Secret all the same")
	}
}

// checkLabels holds outputs with labels to those who find them by these.
func (r *recipe) checkLabels() {
	r.t.Helper()
	for name, output := range r.specs {
		if len(output.Labels) == 0 {
			continue
		}
		at := slices.IndexFunc(r.f.Labelled, func(m *mark) bool { return output.Labels[m.Label] == "true" })
		if at < 0 {
			r.t.Errorf("there are no facts of the labels of %s", name)
			continue
		}
		m := r.f.Labelled[at]
		m.used = true
		for label := range output.Labels {
			if label != m.Label && !slices.Contains(m.Also, label) {
				r.t.Errorf("%s: nobody looks for the label %s", name, label)
			}
		}
		for annotation := range output.Annotations {
			if !slices.Contains(m.Annotations, annotation) {
				r.t.Errorf("%s: nobody reads the annotation %s", name, annotation)
			}
		}
		r.reads(name, m.read)
	}
}

// What a resource restarts stands in its recipe.
func TestRecipesRestartWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "config", "samples", "recipes", "backstage.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var resource v1alpha1.GitHubUserToken
	var deployment appsv1.Deployment
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		switch {
		case strings.Contains(part, "kind: GitHubUserToken\n"):
			err = yaml.UnmarshalStrict([]byte(part), &resource)
		case strings.Contains(part, "kind: Deployment\n") && strings.Contains(part, "apiVersion: apps/v1"):
			err = yaml.UnmarshalStrict([]byte(part), &deployment)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if restart := resource.Spec.Handoff.Restart; len(restart) != 1 || restart[0].Name != deployment.Name || restart[0].Kind != "Deployment" {
		t.Errorf("it restarts %v, and the Deployment is %s", restart, deployment.Name)
	}
}
