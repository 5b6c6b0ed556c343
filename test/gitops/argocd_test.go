package gitops

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	healthScript    = "../../docs/argocd/health.lua"
	healthConfigMap = "../../docs/argocd/argocd-cm.yaml"
)

// argoHealth is the answer of a health script.
type argoHealth struct{ status, message string }

// runHealthScript runs the script as Argo CD's controller does: the resource is the global obj, the
// libraries are package, base and table only, and it has one second.
func runHealthScript(t *testing.T, script string, resource *unstructured.Unstructured) argoHealth {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, resource.Object))
	if err := state.DoString(script); err != nil {
		t.Fatalf("the script fails: %v", err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s, not a table", state.Get(-1).Type())
	}
	health := argoHealth{answer.RawGetString("status").String(), answer.RawGetString("message").String()}
	switch health.status {
	case "Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown":
		return health
	default:
		t.Fatalf("Argo CD knows no health %q", health.status)
		return health
	}
}

// toLua turns what JSON can hold into Lua's values.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := state.NewTable()
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		panic(fmt.Sprintf("a resource holds a %T", value))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGitOpsArgoCDSeesTheHealthOfEachStageOfLife(t *testing.T) {
	script := readFile(t, healthScript)
	for _, stage := range stages(t) {
		if stage.argo == "" {
			continue
		}
		t.Run(stage.name, func(t *testing.T) {
			health := runHealthScript(t, script, stage.resource)
			if health.status != stage.argo {
				t.Errorf("Argo CD says %s (%s), want %s", health.status, health.message, stage.argo)
			}
			if health.message == "" || !strings.Contains(health.message, stage.argoSays) {
				t.Errorf("the message %q does not say %q", health.message, stage.argoSays)
			}
		})
	}
}

func TestGitOpsArgoCDsScriptAnswersForAnyStatus(t *testing.T) {
	script := readFile(t, healthScript)
	for _, status := range []string{
		"{}", "status: {}", "status: {conditions: []}", "status: {observedGeneration: 2}",
		"status: {observedGeneration: 1, conditions: []}",
		"status: {observedGeneration: 1, conditions: [{type: Other, status: 'True'}]}",
		"status: {observedGeneration: 2, conditions: [{type: Ready, status: 'True', message: old}]}",
	} {
		t.Run(status, func(t *testing.T) {
			var content map[string]any
			if err := yaml.Unmarshal([]byte("metadata: {generation: 1}\n"+strings.TrimSuffix(status, "{}")), &content); err != nil {
				t.Fatal(err)
			}
			health := runHealthScript(t, script, &unstructured.Unstructured{Object: content})
			if health.status != "Progressing" || health.message == "" {
				t.Errorf("Argo CD says %+v, want Progressing and why", health)
			}
		})
	}
}

func TestGitOpsConfigMapHoldsTheVeryScript(t *testing.T) {
	var configMap struct {
		Kind string            `json:"kind"`
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, healthConfigMap)), &configMap); err != nil {
		t.Fatal(err)
	}
	if configMap.Kind != "ConfigMap" || len(configMap.Data) != 3 {
		t.Errorf("it is a %s with %d keys", configMap.Kind, len(configMap.Data))
	}
	for kind, script := range map[string]string{"GitHubUserToken": healthScript, "GitHubApp": appScript, "ClusterGitHubApp": appScript} {
		key := "resource.customizations.health.githubusertoken.dev_" + kind
		if configMap.Data[key] != readFile(t, script) {
			t.Errorf("the value of %s is not %s", key, script)
		}
	}
}
