// Package manifests renders what installs the operator, from the kustomizations that the plugin carries.
package manifests

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/config"
)

// DefaultImage is the image of the operator, without a tag.
const DefaultImage = "ghcr.io/githubusertoken/github-user-token-operator"

// Options say what is installed.
type Options struct {
	// Image is the operator's, with a tag or a digest.
	Image string
	// Namespace is where it goes; by default that of the manifests.
	Namespace string
	// Components are optional parts, by the names of Components.
	Components []string
	// LoginPageURL is where browsers reach the login page. It is needed with a component that has the page, and only then.
	LoginPageURL string
	// TokenServerAudience is the audience of the token server. It is needed with the component that has it, and only then.
	TokenServerAudience string
}

// exampleLoginPage and exampleAudience are what the manifests name in their place.
const (
	exampleLoginPage = "https://login.example.com"
	exampleAudience  = "github-user-token.example.com"
	// exampleTokenServer is where the token server is, which follows from the namespace.
	exampleTokenServer = "token-server.example.com"
)

// kustomization is the part of one that is written here.
type kustomization struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Namespace  string              `json:"namespace,omitempty"`
	Resources  []string            `json:"resources"`
	Components []string            `json:"components,omitempty"`
	Images     []map[string]string `json:"images,omitempty"`
}

// components are the optional parts, with their folders below config.
func components() (map[string]string, error) {
	found := map[string]string{}
	err := fs.WalkDir(config.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || path.Base(file) != "kustomization.yaml" {
			return err
		}
		text, err := config.Files.ReadFile(file)
		if err != nil {
			return err
		}
		var read kustomization
		if err := yaml.Unmarshal(text, &read); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if read.Kind == "Component" {
			folder := path.Dir(file)
			found[strings.TrimPrefix(folder, "components/")] = folder
		}
		return nil
	})
	return found, err
}

// Components are the names of the optional parts.
func Components() ([]string, error) {
	found, err := components()
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, err
}

// Render is what to apply, as YAML.
func Render(o Options) ([]byte, error) {
	wanted := kustomization{
		APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization", Namespace: o.Namespace, Resources: []string{"../config/default"},
	}
	known, err := components()
	if err != nil {
		return nil, err
	}
	for _, name := range o.Components {
		folder, ok := known[name]
		if !ok {
			names, _ := Components() // As before.
			return nil, fmt.Errorf("there is no component %s: %s", name, strings.Join(names, ", "))
		}
		wanted.Components = append(wanted.Components, "../config/"+folder)
	}
	wanted.Images = append(wanted.Images, imageOf(o.Image))
	disk, err := files()
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	if err := disk.WriteFile("/install/kustomization.yaml", text); err != nil {
		return nil, err
	}
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/install")
	if err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	text, err = rendered.AsYaml()
	if err != nil {
		return nil, err
	}
	return o.fillIn(string(text))
}

// fillIn puts what was said in the place of the examples.
func (o Options) fillIn(text string) ([]byte, error) {
	hasPage, hasServer := strings.Contains(text, exampleLoginPage), strings.Contains(text, exampleAudience)
	switch {
	case hasPage && o.LoginPageURL == "":
		return nil, errors.New("say where browsers reach the login page: --login-page-url https://HOST")
	case !hasPage && o.LoginPageURL != "":
		return nil, errors.New("--login-page-url goes with --component login-page")
	case hasServer && o.TokenServerAudience == "":
		return nil, errors.New("say what the tokens of the token server's callers are for: --token-server-audience NAME, which nothing else in the cluster uses")
	case !hasServer && o.TokenServerAudience != "":
		return nil, errors.New("--token-server-audience goes with --component token-server")
	}
	return []byte(strings.NewReplacer(
		exampleLoginPage, o.LoginPageURL, exampleAudience, o.TokenServerAudience,
		exampleTokenServer, "github-user-token-operator-token-server."+cmp.Or(o.Namespace, "github-user-token-system")+".svc",
	).Replace(text)), nil
}

// imageOf tells kustomize of an image.
func imageOf(image string) map[string]string {
	set := map[string]string{"name": DefaultImage}
	name, digest, hasDigest := strings.Cut(image, "@")
	if hasDigest {
		set["digest"] = digest
	}
	if slash, colon := strings.LastIndex(name, "/"), strings.LastIndex(name, ":"); colon > slash {
		if !hasDigest {
			set["newTag"] = name[colon+1:]
		}
		name = name[:colon]
	}
	set["newName"] = name
	return set
}

// files are the kustomizations, where kustomize reads them.
func files() (filesys.FileSystem, error) {
	disk := filesys.MakeFsInMemory()
	err := fs.WalkDir(config.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := config.Files.ReadFile(file)
		if err != nil {
			return err
		}
		return disk.WriteFile("/config/"+file, text)
	})
	return disk, err
}
