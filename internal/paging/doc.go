// Package paging makes informers that take in a bounded number of objects at once, whatever tenants have put into
// them and however the API server sends them.
package paging
