package metapatch

import "strconv"

// AnnotationTrimmed stands in a cache on an object of which something was left out there because it was too large, and
// nowhere else. Its value is how many bytes of annotations were. Whoever needs the object as it is reads it live.
const AnnotationTrimmed = "githubusertoken.dev/trimmed-in-cache"

// Trimmed marks annotations of which so many bytes were left out.
func Trimmed(annotations map[string]string, bytes int) map[string]string {
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AnnotationTrimmed] = strconv.Itoa(bytes)
	return annotations
}

// IsTrimmed reports whether something was left out of an object with these annotations.
func IsTrimmed(annotations map[string]string) bool { return annotations[AnnotationTrimmed] != "" }

// SizeOf is how many bytes annotations come to on the API server.
func SizeOf(annotations map[string]string) int {
	size, err := strconv.Atoi(annotations[AnnotationTrimmed])
	if err != nil || size < 0 {
		size = 0
	}
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	return size
}
