package v1alpha1

import (
	"slices"
	"testing"
)

func TestAPILoginMeansTheSameInEitherField(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		spec   GitHubUserTokenSpec
		device bool
		scopes []string
	}{
		"none":                   {GitHubUserTokenSpec{}, false, nil},
		"deviceFlow":             {GitHubUserTokenSpec{DeviceFlow: &DeviceFlow{}}, true, nil},
		"deviceFlow with scopes": {GitHubUserTokenSpec{DeviceFlow: &DeviceFlow{Scopes: Scopes{"repo"}}}, true, []string{"repo"}},
		"login":                  {GitHubUserTokenSpec{Login: &Login{Methods: []LoginMethod{LoginMethodDeviceFlow}}}, true, nil},
		"login with scopes":      {GitHubUserTokenSpec{Login: &Login{Methods: []LoginMethod{LoginMethodDeviceFlow}, Scopes: Scopes{"repo"}}}, true, []string{"repo"}},
		"login by a method that a later version knows": {GitHubUserTokenSpec{Login: &Login{Methods: []LoginMethod{"Later"}}}, false, nil},
	} {
		if got := c.spec.HasLoginMethod(LoginMethodDeviceFlow); got != c.device {
			t.Errorf("%s: the device flow is %t", what, got)
		}
		if c.spec.HasLoginMethod("Other") {
			t.Errorf("%s: a method that is not there is", what)
		}
		if got := c.spec.LoginScopes(); !slices.Equal(got, c.scopes) {
			t.Errorf("%s: the scopes are %v", what, got)
		}
	}
}
