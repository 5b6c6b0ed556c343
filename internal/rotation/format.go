package rotation

import "github.com/githubusertoken/github-user-token-operator/internal/jsonfields"

// StateFormat is the version of State and Intent that this version of the operator writes. It goes up when
// what is written means something to which an older version would do harm. A version that meets a higher one
// exchanges nothing and says so. New fields that an older version may ignore need no higher one: they are kept
// by versions that do not know them, as long as they stand at the top level.
const StateFormat = 1

// IsNewer reports whether a newer version of the operator has written what is known of the pair.
func (p *Pair) IsNewer() bool {
	return p.State.Format > StateFormat || p.Intent != nil && p.Intent.Format > StateFormat
}

// MarshalJSON implements json.Marshaler.
func (s State) MarshalJSON() ([]byte, error) {
	type known State
	s.Format = max(s.Format, StateFormat)
	return s.unknown.Encode(known(s))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *State) UnmarshalJSON(text []byte) error {
	type known State
	read, unknown, err := jsonfields.Decode[known](text)
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
	return i.unknown.Encode(known(i))
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *Intent) UnmarshalJSON(text []byte) error {
	type known Intent
	read, unknown, err := jsonfields.Decode[known](text)
	if err != nil {
		return err
	}
	*i = Intent(read)
	i.unknown = unknown
	return nil
}
