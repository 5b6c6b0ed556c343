package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestDemoNothingIsLeftAfterAKill(t *testing.T) {
	c := begin(t, "")
	c.await(regexp.MustCompile("login imported"))
	started := childrenOf(t, c.cmd.Process.Pid)
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller", "stand-in", "github-user-tok"} {
		if !strings.Contains(fmt.Sprint(started), "("+program) {
			t.Errorf("%s is not among its processes: %v", program, started)
		}
	}
	if len(c.leftovers()) == 0 {
		t.Error("the test looks for its files in the wrong place")
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	for pid, program := range started {
		eventually(t, program+" has ended", func() bool {
			now, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || !strings.Contains(string(now), program)
		})
	}
	eventually(t, "its files are deleted", func() bool { return len(c.leftovers()) == 0 })
}

// childrenOf names the processes that a process has started, by their id.
func childrenOf(t *testing.T, parent int) map[int]string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int]string{}
	stat := regexp.MustCompile(`^(\d+) (\(.*\)) \S (\d+) `)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		match := stat.FindStringSubmatch(string(content))
		if match == nil || match[3] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		children[pid] = match[2]
	}
	return children
}
