// Package reading reads what the token server gives out, from the API server and not from a cache: the resource, what may forbid it, and its
// pair Secret last.
//
// The contract:
//
//   - Every read begins after the request that it is for, and is thrown away when it is more than a second old. Those who ask for the same
//     resource at once share a read, of which there is one at a time for each.
//   - Nothing of a pair is kept. Apps and the labels of namespaces are, for a few seconds.
//   - A Secret is read only under the names that the resource gives, in its own namespace, and never before whatever may forbid it.
//   - A watch of the resources' metadata wakes whoever waits. It tells nothing but that it is time to look again, and what it misses is seen
//     by whoever looks again anyway.
package reading
