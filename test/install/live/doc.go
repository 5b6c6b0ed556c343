// Package live holds the tests of installing, upgrading and uninstalling on a real control plane, while resources live: nothing of
// it may cost an exchange, lose a pair, or leave anything stuck. The operator is a process here, under the account that
// was installed.
package live
