// Package cluster is the plugin's way to the API server: a client for the few kinds that it deals with, whose errors are
// sentences for the person who has typed the command. A refusal names the permission that is missing.
package cluster
