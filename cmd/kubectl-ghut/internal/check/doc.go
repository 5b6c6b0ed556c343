// Package check judges whether the operator is installed and at work, from what a user may see. What cannot be known is called
// unknown, and never well.
package check
