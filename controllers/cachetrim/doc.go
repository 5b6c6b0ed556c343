// Package cachetrim keeps of the objects in the operator's caches what the operator looks at, in bounds that no tenant can
// exceed: metadata, labels in a spec and conditions are written by whoever may write the object.
//
// What is missing because it was too large is marked (metapatch.IsTrimmed), so that whoever writes the object reads it live
// first. A state or an intent that is too long to be the operator's counts as garbled.
//
// The package calls no API and reads no clock.
package cachetrim
