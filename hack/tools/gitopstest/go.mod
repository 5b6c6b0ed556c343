// Tries what other projects' own code makes of this operator's resources and Secrets: kstatus (Flux, kubectl
// and others), Argo CD's Lua, and GitHub's own library for the configuration of gh. Their
// dependencies stay out of the operator's module.
module github.com/githubusertoken/github-user-token-operator/hack/tools/gitopstest

go 1.26.7

require github.com/githubusertoken/github-user-token-operator v0.0.0

require (
	github.com/charmbracelet/colorprofile v0.4.3 // indirect
	github.com/charmbracelet/x/ansi v0.11.8 // indirect
	github.com/charmbracelet/x/cellbuf v0.0.15 // indirect
	github.com/charmbracelet/x/term v0.2.2 // indirect
	github.com/cli/go-gh/v2 v2.17.0 // indirect
	github.com/cli/safeexec v1.0.1 // indirect
	github.com/clipperhouse/displaywidth v0.11.0 // indirect
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/fluxcd/cli-utils v1.3.0 // indirect
	github.com/lucasb-eyer/go-colorful v1.4.1 // indirect
	github.com/mattn/go-runewidth v0.0.24 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/xo/terminfo v0.0.0-20220910002029-abceb7e1c41e // indirect
	github.com/yuin/gopher-lua v1.1.2 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/githubusertoken/github-user-token-operator => ../../..
