package explain

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
)

// Verdict is what is said of a login that is of no more use for a reason, and what is to be done.
func Verdict(s *scope.Scope, reason string) string {
	if s.App.OfVisit && reason == v1alpha1.ReasonRevokedOnRequest {
		return words.VisitEnded
	}
	said := words.Verdict(reason)
	if reason == v1alpha1.ReasonRevokedOnRequest {
		said += words.EndedAtGitHub(s.Stored())
	}
	return said + " " + words.WhatToDo(s.Token)
}
