package commands

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

// encode prints a value as -o asks.
func (e *environment) encode(format string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	switch format {
	case "json":
		text = append(text, '\n')
	case "yaml":
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
	default:
		return fmt.Errorf("-o %s is not known here: json or yaml", format)
	}
	_, err = e.out.Write(text)
	return err
}
