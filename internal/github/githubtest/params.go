package githubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxRequestBody bounds what the stand-in reads of a request.
const maxRequestBody = 1 << 20

var errMalformedBody = errors.New("the body is not what its Content-Type says")

// parameters are an OAuth request's, wherever they stood, with what a strict server finds wrong with the way they came.
type parameters struct {
	values map[string]string
	wrong  []Rule
}

func (p parameters) get(name string) string { return p.values[name] }

// readParameters takes the query string, a form body and a JSON body; GitHub takes all three.
func readParameters(r *http.Request) (parameters, error) {
	p := parameters{values: map[string]string{}}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p, errMalformedBody
	}
	p.add(query)
	for _, secret := range []string{"refresh_token", "client_secret", "code", "code_verifier", "device_code"} {
		if query.Has(secret) {
			p.wrong = append(p.wrong, SecretInURL)
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody))
	if err != nil {
		return p, fmt.Errorf("read the request: %w", err)
	}
	if len(body) == 0 {
		return p, nil
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return p, errMalformedBody
		}
		p.add(form)
	case "application/json":
		return p, p.addJSON(body)
	default: // ignored, as GitHub does
		p.wrong = append(p.wrong, WrongContentType)
	}
	return p, nil
}

func (p *parameters) add(values url.Values) {
	for name, all := range values {
		if _, twice := p.values[name]; twice || len(all) > 1 {
			p.wrong = append(p.wrong, RepeatedParameter)
		}
		p.values[name] = all[0]
	}
}

func (p *parameters) addJSON(body []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return errMalformedBody
	}
	for name, value := range object {
		switch value := value.(type) {
		case string:
			p.add(url.Values{name: {value}})
		case json.Number:
			p.add(url.Values{name: {value.String()}})
		}
	}
	return nil
}
