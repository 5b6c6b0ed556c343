// Package jsonfields keeps the top-level fields of a JSON object that a struct does not know, so that what a newer
// version has written is not lost when an older one writes the object again. It imports nothing but the standard
// library.
package jsonfields
