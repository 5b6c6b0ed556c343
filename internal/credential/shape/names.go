package shape

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// What says where a token is, or that one belongs here.

var (
	// templates are the forms in which tools write a value that is to be filled in. They take up the whole text, or
	// stand in something that no token has.
	templates = regexp.MustCompile(`\{\{.*\}\}|\$\{[^}]*\}|\$\([^)]*\)|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$|^__[A-Za-z]\w{0,40}__$|^@@?[A-Z_]+@@?$|^\(\(.*\)\)$|#\{.*\}#`)
	// brackets surround a placeholder that a person has written.
	brackets = regexp.MustCompile(`^(gh[a-z]_)?(<[^<>]*>|\[[^]"{}]*\])$`)
	// masked is what stands in the place of a token that must not be shown, or of any.
	masked = regexp.MustCompile(`^(gh[a-z]_)?(x+|X+|\*+|#+|•+|\.+|_+|-+|0+|)$`)
	// separators stand between the words of a name.
	separators = regexp.MustCompile(`[^a-z0-9]+`)
	// name is a text in which hardly any token could be mistaken for words.
	name = regexp.MustCompile(`^[A-Za-z0-9]{1,15}([ _.-][A-Za-z0-9]{1,15})*$`)
)

// placeholderWords are words of a placeholder that a person has written; nothings are what programs write that had no
// value.
var (
	placeholderWords = []string{"changeme", "change", "replace", "replaceme", "placeholder", "your", "example", "todo", "tbd", "fixme", "paste", "insert", "enter", "dummy", "redacted"}
	nothings         = []string{"null", "nil", "none", "undefined", "nan", "true", "false", "unknown", "secret", "token", "refresh_token", "refresh-token", "password", "test"}
)

func placeholder(text string) string {
	if strings.HasPrefix(text, "<path:") || templates.MatchString(text) {
		return "it is a template that nobody has filled in"
	}
	return filler(text)
}

// filler recognises what stands in the place of a value, and is no template.
func filler(text string) string {
	lower := strings.ToLower(text)
	isPlaceholder := func(word string) bool { return slices.Contains(placeholderWords, word) }
	switch {
	case brackets.MatchString(text), masked.MatchString(text), slices.Contains(nothings, lower),
		name.MatchString(text) && slices.ContainsFunc(separators.Split(lower, -1), isPlaceholder):
		return "it is a placeholder"
	default:
		return ""
	}
}

var (
	// scheme begins an address, or a reference of a tool to a secret that it keeps elsewhere.
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	// reference is one that has another form.
	reference = regexp.MustCompile(`^(arn:aws[a-z-]*:|vault:secret/|vault:kv/|projects/[^/]+/secrets/)`)
)

func address(text string) string {
	if !scheme.MatchString(text) && !reference.MatchString(text) {
		return ""
	}
	if u, err := url.Parse(text); err == nil && u.Query().Get("code") != "" {
		return "it looks like the address to which GitHub sends the browser. The code in it has to be exchanged for tokens first"
	}
	return "it looks like an address, or a reference to a secret that is kept elsewhere. Put the token itself there"
}

var (
	// relative and windows begin paths as no token begins.
	relative = regexp.MustCompile(`^@?(~|\.{1,2})?/`)
	windows  = regexp.MustCompile(`^@?([A-Za-z]:|\.{1,2}|~)\\`)
	// folders are what a path consists of: names, most of them short. Base64 may begin with a slash, too.
	folders = regexp.MustCompile(`^@?(~|\.{1,2})?(/\.?[a-z][a-z0-9_.-]{0,30})+(/[A-Za-z0-9_.-]{1,40})?/?$`)
	file    = regexp.MustCompile(`^@?[A-Za-z0-9_-]{1,40}\.(txt|json|ya?ml|env|pem|key|token)$`)
)

func path(text string) string {
	isPath := strings.HasPrefix(text, "@") || windows.MatchString(text) || file.MatchString(text) || relative.MatchString(text) && folders.MatchString(text)
	if isPath && !strings.ContainsAny(text, "\n") {
		return "it looks like the path of a file. Put there what is in the file (kubectl create secret generic --from-file)"
	}
	return ""
}
