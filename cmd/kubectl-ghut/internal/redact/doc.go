// Package redact takes out of objects and texts whatever could be a secret, for a report that is handed to others. What it does not
// know to be harmless goes.
package redact
