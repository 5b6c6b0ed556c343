// Package plaintext makes plain what tenants have written, before the login page shows it.
package plaintext
