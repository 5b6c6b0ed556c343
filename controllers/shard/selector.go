package shard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Selector is which objects a deployment serves, by their labels. The zero value selects everything.
type Selector struct {
	labels labels.Selector
	// text is the selector in the one form that all spellings of it have in common; empty for everything.
	text string
	keys []string
}

// Parse reads a label selector as kubectl takes it. An empty one selects everything.
func Parse(text string) (Selector, error) {
	parsed, err := labels.Parse(text)
	if err != nil {
		return Selector{}, err
	}
	requirements, selectable := parsed.Requirements()
	if !selectable {
		return Selector{}, errors.New("it selects nothing")
	}
	if len(requirements) == 0 {
		return Selector{}, nil
	}
	s := Selector{labels: parsed}
	var parts []string
	for _, requirement := range requirements {
		s.keys = append(s.keys, requirement.Key())
		parts = append(parts, canonical(requirement))
	}
	slices.Sort(parts)
	slices.Sort(s.keys)
	s.text, s.keys = strings.Join(slices.Compact(parts), ","), slices.Compact(s.keys)
	return s, nil
}

// canonical is a requirement in one form, however it was spelt.
func canonical(requirement labels.Requirement) string {
	key, values := requirement.Key(), requirement.ValuesUnsorted()
	slices.Sort(values)
	list := strings.Join(slices.Compact(values), ",")
	switch operator := requirement.Operator(); operator {
	case selection.Equals, selection.DoubleEquals, selection.In:
		if len(values) == 1 {
			return key + "=" + list
		}
		return fmt.Sprintf("%s in (%s)", key, list)
	case selection.NotEquals, selection.NotIn:
		if len(values) == 1 {
			return key + "!=" + list
		}
		return fmt.Sprintf("%s notin (%s)", key, list)
	default:
		return requirement.String()
	}
}

// Selects reports whether an object is this deployment's to serve.
func (s Selector) Selects(object metav1.Object) bool {
	return s.labels == nil || s.labels.Matches(labels.Set(object.GetLabels()))
}

// SelectsUnlabelled reports whether what bears no label is this deployment's: it tells of what is nobody's in particular.
func (s Selector) SelectsUnlabelled() bool { return s.Selects(&metav1.ObjectMeta{}) }

// Keys are those of the labels that have to be known.
func (s Selector) Keys() []string { return s.keys }

// String is the selector, however it was spelt; empty when it selects everything.
func (s Selector) String() string { return s.text }

// LeaseName is the name of the lease of the deployments with this selector: two with the same one share it, and others have
// another. That of everything is the base itself.
func (s Selector) LeaseName(base string) string {
	if s.text == "" {
		return base
	}
	sum := sha256.Sum256([]byte(s.text))
	return base + "-" + hex.EncodeToString(sum[:5])
}
