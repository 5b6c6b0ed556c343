package metapatch

import (
	"maps"
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Annotations are those that a spec asks for, with the list of all that it asks for.
func Annotations(labels, annotations map[string]string) map[string]string {
	wanted := map[string]string{}
	maps.Copy(wanted, annotations)
	if text := AppliedText(labels, annotations); text != "" {
		wanted[v1alpha1.AnnotationAppliedMetadata] = text
	}
	return wanted
}

// Difference is a merge patch: it sets what is wanted and takes off what was applied before and is wanted no
// longer.
func Difference(current, wanted map[string]string, appliedBefore []string) map[string]any {
	patch := map[string]any{}
	for key, value := range wanted {
		if existing, ok := current[key]; !ok || existing != value {
			patch[key] = value
		}
	}
	for _, key := range appliedBefore {
		_, stillWanted := wanted[key]
		if _, present := current[key]; present && !stillWanted {
			patch[key] = nil
		}
	}
	return patch
}

// Patched is a copy of a map with a merge patch applied.
func Patched(current map[string]string, patch map[string]any) map[string]string {
	next := maps.Clone(current)
	if next == nil {
		next = map[string]string{}
	}
	for key, value := range patch {
		if text, ok := value.(string); ok {
			next[key] = text
		} else {
			delete(next, key)
		}
	}
	return next
}

// AppliedText and Applied are the two directions of v1alpha1.AnnotationAppliedMetadata:
// "label,…;annotation,…".
func AppliedText(labels, annotations map[string]string) string {
	if len(labels) == 0 && len(annotations) == 0 {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(labels)), ",") + ";" + strings.Join(slices.Sorted(maps.Keys(annotations)), ",")
}

// Applied is the other direction of AppliedText.
func Applied(text string) (labels, annotations []string) {
	first, second, _ := strings.Cut(text, ";")
	return split(first), split(second)
}

func split(text string) []string {
	var keys []string
	for key := range strings.SplitSeq(text, ",") {
		// What stands in an annotation may have been edited: never take off what is the operator's own.
		if key != "" && !strings.HasPrefix(key, v1alpha1.GroupVersion.Group+"/") {
			keys = append(keys, key)
		}
	}
	return keys
}
