// Package standing says how a GitHubUserToken stands: whether its token works, who is needed, who uses it, and what to do now.
// It computes, and neither asks nor prints; what it goes by is the resource and the pods of its namespace, never a Secret.
package standing
