// Package hostname compares names of hosts as they are sent: in ASCII, and nothing else.
//
// Unicode has letters whose lower case is a letter of ASCII, such as the dotted İ and the sign for kelvin. A client that folds them
// takes such a name for one of GitHub's, and net/http then connects to another host, under the name that IDNA makes of it.
package hostname

import "strings"

// Normal is a name in lower case, without the port that https has anyway; empty when it has other characters than those of ASCII.
func Normal(host string) string {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(host), ":443")
}

// Equal reports whether two names are one. No name is that of no host.
func Equal(a, b string) bool {
	a = Normal(a)
	return a != "" && a == Normal(b)
}
