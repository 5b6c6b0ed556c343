// Package validnames keeps names that can be no part of a path out of requests to the API server.
//
// client-go puts the name of an object that is known by its metadata alone into the path of a request as it stands, so that "../" in it
// leads to another namespace or kind. Names come from specs, and from owner references, which anybody can write.
package validnames
