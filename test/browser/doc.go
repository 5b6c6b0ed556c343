// Package browser tries the device flow and the login page as a person does: the code that kubectl shows is entered with a
// real browser at the page that the status names, and the link that the status has is opened with one, on a real control plane with the operator
// and the login page as processes of their own. Chromium must be installed, and axe-core fetched: see make test-browser.
package browser
