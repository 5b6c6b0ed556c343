// Package visits is what a visit of the login page is, which visits make room for another one, and which were left. It decides alone: the
// page reads and writes.
package visits
