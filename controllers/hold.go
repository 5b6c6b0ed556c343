package controllers

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
)

// holdNote says what becomes of the annotation hold-until, for the message of Ready: a value that is no time
// must not be ignored in silence, nor a hold that ends before the time that was asked for.
func holdNote(s *scope.Scope) string {
	text := s.Token.Annotations[v1alpha1.AnnotationHoldUntil]
	if text == "" {
		return ""
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Sprintf(" The annotation %s is ignored: %.40q is no time such as 2026-03-04T05:06:07Z.", v1alpha1.AnnotationHoldUntil, text)
	}
	if s.Input.Turn.Alternates {
		return "" // The time of the next refresh tells.
	}
	state, without := &s.Pair.State, s.Input.Policy
	without.HoldUntil = time.Time{}
	switch due := s.Input.Policy.DueAt(state); {
	case !due.After(without.DueAt(state)):
		return "" // It asks for nothing that would not be so without it.
	case due.Before(until):
		return fmt.Sprintf(" The refresh is held until %s: any later would be too close to the expiry.", words.Time(due))
	default:
		return fmt.Sprintf(" The refresh is held until %s.", words.Time(due))
	}
}
