// Package upgrade takes the resources of the previous API across to the present one, as an upgrade does: on a real control plane,
// with the operator as a process. The previous definitions stand in testdata/crd, as they were released, with the samples of
// that time (testdata/samples), other shapes that tests have (testdata/shapes), and the values at the edge of what was accepted
// (testdata/edges.yaml). They are never brought up to date: what comes after the API is an addition to testdata.
//
// What must hold: no exchange is made, no person is asked, no pair is lost; whatever was accepted can be written again; and who
// moves a resource to the present fields changes nothing else.
package upgrade
