package qr

import (
	"strings"
	"testing"
)

func TestQRDrawsACodeWithItsMargin(t *testing.T) {
	drawn, err := Draw("https://github.com/login/device")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
	// Version 2 has 25 modules on each side, and two of margin, two in each line.
	if len(lines) != 15 {
		t.Fatalf("it has %d lines", len(lines))
	}
	for _, line := range lines {
		inner := strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		if n := len([]rune(inner)); n != 29 {
			t.Errorf("a line has %d modules", n)
		}
		if !strings.HasPrefix(inner, "  ") {
			t.Errorf("a line has no margin: %q", inner)
		}
	}
	// The corner of a finder pattern: seven dark modules.
	if !strings.Contains(lines[1], "  █▀▀▀▀▀█") {
		t.Errorf("there is no finder pattern in %q", lines[1])
	}
	if _, err := Draw(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that is too long is drawn")
	}
}
