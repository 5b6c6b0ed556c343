package shape

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// token is a refresh token as GitHub gives them out today.
const token = "ghr_Qx7Tn2LkVb9sWd4RfYh6UjMc1PzEoAi8KgXw3BvNq5HtSy0ZrDl7FmJeCu2GpOa9IkTxLw4Vb6Nc8"

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// wide is a text in UTF-16, of either byte order, as files in it begin.
func wide(order binary.AppendByteOrder, text string) string {
	encoded := order.AppendUint16(nil, 0xfeff)
	for _, c := range utf16.Encode([]rune(text)) {
		encoded = order.AppendUint16(encoded, c)
	}
	return string(encoded)
}

// inLines is a text as base64 and openssl break it.
func inLines(text string) string {
	var lines []string
	for len(text) > 76 {
		lines, text = append(lines, text[:76]), text[76:]
	}
	return strings.Join(append(lines, text), "\n") + "\n"
}

func sealed(plain int) string {
	return base64.StdEncoding.EncodeToString(append([]byte{2, 0}, make([]byte, 512+16+plain)...))
}

func TestShapeWhatIsNoRefreshTokenIsToldApart(t *testing.T) {
	const (
		quotes      = "it stands in quotation marks"
		reply       = "it looks like GitHub's reply as a whole. Take the value of refresh_token alone"
		noToken     = "has no refresh token"
		again       = "it is base64 of a refresh token"
		other       = "it is base64 of what is no refresh token either"
		named       = "it looks like a name with a value"
		template    = "it is a template that nobody has filled in"
		placeholder = "it is a placeholder"
		isEncrypted = "It has to be decrypted before it gets into the Secret"
		isAddress   = "it looks like an address, or a reference to a secret that is kept elsewhere"
		isPath      = "it looks like the path of a file"
		isUTF16     = "it is text in UTF-16"
		isInvisible = "it has an invisible character"
		isHeader    = "it looks like an HTTP header"
		inJSON      = `{"access_token":"ghu_abc","expires_in":28800,"refresh_token":"` + token + `","refresh_token_expires_in":15897600,"scope":"","token_type":"bearer"}`
		inForm      = "access_token=ghu_abc&expires_in=28800&refresh_token=" + token + "&scope=&token_type=bearer"
		inXML       = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OAuth>\n  <access_token>ghu_abc</access_token>\n  <refresh_token>" + token + "</refresh_token>\n</OAuth>"
		hex         = "3584d83530557fdd1f46af8289938c8ef79f9dc5"
	)
	cases := []struct{ name, text, says string }{
		{"a user's access token", "ghu_abc", "it starts with ghu_, so it is a user access token"},
		{"an access token behind a byte order mark", "\ufeffghu_abc", "it starts with ghu_"},
		{"a classic personal access token", "ghp_abc", "it starts with ghp_, so it is a personal access token"},
		{"a fine-grained personal access token", "github_pat_abc", "it starts with github_pat_, so it is a personal access token"},
		{"a token of an OAuth App", "gho_abc", "it starts with gho_, so it is an OAuth access token"},
		{"a token of an installation", "ghs_abc", "it starts with ghs_, so it is an installation access token"},

		{"in double quotes", `"` + token + `"`, quotes},
		{"in single quotes", "'" + token + "'", quotes},
		{"in back quotes", "`" + token + "`", quotes},
		{"in typographic quotes", "“" + token + "”", quotes},
		{"in escaped quotes", `\"` + token + `\"`, quotes},
		{"in quotes, with the line's end", "\"" + token + "\n\"", quotes},
		{"in quotes, with the comma behind them", `"` + token + `",`, quotes},
		{"in half a pair of quotes", `"` + token, quotes},
		{"in the other half", token + `'`, quotes},

		{"base64 twice", base64Of(token), again},
		{"base64 twice, of a line", base64Of(token + "\n"), again},
		{"base64 twice, in lines", inLines(base64Of(token)), again},
		{"base64 twice, without padding", strings.TrimRight(base64Of(token), "="), again},
		{"base64 of URLs", base64.URLEncoding.EncodeToString([]byte(token)), again},
		{"base64 three times", base64Of(base64Of(token)), again},
		{"base64 of UTF-16", base64Of(wide(binary.LittleEndian, token)), again},
		{"base64 of the reply", base64Of(inJSON), other},
		{"base64 of the reply as a form", base64Of(inForm), other},
		{"base64 of a token in quotes", base64Of(`"` + token + `"`), other},
		{"base64 of a setting", base64Of("refresh_token: " + token), other},
		{"base64 of an access token", base64Of("ghu_abc"), other},

		{"the reply", inJSON, reply},
		{"the reply in lines", strings.ReplaceAll(inJSON, ",", ",\n  "), reply},
		{"the reply behind a byte order mark", "\ufeff" + inJSON, reply},
		{"the reply, cut", inJSON[:160], reply},
		{"the reply as a form", inForm, reply},
		{"the reply in XML", inXML, reply},
		{"the reply as octokit has it", `{"type":"oauth","token":"ghu_abc","refreshToken":"` + token + `","expiresAt":"2030-01-01T00:00:00Z"}`, reply},
		{"a reply without a refresh token", `{"access_token":"ghu_abc","token_type":"bearer","scope":""}`, noToken},
		{"a form without a refresh token", "access_token=ghu_abc&scope=&token_type=bearer", noToken},
		{"an error", `{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}`, "an error that GitHub answered"},
		{"an error as a form", "error=bad_refresh_token&error_description=x", "an error that GitHub answered"},
		{"an error in XML", "<OAuth><error>bad_verification_code</error></OAuth>", "an error that GitHub answered"},
		{"the reply with a device code", `{"device_code":"` + hex + `","user_code":"WDJB-MJHT","interval":5}`, "the request of a device code"},
		{"other JSON", `{"auths":{}}`, "it looks like JSON"},
		{"other XML", "<?xml version=\"1.0\"?><project/>", "it looks like XML"},
		{"a web page", "<!DOCTYPE html>\n<html></html>", "it looks like a web page"},

		{"YAML", "refresh_token: " + token, named},
		{"YAML without a blank", "refresh_token:" + token, named},
		{"YAML of something else", "token: abc", named},
		{"a list in YAML", "- refresh_token: " + token, named},
		{"quoted in YAML", `refresh_token: "` + token + `"`, named},
		{"a manifest", "apiVersion: v1\nkind: Secret\nstringData:\n  refresh_token: " + token, "it looks like a manifest of Kubernetes"},
		{"a line of settings", "GITHUB_REFRESH_TOKEN=" + token, named},
		{"a line of a shell", "export GITHUB_REFRESH_TOKEN='" + token + "'", named},
		{"a line of PowerShell", `$env:TOKEN = "` + token + `"`, named},
		{"a header", "Authorization: Bearer " + token, isHeader},
		{"the value of a header", "Bearer " + token, isHeader},
		{"the value of a header of GitHub's", "token " + token, isHeader},

		{"a client secret, or a device code", hex, "a client secret or a device code"},
		{"an authorization code", hex[:20], "an authorization code"},
		{"the code that a person enters", "WDJB-MJHT", "the code that a person enters"},
		{"a client ID", "Iv1.0123456789abcdef", "the client ID of an App"},
		{"a client ID of today", "Iv23liAbCdEfGhIjKlMn", "the client ID of an App"},
		{"a client ID of an OAuth App", "Ov23liAbCdEfGhIjKlMn", "the client ID of an App"},
		{"the ID of an App", "123456", "it is a number"},
		{"the App's private key", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "it is a private key"},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----", "it is a text in PEM"},

		{"a variable", "${TOKEN}", template},
		{"a variable with a default", "ghr_${TOKEN:-}", template},
		{"a variable without braces", "$REFRESH_TOKEN", template},
		{"a variable of Kubernetes", "$(REFRESH_TOKEN)", template},
		{"a variable of Windows", "%REFRESH_TOKEN%", template},
		{"a template of Go", "{{ .Values.refreshToken }}", template},
		{"a template in part", "{{ .Values.prefix }}_abc", template},
		{"a template of Argo CD's Vault plugin", "<path:secret/data/github#refresh_token>", template},
		{"a template of sed", "__REFRESH_TOKEN__", template},
		{"a template of autoconf", "@REFRESH_TOKEN@", template},
		{"a template of Concourse", "((refresh_token))", template},
		{"a template of Azure", "#{RefreshToken}#", template},
		{"angle brackets", "<paste here>", placeholder},
		{"angle brackets behind the prefix", "ghr_<your token>", placeholder},
		{"square brackets", "[REDACTED]", placeholder},
		{"no value", "<no value>", placeholder},
		{"null", "null", placeholder},
		{"None", "None", placeholder},
		{"a request to change it", "CHANGEME", placeholder},
		{"a request to replace it", "REPLACE_ME", placeholder},
		{"a request behind the prefix", "ghr_your_refresh_token_here", placeholder},
		{"words", "your refresh token", placeholder},
		{"masked", "********", placeholder},
		{"masked behind the prefix", "ghr_xxxxxxxxxxxxxxxxxxxx", placeholder},
		{"the prefix alone", "ghr_", placeholder},
		{"an ellipsis", "ghr_…", "it was shortened"},
		{"cut off", token[:12] + "...", "it was shortened"},

		{"SOPS", "ENC[AES256_GCM,data:abc=,iv:abc=,tag:abc==,type:str]", isEncrypted},
		{"eyaml", "ENC[PKCS7,MIIBiQ==]", isEncrypted},
		{"Sealed Secrets", sealed(len(token)), isEncrypted},
		{"Ansible Vault", "$ANSIBLE_VAULT;1.1;AES256\n6162", isEncrypted},
		{"Vault", "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==", isEncrypted},
		{"age", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----", isEncrypted},
		{"PGP", "-----BEGIN PGP MESSAGE-----\n\nhQ\n-----END PGP MESSAGE-----", isEncrypted},
		{"git-crypt", "\x00GITCRYPT\x00abc", isEncrypted},

		{"an address", "https://vault.example.com/v1/secret/data/github", isAddress},
		{"the callback", "http://127.0.0.1:8976/callback?code=0123456789abcdef0123&state=x", "The code in it has to be exchanged"},
		{"1Password", "op://team/github/refresh_token", isAddress},
		{"vals", "ref+vault://secret/github#/refresh_token", isAddress},
		{"AWS", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:github", isAddress},
		{"Google", "projects/p/secrets/github/versions/latest", isAddress},
		{"bank-vaults", "vault:secret/data/github#refresh_token", isAddress},

		{"a path", "/run/secrets/refresh_token", isPath},
		{"a path at home", "~/.config/gh/hosts.yml", isPath},
		{"a path from here", "./refresh_token", isPath},
		{"a path of curl", "@refresh_token.txt", isPath},
		{"a path of Windows", `C:\Users\octocat\token.txt`, isPath},
		{"a file", "refresh_token.txt", isPath},

		{"UTF-16", wide(binary.LittleEndian, token+"\r\n"), isUTF16},
		{"UTF-16, big-endian", wide(binary.BigEndian, token), isUTF16},
		{"UTF-16 without a mark", wide(binary.LittleEndian, token)[2:], isUTF16},
		{"a byte order mark", "\ufeff" + token, isInvisible},
		{"a zero-width space", token + "\u200b", isInvisible},
		{"a soft hyphen", token[:20] + "\u00ad" + token[20:], isInvisible},
		{"a blank that does not break", token[:20] + "\u00a0" + token[20:], isInvisible},
		{"nothing but a byte order mark", "\ufeff", isInvisible},

		{"masked in part", token[:12] + "***", "hidden behind asterisks"},
		{"masked in the middle", token[:12] + "****" + token[70:], "hidden behind asterisks"},
		{"two tokens", token + token, "two tokens without anything between them"},
		{"a refresh token and an access token", token + "ghu_abc", "two tokens without anything between them"},
		{"two tokens of another form", token + "ghr_123_a.b-c", "two tokens without anything between them"},
		{"the prefix twice", "ghr_" + token, "the prefix of a token twice"},
		{"in capitals", strings.ToUpper(token), "in capitals"},
		{"a capital", "G" + token[1:], "in capitals"},

		{"an escape", token + `\n`, "it has a backslash"},
		{"percent-encoded", token + "%0A", "it is percent-encoded"},
		{"the end of a line in zsh", token + "%", "it ends with a percent sign"},
		{"a comma", token + ",", "it ends with a punctuation mark"},
		{"a bracket", token + ")", "it ends with a punctuation mark"},
		{"colours", "\x1b[32m" + token + "\x1b[0m", "it has colours of a terminal"},
		{"two lines", token + "\n" + token, "it has more than one line"},
		{"broken in two", token[:40] + "\n" + token[40:], "it has more than one line"},
		{"a blank", "ghr_a b", "it has a blank or another character that no token has"},
		{"a control character", "ghr_a\x00b", "it has a blank or another character that no token has"},
		{"letters beyond ASCII", "ghr_äöü", "it has a blank or another character that no token has"},
		{"bytes that are no text", "ghr_\xff\xfe", "it has a blank or another character that no token has"},
		{"too long", strings.Repeat("a", 1025), "it is longer than 1024 characters"},
		{"far too long", `"` + strings.Repeat("a", 1<<20) + `"`, "it is longer than 1024 characters"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			said := NotRefreshToken(c.text)
			if !strings.Contains(said, c.says) {
				t.Errorf("it says %q, want %q", said, c.says)
			}
			for i := range len(token) - 6 {
				if strings.Contains(said, token[i+4:min(i+10, len(token))]) {
					t.Errorf("it shows a part of the token: %q", said)
				}
			}
			if strings.HasSuffix(said, ".") {
				t.Errorf("it ends with a full stop: %q", said)
			}
		})
	}
}

// Tokens are opaque. Those of today, of former days and of forms that GitHub may choose one day are all let through.
func TestShapeWhatMayBeATokenIsLetThrough(t *testing.T) {
	for _, text := range []string{
		token, token[:20], "ghr_abc", "ghx_abc", "ghr_123_ghr_abc", "ghr_123_eyJa.eyJghr_b.ghr_c", "ghr_abcghx_abc", "r1.c1b4a2e77838347a7e420ce178f2e7c6912e169246c34e1ccbf66c46812d16d5b1a9dc86a1498", "0123456789abcdef",
		"ghr_EXAMPLEonlyREPLACEmeWITHtheREFRESHtokenOFyourLOGIN00000000000000000000000001", // It works in the demo.
		strings.Repeat("a", 1024),
	} {
		if said := NotRefreshToken(text); said != "" {
			t.Errorf("of %q it says: %s", text, said)
		}
	}
	const (
		letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		url     = letters + "-_"
	)
	random := rand.New(rand.NewPCG(1, 2))
	part := func(alphabet string, n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}
	forms := map[string]func() string{
		"today":          func() string { return "ghr_" + part(letters, 76) },
		"another prefix": func() string { return "gh" + part("abcdefghijklmnqtvwxyz", 1) + "_" + part(letters, 36) },
		"with a JWT": func() string {
			return fmt.Sprintf("ghr_%d_eyJ%s.eyJ%s.%s", random.IntN(1e6), part(url, 33), part(url, 130), part(url, 342))
		},
		"a JWT":             func() string { return "eyJ" + part(url, 33) + ".eyJ" + part(url, 130) + "." + part(url, 342) },
		"base64":            func() string { return base64Of(part(letters+"\x00\xff\x80\x10", 57)) },
		"long base64":       func() string { return base64Of("\x01" + part(letters+"\xff", 600)) },
		"base64 of URLs":    func() string { return part(url, 43) },
		"with a slash":      func() string { return "/" + part(letters+"+/", 63) },
		"hexadecimal":       func() string { return part("0123456789abcdef", 64) },
		"dots and numbers":  func() string { return "1." + part(letters, 22) + "." + part(letters, 40) },
		"dashes":            func() string { return "ghr-" + part(url, 80) },
		"with tildes":       func() string { return part(url+".~", 79) + part(url, 1) }, // Dots at the end say that it was shortened.
		"base64 of itself":  func() string { return base64Of("ghx_" + part(letters, 76)) },
		"base64 of nothing": func() string { return base64Of(part(letters+" {}\":,", 60)) },
	}
	for _, name := range slices.Sorted(maps.Keys(forms)) { // Each time the same texts.
		for range 3_000 {
			if text := forms[name](); NotRefreshToken(text) != "" {
				t.Errorf("%s: of %q it says: %s", name, text, NotRefreshToken(text))
				break
			}
		}
	}
}

// Of a text of letters, digits and underscores few shapes are asked: none of the others would have anything to say.
func TestWordsAreExaminedAsTheRestIs(t *testing.T) {
	first := func(asked []shape, text string) string {
		for _, looksLike := range asked {
			if why := looksLike(text); why != "" {
				return why
			}
		}
		return ""
	}
	pieces := []string{"_", "x", "xxx", "your", "token", "change", "me", "ghp", "gho_", "ghr_", "abghr_", "Z2hyX", "null", "Iv1", "0", "123", "true", "__", "A1b2C3d4", token[4:]}
	random := rand.New(rand.NewPCG(1, 2))
	fillers := 0
	for range 20_000 {
		text := refreshToken
		for range random.IntN(5) {
			text += pieces[random.IntN(len(pieces))]
		}
		all, few := first(shapes, text), first(shapesOfWords, text)
		if !isWord(text) || all != few {
			t.Fatalf("%q: %q of all shapes, %q of those of words", text, all, few)
		}
		if few != "" {
			fillers++
		}
	}
	if fillers < 1000 {
		t.Errorf("only %d texts were no token", fillers)
	}
	for _, text := range []string{token + "%", token + ".", "ghr_<token>", "ghr_a b", "Ghr_a", "", "ghr_ä"} {
		if isWord(text) {
			t.Errorf("%q is taken for a word", text)
		}
	}
}

func FuzzNothingIsShownOfWhatIsExamined(f *testing.F) {
	f.Add(token)
	f.Add(`{"refresh_token":"` + token + `"}`)
	f.Add(base64Of(base64Of(token)))
	f.Add("\xff\xfeg\x00")
	f.Fuzz(func(t *testing.T, text string) {
		const secret = "7f3a9c5e1b"
		for _, whole := range []string{text + secret, secret + text, text} {
			if said := NotRefreshToken(whole); strings.Contains(said, secret) {
				t.Errorf("of %q it says %q", whole, said)
			}
		}
	})
}
