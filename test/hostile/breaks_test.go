package hostile

import "github.com/githubusertoken/github-user-token-operator/test/suite/overlay"

// deliberate is a violation of a rule, and the test that is to notice it.
type deliberate struct {
	patches []overlay.Patch
	catcher string
}

var breaks = map[string]deliberate{}
