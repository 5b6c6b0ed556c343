package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// instruction is a line of a Dockerfile, such as COPY, with its flags (--from=build) apart from what follows.
type instruction struct {
	name  string
	flags map[string]string
	rest  string
}

// stage begins with FROM.
type stage struct {
	base  string
	alias string
	steps []instruction
}

// parse reads a Dockerfile, without its heredocs and escapes, of which the project's has none.
func parse(dockerfile string) ([]stage, error) {
	continued := regexp.MustCompile(`\\\n`)
	comment := regexp.MustCompile(`(?m)^\s*#.*\n?`)
	var stages []stage
	for line := range strings.Lines(continued.ReplaceAllString(comment.ReplaceAllString(dockerfile, ""), " ")) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		step := instruction{name: strings.ToUpper(words[0]), flags: map[string]string{}}
		words = words[1:]
		for len(words) > 0 && strings.HasPrefix(words[0], "--") {
			key, value, _ := strings.Cut(strings.TrimPrefix(words[0], "--"), "=")
			step.flags[key] = value
			words = words[1:]
		}
		step.rest = strings.Join(words, " ")
		if step.name == "FROM" {
			made, err := newStage(words)
			if err != nil {
				return nil, err
			}
			stages = append(stages, made)
			continue
		}
		if len(stages) == 0 {
			return nil, fmt.Errorf("%s before the first FROM is not understood", step.name)
		}
		last := &stages[len(stages)-1]
		last.steps = append(last.steps, step)
	}
	if len(stages) == 0 {
		return nil, errors.New("there is no FROM")
	}
	return stages, nil
}

func newStage(words []string) (stage, error) {
	switch {
	case len(words) == 1:
		return stage{base: words[0]}, nil
	case len(words) == 3 && strings.EqualFold(words[1], "AS"):
		return stage{base: words[0], alias: words[2]}, nil
	default:
		return stage{}, fmt.Errorf("FROM %s is not understood", strings.Join(words, " "))
	}
}

// list reads the JSON form of ENTRYPOINT.
func list(text string) ([]string, error) {
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		return nil, fmt.Errorf("%s is not a JSON list of strings: %w", text, err)
	}
	return words, nil
}
