// Package alternates makes the GitHubUserTokens for second authorizations, with the strategy Alternate, keeps their specs in line with those of the
// resources that they are for, and removes them. See the package alternation for whose turn it is.
//
// One that bears another's name, or is somebody else's, is never changed or removed. While the first authorization cannot go on alone, the second
// one is not taken away. What the API server refuses is told, holds up no exchange, and is tried again after a minute.
package alternates
