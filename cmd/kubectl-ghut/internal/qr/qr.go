// Package qr draws QR codes in a terminal.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is how many light modules surround a code. The standard says four; phones read two on a dark ground.
const quiet = 2

// Draw is the QR code of a text, two modules in each character, dark on light whatever the terminal's colours are.
func Draw(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("draw a QR code: %w", err)
	}
	var drawn strings.Builder
	dark := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < code.Size && y < code.Size && code.Black(x, y)
	}
	for y := -quiet; y < code.Size+quiet; y += 2 {
		drawn.WriteString("\x1b[30;107m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := dark(x, y), dark(x, y+1); {
			case upper && lower:
				drawn.WriteRune('█')
			case upper:
				drawn.WriteRune('▀')
			case lower:
				drawn.WriteRune('▄')
			default:
				drawn.WriteRune(' ')
			}
		}
		drawn.WriteString("\x1b[0m\n")
	}
	return drawn.String(), nil
}
