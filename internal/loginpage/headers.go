package loginpage

import "net/http"

// strict sets the headers of every answer: nothing runs, nothing is loaded but the style sheet, nobody frames it, keeps it, or learns
// from where somebody comes. A form is sent to this page alone; browsers hold the redirects that follow it to that too, so the way
// to GitHub begins at a page, see showWait.
func strict(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("Strict-Transport-Security", "max-age=31536000")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), publickey-credentials-get=()")
	header.Set("X-Robots-Tag", "noindex, nofollow")
}
