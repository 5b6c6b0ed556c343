package loginpage

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
)

//go:embed templates
var files embed.FS

// pages are the templates, each within the layout.
var pages = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range []string{"request", "wait", "confirm", "result", "stopped", "visit", "visitwait", "visitconfirm", "tokens", "token"} {
		all[name] = template.Must(template.ParseFS(files, "templates/layout.html", "templates/facts.html", "templates/"+name+".html"))
	}
	return all
}()

// layout is what every page gets, and its own view.
type layout struct {
	Style, CancelAt string
	View            any
}

func (p *Page) render(a answer) ([]byte, error) {
	page := pages[a.page]
	if page == nil {
		return nil, fmt.Errorf("there is no page %q", a.page)
	}
	var content bytes.Buffer
	err := page.ExecuteTemplate(&content, "layout", layout{p.address.to(pathStyle), p.address.to(pathCancel), a.view})
	return content.Bytes(), err
}
