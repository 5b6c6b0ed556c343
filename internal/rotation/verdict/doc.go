// Package verdict has what the pair Secret's state says of a token that is of no more use.
package verdict
