package jsonfields

import (
	"encoding/json"
	"testing"
)

type known struct {
	Name  string   `json:"name,omitempty"`
	Parts []string `json:"parts,omitempty"`
}

func TestJSONFieldsUnknownFieldsAreKept(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"what a newer version has written": {`{"name":"a","later":{"b":[1,2]},"also":null}`, `{"also":null,"later":{"b":[1,2]},"name":"changed"}`},
		"nothing unknown":                  {`{"name":"a","parts":["b"]}`, `{"name":"changed","parts":["b"]}`},
		"a known field in other letters":   {`{"NAME":"a","later":1}`, `{"later":1,"name":"changed"}`},
	} {
		t.Run(name, func(t *testing.T) {
			read, unknown, err := Decode[known]([]byte(c.text))
			if err != nil || read.Name != "a" {
				t.Fatalf("read %+v: %v", read, err)
			}
			read.Name = "changed"
			written, err := unknown.Encode(read)
			if err != nil || string(written) != c.want {
				t.Errorf("wrote %s, want %s: %v", written, c.want, err)
			}
		})
	}
}

func TestJSONFieldsKnownFieldWinsOverAnUnknownOne(t *testing.T) {
	written, err := Unknown{"name": json.RawMessage(`"old"`)}.Encode(known{Name: "new"})
	if err != nil || string(written) != `{"name":"new"}` {
		t.Errorf("wrote %s: %v", written, err)
	}
}

func TestJSONFieldsWhatIsNoObjectIsAnError(t *testing.T) {
	for _, text := range []string{``, `[]`, `{"name":1}`, `{"name":"a"`} {
		if read, _, err := Decode[known]([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, read)
		}
	}
}
