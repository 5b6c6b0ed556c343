// Package densecache is a manager's cache that takes little memory for each object. Who reads it, or is told of changes, sees
// what they would see of controller-runtime's own, which it is inside.
//
//   - Metadata of Secrets is stored packed: its labels, annotations and owners are one string until somebody wants them.
//   - An index has a bounded number of values, by a hash, in place of two sets for each object: one that has a single element
//     takes 200 bytes, and its key some 80 more. What shares a hash is told apart when it is looked up.
//
// Who names what it is indexed by cannot choose what it shares a hash with: that has a key, another one in each process.
package densecache
