//go:build !chaos

package chaos

// long says that this is make chaos, which may take its time.
const long = false
