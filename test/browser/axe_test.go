package browser

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// axe is the program that checks a page for what keeps people out: contrast, names, landmarks, language and the like.
var axe = sync.OnceValues(func() (string, error) {
	content, err := os.ReadFile(filepath.Join("..", "..", "bin", "axe", "node_modules", "axe-core", "axe.min.js"))
	return string(content), err
})

// violation is what axe holds against a page.
type violation struct {
	ID, Help string
	Nodes    []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	}
}

// isAccessible demands that axe, with all of its rules but the experimental ones, holds nothing against the page as it is shown.
func (p *person) isAccessible() {
	p.t.Helper()
	program, err := axe()
	if err != nil {
		p.t.Fatalf("axe-core is not there, make test-browser fetches it: %v", err)
	}
	ctx, cancel := context.WithTimeout(p.tab, pageTimeout)
	defer cancel()
	// It is not loaded by the page, whose policy lets nothing run, but put beside it as by the developer tools.
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](program+";0")); err != nil {
		p.t.Fatalf("load axe: %v", err)
	}
	const run = `axe.run(document, {preload: false}).then(r => JSON.stringify({passes: r.passes.length, violations: r.violations, incomplete: r.incomplete}))`
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("run axe: %v", err)
	}
	var result struct {
		Passes                 int
		Violations, Incomplete []violation
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range append(result.Violations, result.Incomplete...) {
		for _, node := range v.Nodes {
			p.t.Errorf("%s: %s (%s): %s: %s", p.heading(), v.ID, v.Help, node.HTML, strings.ReplaceAll(node.Summary, "\n", " "))
		}
	}
	if result.Passes < 10 {
		p.t.Errorf("only %d rules of axe apply", result.Passes)
	}
}
