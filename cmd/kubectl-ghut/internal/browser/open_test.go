package browser

import "testing"

func TestBrowserOpensPagesAlone(t *testing.T) {
	for page, want := range map[string]bool{
		"https://github.com/login/device": true, "https://github.example.com:8443/login/device": true,
		"http://github.com/login/device": false, "file:///etc/passwd": false, "javascript:alert(1)": false, "--version": false,
		"https://": false, "https://user:secret@github.com/": false, "": false, "calc.exe": false,
	} {
		if err := Check(page); (err == nil) != want {
			t.Errorf("%q: %v", page, err)
		}
	}
}
