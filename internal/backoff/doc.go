// Package backoff says how long to wait before something that failed is tried again, and when that is; and the same of
// what was put right and is amiss again, because somebody else changes it back (Contest). It is formulas and keeps no
// state: whoever tries counts the failures and keeps the time of the next try. It imports nothing but the standard
// library.
package backoff
