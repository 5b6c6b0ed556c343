package main

import (
	"bytes"
	"os"
	"testing"
)

// docs/serving.md shows the manifest that the end-to-end tests apply.
func TestDocsShowTheSampleOfAnAgent(t *testing.T) {
	sample, err := os.ReadFile("config/samples/more/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("docs/serving.md")
	if err != nil {
		t.Fatal(err)
	}
	_, manifest, ok := bytes.Cut(sample, []byte("\napiVersion:"))
	if !ok || !bytes.Contains(document, []byte("```yaml\napiVersion:"+string(manifest)+"```\n")) {
		t.Error("docs/serving.md does not show config/samples/more/agent.yaml as it is")
	}
}
