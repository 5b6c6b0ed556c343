// Package browser opens a page in the browser of the person who has typed a command.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
)

// Open opens a page. Only https, and http on this machine, is opened: an address comes from a cluster, and other schemes start
// programs.
func Open(ctx context.Context, page string) error {
	if err := Check(page); err != nil {
		return err
	}
	command, err := opener()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], append(command[1:], page)...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", command[0], err)
	}
	go func() { _ = cmd.Wait() }() // The browser lives on, whatever its starter returns.
	return nil
}

// Check refuses what is no page.
func Check(page string) error {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" {
		return errors.New("the address of the page is no https:// address")
	}
	return nil
}

// opener is the program of the system that opens pages. The variable BROWSER goes before it.
func opener() ([]string, error) {
	if named := os.Getenv("BROWSER"); named != "" {
		return []string{named}, nil
	}
	switch runtime.GOOS {
	case "darwin":
		return []string{"open"}, nil
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}, nil
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errors.New("there is no screen")
	}
	return []string{"xdg-open"}, nil
}
