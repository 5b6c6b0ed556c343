// Package atrest says of which resources and Secrets nothing waits but for a time that is known: at a start those come last. Who does
// not know says no. It looks at what it is given, and asks nobody.
package atrest
