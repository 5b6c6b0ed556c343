// Package report gathers what somebody who helps wants to see, in an archive that can be handed on: no data of a Secret is read, and
// from all else whatever could be a token is taken out.
package report
