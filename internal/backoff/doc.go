// Package backoff says how long to wait before something that failed is tried again, and when that is. It is a
// formula and keeps no state: whoever tries counts the failures and keeps the time of the next try. It imports
// nothing but the standard library.
package backoff
