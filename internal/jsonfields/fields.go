package jsonfields

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// Unknown are the top-level fields of a JSON object that a struct does not know.
type Unknown map[string]json.RawMessage

// Encode writes the known fields, and the unknown ones beside them.
func (u Unknown) Encode(known any) ([]byte, error) {
	text, err := json.Marshal(known)
	if err != nil || len(u) == 0 {
		return text, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for name, value := range u {
		if _, taken := all[name]; !taken {
			all[name] = value
		}
	}
	return json.Marshal(all)
}

// Decode reads the known fields into a struct and returns the others. There are none in what the same
// version has written, which is read once only.
func Decode[T any](text []byte) (known T, unknown Unknown, err error) {
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&known); err == nil {
		return known, nil, nil
	}
	var read T
	if err := json.Unmarshal(text, &read); err != nil {
		return read, nil, err
	}
	if err := json.Unmarshal(text, &unknown); err != nil {
		return read, nil, err
	}
	maps.DeleteFunc(unknown, func(name string, _ json.RawMessage) bool { return hasField(reflect.TypeFor[T](), name) })
	return read, unknown, nil
}

// hasField reports whether encoding/json would read a field of that name, which it finds whatever its case.
func hasField(of reflect.Type, name string) bool {
	for field := range of.Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag != "" && strings.EqualFold(tag, name) {
			return true
		}
	}
	return false
}

// Same reports whether two values stand for the same JSON.
func Same[T any](a, b T) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	first, errFirst := json.Marshal(a)
	second, errSecond := json.Marshal(b)
	return errFirst == nil && errSecond == nil && bytes.Equal(first, second)
}
