// Package recipes holds the manifests of config/samples/recipes to what their consumers document. What belongs to Kubernetes or to this
// operator is read by its own types, and the outputs are rendered. For what belongs to others, facts.yaml has the fields that a recipe uses, in
// our own words and with their source: no field may be used that does not stand there, and what a consumer reads of a Secret must be in
// it, in the form that it wants.
package recipes
