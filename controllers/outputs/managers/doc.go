// Package managers tells by the managedFields of an output who has written its data, without a read of the data.
//
// The package calls no API.
package managers
