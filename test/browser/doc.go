// Package browser tries the device flow as a person does: the code that kubectl shows is entered with a
// real browser at the page that the status names, on a real control plane with the operator as a process of
// its own. Chromium must be installed.
package browser
