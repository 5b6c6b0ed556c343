// Package accounttokens lists the resources that are said to hold tokens of an account, over all namespaces, at a cost that no namespace
// can drive up for long, and in which none can hide what is in another.
package accounttokens
