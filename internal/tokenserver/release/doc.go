// Package release decides what may be given out of what was read of a resource. It is a pure function of that and the time: it knows no
// Kubernetes client, and remembers nothing.
//
// The contract:
//
//   - The pair Secret decides, and of the status only that which tells of a later pair than the Secret's.
//   - No access token is given that is known to be replaced, ended or expired, nor while nobody knows which one lives.
//   - A Secret counts only if it is the resource's own, by the UID, and bears the operator's marks. What a newer version has written is not
//     guessed at.
//   - Of a resource that has no token it is told whether to ask again, or that somebody must act.
//   - A refresh token goes nowhere.
package release
