// Package image makes container images without a container engine and without pulling anything: from
// files, and from the project's Dockerfile by its own steps.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// File is an entry of an image's file system. Folders above it need no entry of their own.
type File struct {
	// Path inside the image, without a slash at its beginning. A slash at its end makes it a folder.
	Path string
	// Mode is its permissions.
	Mode int64
	// Content of a file.
	Content []byte
	// Link makes it a symbolic link to this.
	Link string
}

// Image is a container image of one layer.
type Image struct {
	// Reference, with a registry and a tag.
	Reference string
	// Files of its file system.
	Files []File
	// User that runs the program, as UID:GID.
	User string
	// Entrypoint is the program and its first arguments.
	Entrypoint []string
	// Env is the program's environment, as NAME=VALUE.
	Env []string
}

// Write writes the image to a tar file such as docker save makes.
func (i Image) Write(path string) error {
	layer, err := pack(i.Files)
	if err != nil {
		return fmt.Errorf("make the layer of %s: %w", i.Reference, err)
	}
	digest := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"User": i.User, "Entrypoint": i.Entrypoint, "Env": i.Env, "WorkingDir": "/"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return fmt.Errorf("describe %s: %w", i.Reference, err)
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{i.Reference}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return fmt.Errorf("describe %s: %w", i.Reference, err)
	}
	archive, err := pack([]File{
		{Path: "config.json", Mode: 0o644, Content: config},
		{Path: "layer.tar", Mode: 0o644, Content: layer},
		{Path: "manifest.json", Mode: 0o644, Content: manifest},
	})
	if err != nil {
		return fmt.Errorf("archive %s: %w", i.Reference, err)
	}
	if err := os.WriteFile(path, archive, 0o644); err != nil {
		return fmt.Errorf("archive %s: %w", i.Reference, err)
	}
	return nil
}

// pack makes a tar of files that belong to root. It is the same whenever it is made.
func pack(files []File) ([]byte, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	for _, file := range files {
		header := &tar.Header{Name: file.Path, Mode: file.Mode, Format: tar.FormatPAX}
		switch {
		case file.Link != "":
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Link, 0o777
		case file.Path[len(file.Path)-1] == '/':
			header.Typeflag = tar.TypeDir
		default:
			header.Typeflag, header.Size = tar.TypeReg, int64(len(file.Content))
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := io.Copy(archive, bytes.NewReader(file.Content)); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
