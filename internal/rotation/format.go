package rotation

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// StateFormat is the version of State and Intent that this version of the operator writes. It goes up when
// what is written means something to which an older version would do harm. A version that meets a higher one
// exchanges nothing and says so. New fields that an older version may ignore need no higher one: they are kept
// by versions that do not know them, as long as they stand at the top level.
const StateFormat = 1

// isNewer reports whether a newer version of the operator has written what is known of the pair.
func (p *Pair) isNewer() bool {
	return p.State.Format > StateFormat || p.Intent != nil && p.Intent.Format > StateFormat
}

// unknownFields are the top-level fields of a JSON object that this version does not know.
type unknownFields map[string]json.RawMessage

// MarshalJSON implements json.Marshaler.
func (s State) MarshalJSON() ([]byte, error) {
	type known State
	s.Format = max(s.Format, StateFormat)
	return s.unknown.encode(known(s))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *State) UnmarshalJSON(text []byte) error {
	type known State
	read, unknown, err := decodeKnown[known](text)
	if err != nil {
		return err
	}
	*s = State(read)
	s.unknown = unknown
	s.withKnownReasons()
	return nil
}

// MarshalJSON implements json.Marshaler.
func (i Intent) MarshalJSON() ([]byte, error) {
	type known Intent
	i.Format = max(i.Format, StateFormat)
	return i.unknown.encode(known(i))
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *Intent) UnmarshalJSON(text []byte) error {
	type known Intent
	read, unknown, err := decodeKnown[known](text)
	if err != nil {
		return err
	}
	*i = Intent(read)
	i.unknown = unknown
	return nil
}

// encode writes the known fields, and the unknown ones beside them.
func (u unknownFields) encode(known any) ([]byte, error) {
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

// decodeKnown reads the known fields into a struct and returns the others. There are none in what this version
// has written, which is read once only.
func decodeKnown[T any](text []byte) (known T, unknown unknownFields, err error) {
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
