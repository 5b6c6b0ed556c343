// Package words has what conditions say to people: the sentence of each verdict, what to do about it, and
// the condition reason of each error of GitHub's. It imports the API's names and GitHub's error classes, and
// decides nothing.
package words
