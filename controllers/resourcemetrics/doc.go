// Package resourcemetrics tells of resources and their Apps in metrics. They are computed from the cache when they are asked for, and
// written as they go, so that 100,000 resources cost no memory for metrics. Only the leader tells, or everything would be
// told twice. What a tenant chooses labels series of their own resource, and no others.
package resourcemetrics
