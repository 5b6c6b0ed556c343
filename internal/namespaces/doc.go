// Package namespaces tells which of the watched namespaces the caches hold, and why they do not hold the others. A
// namespace that the API server does not let the operator watch keeps nobody else waiting.
//
// Use: have the caches make their informers by Watched.Informers, over a transport that Watched.Transport wraps. The
// transport tells an informer its namespace, which nothing else does.
package namespaces
