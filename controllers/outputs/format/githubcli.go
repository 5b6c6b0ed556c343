package format

import (
	"errors"

	"sigs.k8s.io/yaml"
)

const (
	hostsFile  = "hosts.yml"
	configFile = "config.yml"
)

// gitHubCLI is gh's hosts.yml since 2.40. With the default key the Secret can be mounted as gh's whole
// configuration folder (GH_CONFIG_DIR). Without a config.yml of version 1 in it gh would migrate the folder at
// each start, and fail as it cannot write there.
var gitHubCLI = descriptor{
	key: hostsFile, username: true, login: true, host: true,
	values: []value{
		{render: gitHubCLIHosts},
		{
			key: configFile, wanted: func(s settings) bool { return s.Key == hostsFile },
			render: func(settings, string) ([]byte, error) { return []byte("version: \"1\"\n"), nil },
		},
	},
}

// gitHubCLIHosts has the token under the host, where older versions and extensions look for it, and again
// under the account.
func gitHubCLIHosts(s settings, token string) ([]byte, error) {
	hosts, err := yaml.Marshal(map[string]any{s.Host: map[string]any{
		"git_protocol": "https",
		"oauth_token":  token,
		"user":         s.Username,
		"users":        map[string]any{s.Username: map[string]string{"oauth_token": token}},
	}})
	if err != nil {
		return nil, errors.New("hosts.yml cannot be written as YAML")
	}
	return hosts, nil
}
