package metapatch

import (
	"strings"
	"testing"
)

func TestMetaPatchTrimmedAnnotationsTellHowLargeTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		trimmed     bool
		size        int
	}{
		"none":                 {nil, false, 0},
		"whole":                {map[string]string{"ab": "cde"}, false, 5},
		"without 1000 bytes":   {Trimmed(map[string]string{"ab": "cde"}, 1000), true, 1000 + 5 + len(AnnotationTrimmed) + len("1000")},
		"without anything":     {Trimmed(nil, 7), true, 7 + len(AnnotationTrimmed) + 1},
		"marked by a person":   {map[string]string{AnnotationTrimmed: "no number"}, true, len(AnnotationTrimmed) + len("no number")},
		"marked with too much": {map[string]string{AnnotationTrimmed: "-" + strings.Repeat("9", 5)}, true, len(AnnotationTrimmed) + 6},
	} {
		t.Run(name, func(t *testing.T) {
			if IsTrimmed(c.annotations) != c.trimmed || SizeOf(c.annotations) != c.size {
				t.Errorf("trimmed: %t, %d bytes; want %t, %d", IsTrimmed(c.annotations), SizeOf(c.annotations), c.trimmed, c.size)
			}
		})
	}
}
