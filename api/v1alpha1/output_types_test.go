package v1alpha1

import (
	"encoding/json"
	"reflect"
	"testing"
)

// An earlier version of the operator or of the definition knows outputs alone. Of one with a scope it must see nothing: without its
// scope it would be one with the user's own token.
func TestScopedOutputsAreNothingToAnEarlierVersion(t *testing.T) {
	var spec GitHubUserTokenSpec
	spec.SetOutputs([]Output{
		{Name: "whole", Format: OutputFormatNetrc},
		{Name: "agent", Format: OutputFormatOpaque, Scope: &OutputScope{Target: "octo-org"}},
	})
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var earlier struct {
		Outputs []struct {
			Name string `json:"name"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(text, &earlier); err != nil || len(earlier.Outputs) != 1 || earlier.Outputs[0].Name != "whole" {
		t.Errorf("it sees %+v (%v) of %s", earlier, err, text)
	}
	var again GitHubUserTokenSpec
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again.AllOutputs(), spec.AllOutputs()) || len(again.AllOutputs()) != 2 {
		t.Errorf("read again it is %+v (%v)", again.AllOutputs(), err)
	}
	if all := again.AllOutputs(); all[0].Scope != nil || all[1].Scope == nil || all[1].Scope.Target != "octo-org" {
		t.Errorf("the outputs are %+v", all)
	}
}
