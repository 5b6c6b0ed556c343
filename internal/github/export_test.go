package github

import "time"

// ExpiryOf is expiryOf.
func ExpiryOf(text, date string, began time.Time) time.Time { return expiryOf(text, date, began) }
