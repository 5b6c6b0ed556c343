package githubtest

import "net/http"

func (s *Server) addPages(mux *http.ServeMux) {}
