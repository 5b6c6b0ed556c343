package rotation

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStateKeepsWhatItDoesNotKnow(t *testing.T) {
	read := func(text string) State {
		t.Helper()
		var state State
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			t.Fatal(err)
		}
		return state
	}
	written := func(state State) map[string]any {
		t.Helper()
		text, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	state := read(`{"format":3,"owner":"u","chains":[{"id":"b"}],"Revision":2,"overlap":"2h"}`)
	if state.Format != 3 || state.Owner != "u" || state.Revision != 2 {
		t.Errorf("the known fields were not read: %+v", state)
	}
	next := state.Clone()
	next.Owner, next.Revision = "v", 3
	want := map[string]any{"format": 3.0, "owner": "v", "revision": 3.0, "chains": []any{map[string]any{"id": "b"}}, "overlap": "2h"}
	if got := written(next); !reflect.DeepEqual(got, want) {
		t.Errorf("written back as %v, want %v", got, want)
	}
	if got := written(read(`{"owner":"u"}`)); !reflect.DeepEqual(got, map[string]any{"format": 1.0, "owner": "u"}) {
		t.Errorf("a state without a format is of the first one: %v", got)
	}
}

func TestIntentKeepsWhatItDoesNotKnow(t *testing.T) {
	var intent Intent
	if err := json.Unmarshal([]byte(`{"format":2,"id":"1","holder":{"outbox":"o","process":"p"},"spends":"s","startedAt":"2026-03-04T05:06:07Z","chain":"b"}`), &intent); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(new(intent))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"format":2`, `"chain":"b"`, `"spends":"s"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
}

func TestStateThatCannotBeReadIsAnError(t *testing.T) {
	for _, text := range []string{`{"format":"one"}`, `{"expiresAt":7,"new":1}`, `[]`, `"x"`} {
		if err := json.Unmarshal([]byte(text), new(State)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func BenchmarkStateDecode(b *testing.B) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	text, err := json.Marshal(State{Owner: "u", OwnerName: "octocat", App: "github.com/Iv1", Revision: 7, AccessToken: "a", RefreshToken: "r", IssuedAt: now, ExpiresAt: now})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var state State
		if err := json.Unmarshal(text, &state); err != nil {
			b.Fatal(err)
		}
	}
}
