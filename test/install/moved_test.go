package install

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The operator is put into another namespace under other names by a user's own kustomization over ours. Whatever refers to an
// object then must refer to it where it is.
func TestInstallKustomizationsMoveWhole(t *testing.T) {
	const shipped, elsewhere, prefix = "github-user-token-system", "elsewhere", "other-"
	cases := map[string]kustomization{}
	for _, overlay := range folders(t, "config", "Kustomization") {
		switch overlay {
		case "config/manager", "config/flow-control", "config/sharded/shard1", "config/sharded/shard2": // They speak of the ServiceAccount.
			cases[overlay] = kustomization{Resources: []string{"config/rbac", overlay}}
		case "config/namespaced/watched", "config/namespaced/team-a": // They are parts of config/namespaced.
		case "config/samples": // They are for a look, and name Secrets by fields of which kustomize knows nothing.
		default:
			cases[overlay] = kustomization{Resources: []string{overlay}}
		}
	}
	components := slices.DeleteFunc(folders(t, "config", "Component"), func(component string) bool {
		return strings.HasPrefix(component, "config/sharded/") // It is a part of that.
	})
	for _, component := range components {
		cases[component] = kustomization{Resources: []string{"config/default"}, Components: []string{component}}
	}
	// It is a part of the login page.
	cases["config/components/my-tokens"] = kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/login-page", "config/components/my-tokens"}}
	// It is a part of the token server and of what Prometheus needs.
	cases["config/components/token-server-prometheus"] = kustomization{
		Resources: []string{"config/default"}, Components: []string{"config/prometheus", "config/components/token-server", "config/components/token-server-prometheus"},
	}
	cases["everything"] = kustomization{Resources: []string{"config/default"}, Components: slices.DeleteFunc(slices.Clone(components), func(component string) bool {
		// They are parts of config/components/handoff.
		return strings.HasPrefix(component, "config/components/handoff/")
	})}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			before := build(t, k)
			k.NamePrefix = prefix
			if name != "config/namespaced" { // It is for several namespaces.
				k.Namespace = elsewhere
			}
			after := build(t, k)
			if k.Namespace != "" {
				for _, o := range after {
					eachString(o, []string{o.kind(), o.name()}, func(path []string, s string) {
						if strings.Contains(s, shipped) {
							t.Errorf("%s names the former namespace: %s", strings.Join(path, "."), s)
						}
					})
				}
			}
			refersToNothingElse(t, before, after, prefix)
			refersToWhatIsThere(t, after)
		})
	}
}

// Whoever puts the operator of config/namespaced elsewhere changes one line, in config/namespaced/operator.
func TestInstallNamespacedOperatorTakesItsBindingsAlong(t *testing.T) {
	objects := buildChanged(t, "config/namespaced", "config/namespaced/operator/kustomization.yaml", "namespace: github-user-token-system", "namespace: elsewhere")
	bound := 0
	for _, o := range objects {
		eachString(o, []string{o.id()}, func(path []string, s string) {
			if strings.Contains(s, "github-user-token-system") {
				t.Errorf("%s is %s", strings.Join(path, "."), s)
			}
		})
		if o.kind() == "RoleBinding" && o.namespace() == "team-a" && text(items(o, "subjects")[0], "namespace") == "elsewhere" {
			bound++
		}
	}
	if bound != 1 {
		t.Errorf("%d bindings in team-a are of the operator's account, want 1", bound)
	}
	refersToWhatIsThere(t, objects)
}

func has(objects []object, kind string) bool {
	return slices.ContainsFunc(objects, func(o object) bool { return o.kind() == kind })
}

// kept are the strings that stay as they are although an object bears them as its name.
func kept(path []string) bool {
	switch last := path[len(path)-1]; {
	case last == "app.kubernetes.io/name", last == "app.kubernetes.io/part-of": // whose they are
		return true
	case last == "resourceNames" && path[0] == "Role": // the lease, whose name is the program's
		return true
	case last == "name" && path[0] == "PrometheusRule": // a group of rules
		return true
	case path[0] == "Certificate" && (last == "commonName" || last == "dnsNames"): // what is verified, wherever it is
		return true
	}
	return false
}

// refersToNothingElse looks for strings that are the former name of an object.
func refersToNothingElse(t *testing.T, before, after []object, prefix string) {
	t.Helper()
	former := map[string]bool{}
	for _, o := range before {
		if !slices.ContainsFunc(after, func(other object) bool { return other.kind() == o.kind() && other.name() == o.name() }) {
			former[o.name()] = true
		}
	}
	renamed := slices.ContainsFunc(after, func(o object) bool { return o.kind() != "CustomResourceDefinition" && o.kind() != "Namespace" })
	if len(former) == 0 && renamed {
		t.Errorf("nothing has got another name by %s", prefix)
	}
	for _, o := range after {
		eachString(o, []string{o.kind()}, func(path []string, s string) {
			for _, host := range dnsNames.FindAllStringSubmatch(s, -1) {
				s = host[1]
			}
			if former[s] && !kept(path) {
				t.Errorf("%s of %s is the former name of an object: %s", strings.Join(path, "."), o.id(), s)
			}
		})
	}
}

// dnsNames are the names of Services: SERVICE.NAMESPACE.svc.
var dnsNames = regexp.MustCompile(`\b([a-z0-9-]+)\.([a-z0-9-]+)\.svc\b`)

// refersToWhatIsThere follows each reference between objects.
func refersToWhatIsThere(t *testing.T, objects []object) {
	t.Helper()
	byID := map[string]object{}
	for _, o := range objects {
		if byID[o.id()] != nil {
			t.Errorf("%s is there twice", o.id())
		}
		byID[o.id()] = o
	}
	want := func(o object, what, kind, namespace, name string) {
		if id := strings.Join([]string{kind, namespace, name}, "/"); byID[id] == nil {
			t.Errorf("%s of %s is %s, and there is none", what, o.id(), id)
		}
	}
	selects := func(o object, what string, labels any, namespace, kind string, path ...string) {
		for _, other := range objects {
			if other.kind() == kind && other.namespace() == namespace && contains(at(other, path...), labels) {
				return
			}
		}
		t.Errorf("%s of %s, %v, selects no %s in %q", what, o.id(), labels, kind, namespace)
	}
	pods := []string{"spec", "template", "metadata", "labels"}
	for _, o := range objects {
		switch o.kind() {
		case "RoleBinding", "ClusterRoleBinding":
			namespace := ""
			if text(o, "roleRef", "kind") == "Role" {
				namespace = o.namespace()
			}
			want(o, "the role", text(o, "roleRef", "kind"), namespace, text(o, "roleRef", "name"))
			for _, subject := range items(o, "subjects") {
				want(o, "a subject", text(subject, "kind"), text(subject, "namespace"), text(subject, "name"))
			}
		case "FlowSchema":
			want(o, "the level", "PriorityLevelConfiguration", "", text(o, "spec", "priorityLevelConfiguration", "name"))
			for _, rule := range items(o, "spec", "rules") {
				for _, subject := range items(rule, "subjects") {
					want(o, "a subject", "ServiceAccount", text(subject, "serviceAccount", "namespace"), text(subject, "serviceAccount", "name"))
				}
			}
		case "Deployment":
			if has(objects, "ServiceAccount") {
				want(o, "the account", "ServiceAccount", o.namespace(), text(o, "spec", "template", "spec", "serviceAccountName"))
			}
			selects(o, "the selector", at(o, "spec", "selector", "matchLabels"), o.namespace(), "Deployment", pods...)
		case "Service":
			selects(o, "the selector", at(o, "spec", "selector"), o.namespace(), "Deployment", pods...)
		case "PodDisruptionBudget":
			selects(o, "the selector", at(o, "spec", "selector", "matchLabels"), o.namespace(), "Deployment", pods...)
		case "NetworkPolicy":
			selects(o, "the selector", at(o, "spec", "podSelector", "matchLabels"), o.namespace(), "Deployment", pods...)
		case "ServiceMonitor":
			namespace := o.namespace()
			if others := items(o, "spec", "namespaceSelector", "matchNames"); len(others) > 0 {
				namespace, _ = others[0].(string)
			}
			selects(o, "the selector", at(o, "spec", "selector", "matchLabels"), namespace, "Service", "metadata", "labels")
			for _, endpoint := range items(o, "spec", "endpoints") {
				want(o, "the token", "Secret", o.namespace(), text(endpoint, "authorization", "credentials", "name"))
			}
		case "Secret":
			if account := text(o, "metadata", "annotations", "kubernetes.io/service-account.name"); account != "" {
				want(o, "the account", "ServiceAccount", o.namespace(), account)
			}
		case "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding":
			want(o, "the policy", strings.TrimSuffix(o.kind(), "Binding"), "", text(o, "spec", "policyName"))
			if ref := at(o, "spec", "paramRef"); ref != nil {
				found := slices.ContainsFunc(objects, func(other object) bool {
					return other.name() == text(ref, "name") && other.namespace() == text(ref, "namespace") && strings.Contains("ServiceAccount ConfigMap", other.kind())
				})
				if !found {
					t.Errorf("the parameters of %s are not there: %v", o.id(), ref)
				}
			}
		case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
			for _, webhook := range items(o, "webhooks") {
				service := at(webhook, "clientConfig", "service")
				want(o, "a webhook", "Service", text(service, "namespace"), text(service, "name"))
			}
		}
		eachString(o, []string{o.id()}, func(path []string, s string) {
			for _, host := range dnsNames.FindAllStringSubmatch(s, -1) {
				want(o, strings.Join(path, "."), "Service", host[2], host[1])
			}
		})
	}
	if len(byID) == 0 {
		t.Error("there is nothing")
	}
}

// contains reports whether a map of labels has all that are asked for.
func contains(labels, asked any) bool {
	has, _ := labels.(map[string]any)
	want, _ := asked.(map[string]any)
	if len(want) == 0 {
		return false
	}
	for key := range maps.Keys(want) {
		if fmt.Sprint(has[key]) != fmt.Sprint(want[key]) {
			return false
		}
	}
	return true
}
