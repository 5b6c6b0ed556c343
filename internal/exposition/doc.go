// Package exposition serves metrics in Prometheus' text format, and writes those of many objects as it goes: a registry
// alone builds all series of all families before it writes the first, which takes some KiB for each object.
package exposition
