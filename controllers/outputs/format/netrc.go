package format

import (
	"errors"
	"fmt"
	"strings"
)

// netrc is one entry of a .netrc file.
var netrc = descriptor{
	key: ".netrc", username: true, host: true,
	values: []value{{render: netrcEntry}},
}

// netrcEntry names the machine without its port: readers compare the bare name of the host. Words are not
// quoted, as readers differ on quotes; a word that would need them is refused.
func netrcEntry(s settings, token string) ([]byte, error) {
	if strings.ContainsAny(token, `"\#`) {
		return nil, errors.New(`the access token has a character (", \ or #) that a .netrc file cannot hold: use another format`)
	}
	machine, _, _ := strings.Cut(s.Host, ":")
	return fmt.Appendf(nil, "machine %s\nlogin %s\npassword %s\n", machine, s.Username, token), nil
}
