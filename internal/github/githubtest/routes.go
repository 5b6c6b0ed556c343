package githubtest

import "net/http"

// oauthRoutes serves github.com and its like: the OAuth endpoints and the pages.
func (s *Server) oauthRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", s.endpointHandler(TokenEndpoint, s.answerToken))
	mux.HandleFunc("POST /login/device/code", s.endpointHandler(DeviceCodeEndpoint, s.answerDeviceCode))
	s.addPages(mux)
	return mux
}

// restRoutes serves the REST API.
func (s *Server) restRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user", s.endpointHandler(UserEndpoint, s.answerUser))
	mux.HandleFunc("POST /applications/{client_id}/token", s.endpointHandler(CheckEndpoint, s.answerCheck))
	mux.HandleFunc("POST /applications/{client_id}/token/scoped", s.endpointHandler(ScopedEndpoint, s.answerScoped))
	mux.HandleFunc("DELETE /applications/{client_id}/token", s.endpointHandler(DeleteTokenEndpoint, s.answerDeleteToken))
	mux.HandleFunc("DELETE /applications/{client_id}/grant", s.endpointHandler(DeleteGrantEndpoint, s.answerDeleteGrant))
	mux.HandleFunc("POST /credentials/revoke", s.endpointHandler(RevokeEndpoint, s.answerRevoke))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		missing := restError(http.StatusNotFound, "Not Found")
		missing.send(w)
	})
	return mux
}
