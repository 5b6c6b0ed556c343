package githubtest

import "fmt"

// Alphabets of what the stand-in makes up. User codes have no vowels, as GitHub's have none.
const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	hexadecimal  = "0123456789abcdef"
	consonants   = "BCDFGHJKLMNPQRSTVWXZ"
)

// randomString draws n characters, each equally likely. The caller holds the lock.
func (s *Server) randomString(alphabet string, n int) string {
	limit := byte(256 / len(alphabet) * len(alphabet) % 256) // 0: every byte is good
	text := make([]byte, n)
	for i := 0; i < n; {
		b, err := s.random.ReadByte()
		if err != nil {
			panic(fmt.Sprintf("githubtest: Options.Random ran dry: %v", err))
		}
		if limit != 0 && b >= limit {
			continue
		}
		text[i] = alphabet[int(b)%len(alphabet)]
		i++
	}
	return string(text)
}
