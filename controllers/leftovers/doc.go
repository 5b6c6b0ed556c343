// Package leftovers removes what resources leave behind and nobody else would: Secrets of device codes that nobody can enter
// any more, and our finalizer on Secrets that are being deleted and whose resource is gone.
//
// The cache may be behind, and whose a Secret is stands where anybody can write: before anything is removed, the API server
// itself is asked.
package leftovers
