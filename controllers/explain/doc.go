// Package explain puts what rules.Decide found in the way of a resource into words.
package explain
