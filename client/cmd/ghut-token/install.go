package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// install copies this program into a folder, which other containers of the pod have as well: its image has nothing that could.
func (t *tool) install(args []string) int {
	if len(args) != 1 || args[0] == "" {
		return t.fail(codeUsage, errors.New("say into which folder: ghut-token install FOLDER"))
	}
	program, err := os.Executable()
	if err == nil {
		err = copyProgram(program, args[0])
	}
	if err != nil {
		return t.fail(codeFailed, fmt.Errorf("the program cannot be copied: %w", err))
	}
	return 0
}

// copyProgram copies a program into a folder that is there, as ghut-token. It is whole whenever it is there, also where one that runs is replaced.
func copyProgram(program, folder string) error {
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	name := "ghut-token"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	to, err := os.CreateTemp(folder, ".ghut-token-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = to.Chmod(0o755)
	}
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(to.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		_ = os.Remove(to.Name())
	}
	return err
}
