package shape

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strings"
)

// Secrets of other kinds, which have forms of their own.

var (
	hexadecimal = regexp.MustCompile(`^[0-9a-f]+$`)
	digits      = regexp.MustCompile(`^[0-9]{1,20}$`)
	userCode    = regexp.MustCompile(`^[A-Z0-9]{4}-[A-Z0-9]{4}$`)
	clientID    = regexp.MustCompile(`^(Iv1\.|Iv23|Ov23)[A-Za-z0-9]{6,20}$`)
)

func otherSecret(text string) string {
	switch {
	case hexadecimal.MatchString(text) && len(text) == 40:
		return "it looks like a client secret or a device code (40 hexadecimal digits)"
	case hexadecimal.MatchString(text) && len(text) == 20:
		return "it looks like an authorization code (20 hexadecimal digits), which has to be exchanged for tokens first"
	case userCode.MatchString(text):
		return "it looks like the code that a person enters at GitHub in the device flow, which is no token"
	case clientID.MatchString(text):
		return "it looks like the client ID of an App"
	case digits.MatchString(text):
		return "it is a number, such as the ID of an App"
	default:
		return ""
	}
}

func key(text string) string {
	switch {
	case !strings.HasPrefix(text, "-----BEGIN "):
		return ""
	case strings.Contains(text, "PRIVATE KEY-----"):
		return "it is a private key, such as that of an App. The operator needs none"
	default:
		return "it is a text in PEM, such as a key or a certificate"
	}
}

// ciphertexts are how texts begin that were encrypted, and by what.
var ciphertexts = []struct{ prefix, by string }{
	{"ENC[", "SOPS or eyaml"},
	{"$ANSIBLE_VAULT;", "Ansible Vault"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", "age"},
	{"age-encryption.org/", "age"},
	{"-----BEGIN PGP MESSAGE-----", "PGP"},
	{"\x00GITCRYPT\x00", "git-crypt"},
}

// transit is what Vault's transit engine makes.
var transit = regexp.MustCompile(`^vault:v[0-9]+:[A-Za-z0-9+/=]+$`)

func encrypted(text string) string {
	const decrypt = ". It has to be decrypted before it gets into the Secret"
	for _, known := range ciphertexts {
		if strings.HasPrefix(text, known.prefix) {
			return "it is encrypted, as by " + known.by + decrypt
		}
	}
	switch {
	case transit.MatchString(text):
		return "it is encrypted, as by Vault" + decrypt
	case isSealed(text):
		return "it is encrypted, as by Sealed Secrets" + decrypt
	default:
		return ""
	}
}

// isSealed reports whether a text is what kubeseal makes: base64 of the length of a key, encrypted with RSA, that key,
// and what was encrypted with it. No other text of this length that is base64 is likely to begin with that length.
func isSealed(text string) bool {
	const rsa4096, authenticated = 512, 16
	sealed, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(sealed) > 2+rsa4096+authenticated && binary.BigEndian.Uint16(sealed) == rsa4096
}
