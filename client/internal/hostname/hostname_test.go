package hostname

import "testing"

func TestHostsAreOneInASCIIAlone(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"github.com", "github.com", true},
		{"GitHub.COM:443", "github.com", true},
		{"github.com:8443", "github.com", false},
		{"github.com.", "github.com", false},
		{"gİthub.com", "github.com", false},
		{"gıthub.com", "github.com", false},
		{"ghe.ſub.example", "ghe.sub.example", false},
		{"\u212Aube.example", "kube.example", false}, // The sign for kelvin.
		{"gİthub.com", "gİthub.com", false},
		{"", "", false},
	} {
		if Equal(test.a, test.b) != test.want || Equal(test.b, test.a) != test.want {
			t.Errorf("%q and %q: want %t", test.a, test.b, test.want)
		}
	}
}
