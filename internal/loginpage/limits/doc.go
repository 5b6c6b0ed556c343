// Package limits bounds how often the login page is asked, in bounded memory.
package limits
