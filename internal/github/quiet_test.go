package github

import (
	"io"
	"log"
)

// quiet keeps the test servers' complaints about broken connections out of the output.
var quiet = log.New(io.Discard, "", 0)
