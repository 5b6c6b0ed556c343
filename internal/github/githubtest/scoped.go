package githubtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Restriction is what a token is limited to: by repository_id at a login, or because it is a scoped token.
type Restriction struct {
	// Account is the login of the account where the App is installed.
	Account string
	// Repositories by name; nil: all that the installation reaches.
	Repositories []string
	// Permissions by name; nil: all of the installation.
	Permissions map[string]string
	// Scoped reports whether it is a scoped token.
	Scoped bool
}

// RestrictionOf tells what an access token is limited to; false if it is limited to nothing, or was never issued.
func (s *Server) RestrictionOf(accessToken string) (Restriction, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[accessToken]
	if p == nil || p.restriction == nil {
		return Restriction{}, false
	}
	r := *p.restriction
	r.Repositories, r.Permissions = slices.Clone(r.Repositories), maps.Clone(r.Permissions)
	return r, true
}

// ScopedTokens are all scoped tokens that were ever made, alive or not.
func (s *Server) ScopedTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var made []string
	for token, p := range s.tokens {
		if p.parent != nil {
			made = append(made, token)
		}
	}
	slices.Sort(made)
	return made
}

// restrictTo limits a login to one repository. GitHub says nothing when it cannot be reached, and limits nothing then.
func (p *pair) restrictTo(repositoryID string) {
	id, err := strconv.ParseInt(repositoryID, 10, 64)
	if err != nil {
		return
	}
	for _, installation := range p.app.Installations {
		for _, repository := range installation.Repositories {
			if repository.ID == id {
				p.restriction = &Restriction{Account: installation.Account, Repositories: []string{repository.Name}}
				return
			}
		}
	}
}

// scopedRequest is the body of POST /applications/{client_id}/token/scoped.
type scopedRequest struct {
	AccessToken   string            `json:"access_token"`
	Target        string            `json:"target"`
	TargetID      int64             `json:"target_id"`
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// answerScoped is POST /applications/{client_id}/token/scoped: a token that can do less than the one it is made with. What
// it answers to a request that asks for too much is not documented beyond 422.
func (s *Server) answerScoped(c *call) reply {
	app, parent, refused := s.appRequest(c)
	if refused != nil {
		return *refused
	}
	var body scopedRequest
	if json.Unmarshal(c.body, &body) != nil {
		return restError(http.StatusBadRequest, "Problems parsing JSON")
	}
	switch {
	case parent == nil, app.Kind != GitHubApp:
		return restError(http.StatusNotFound, "Not Found")
	case parent.parent != nil:
		s.violate(c, ScopedTokenScoped, "")
		return unprocessable("\"access_token\" must not be scoped.")
	case body.Target == "" && body.TargetID == 0:
		return unprocessable("\"target\" or \"target_id\" wasn't supplied.")
	case body.Repositories != nil && body.RepositoryIDs != nil:
		return unprocessable("\"repositories\" may not be specified beside \"repository_ids\".")
	}
	restriction, problem := body.restriction(app)
	if problem != "" {
		return unprocessable(problem)
	}
	if app.ScopedTokensCount && s.creationRefused(app, parent.user, parent.scope) {
		return restError(http.StatusForbidden, app.CreationError)
	}
	return c.versioned(jsonReply(http.StatusOK, authorizationJSON(c, app, s.issueScoped(parent, restriction))))
}

func unprocessable(problem string) reply {
	return restError(http.StatusUnprocessableEntity, "Invalid request.\n\n"+problem)
}

// restriction is what was asked for, or why it cannot be had.
func (q *scopedRequest) restriction(app *App) (*Restriction, string) {
	i := slices.IndexFunc(app.Installations, func(i Installation) bool {
		return q.TargetID != 0 && i.AccountID == q.TargetID || q.Target != "" && strings.EqualFold(i.Account, q.Target)
	})
	if i < 0 {
		return nil, "The App is not installed there."
	}
	installation := &app.Installations[i]
	r := &Restriction{Account: installation.Account, Permissions: maps.Clone(q.Permissions), Scoped: true}
	for _, name := range q.Repositories {
		r.Repositories = append(r.Repositories, name)
		if !slices.ContainsFunc(installation.Repositories, func(known Repository) bool { return strings.EqualFold(known.Name, name) }) {
			return nil, "There is at least one repository that does not exist or is not accessible."
		}
	}
	for _, id := range q.RepositoryIDs {
		known := slices.IndexFunc(installation.Repositories, func(known Repository) bool { return known.ID == id })
		if known < 0 {
			return nil, "There is at least one repository that does not exist or is not accessible."
		}
		r.Repositories = append(r.Repositories, installation.Repositories[known].Name)
	}
	for name, level := range q.Permissions {
		if rank := permissionRank(level); rank == 0 || rank > permissionRank(installation.Permissions[name]) {
			return nil, "The permissions requested are not granted to this installation."
		}
	}
	return r, ""
}

// permissionRank orders what a permission allows: 0 is nothing.
func permissionRank(level string) int {
	return 1 + slices.Index([]string{"read", "write", "admin"}, level)
}

// issueScoped makes a scoped token. It belongs to no chain, for no refresh token comes with it.
func (s *Server) issueScoped(parent *pair, restriction *Restriction) *pair {
	now, app := s.now(), parent.app
	p := &pair{
		app: app, user: parent.user, scope: parent.scope, issued: now, chain: parent.chain, parent: parent, restriction: restriction,
	}
	p.access.value = app.AccessTokenPrefix + s.newToken(app, app.AccessTokenLength)
	p.access.fingerprint = Fingerprint(p.access.value)
	p.access.expires = parent.access.expires
	if app.ScopedTokenLifetime > 0 {
		p.access.expires = now.Add(app.ScopedTokenLifetime)
	}
	s.tokens[p.access.value] = p
	parent.scoped = append(parent.scoped, p)
	if app.ScopedTokensCount {
		s.countCreation(app, p.user, p.scope)
	}
	s.enrol(p, now)
	return p
}

// installation is what the REST API tells of a scoped token's installation, or nil for other tokens.
func (r *Restriction) installation(app *App) map[string]any {
	if r == nil || !r.Scoped {
		return nil
	}
	i := slices.IndexFunc(app.Installations, func(i Installation) bool { return i.Account == r.Account })
	if i < 0 {
		return nil // uninstalled since
	}
	installation := &app.Installations[i]
	selection, permissions := "all", installation.Permissions
	if r.Repositories != nil {
		selection = "selected"
	}
	if r.Permissions != nil {
		permissions = r.Permissions
	}
	return map[string]any{
		"permissions":          permissions,
		"repository_selection": selection,
		"single_file_name":     nil,
		"account":              map[string]any{"login": installation.Account, "id": installation.AccountID},
	}
}
