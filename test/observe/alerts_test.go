//go:build observe

package observe

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// series are by their selector; a value is as in promtool's notation, and the time begins at 0.
type series map[string]string

// moment is a time, and the alerts that fire then, each as NAME/SEVERITY{labels}: all of them, and no others.
type moment struct {
	at     string
	firing []string
}

// scenario is what happens, and when which alerts fire.
type scenario struct {
	name    string
	series  series
	without []string // of what is there whatever happens
	moments []moment
}

// never ends: as long as promtool looks.
const always = "1x200"

// until is a series that ends at a minute, as one does that a scrape does not bring any more.
func until(minute int) string { return fmt.Sprintf("1x%d stale", minute-1) }

// from is a series that begins at a minute.
func from(minute int) string { return fmt.Sprintf("_x%d 1x%d", minute, 200-minute) }

// one is the resource that things happen to.
const one = `namespace="a", name="x"`

func condition(kind, status, reason string) string {
	return fmt.Sprintf(`githubusertoken_condition{%s, type=%q, status=%q, reason=%q}`, one, kind, status, reason)
}

func alert(name, severity, labels string) string {
	return fmt.Sprintf("%s/%s{%s}", name, severity, labels)
}

// Series of the resource.
const (
	accessExpires  = `githubusertoken_access_token_expiration_timestamp_seconds{` + one + `}`
	refreshExpires = `githubusertoken_refresh_token_expiration_timestamp_seconds{` + one + `}`
	nextRefresh    = `githubusertoken_next_refresh_timestamp_seconds{` + one + `}`
)

// replica labels what a pod tells of itself.
const replica = `namespace="system", pod="operator-1", instance="10.0.0.1:8443"`

// second and third are those of other deployments.
const (
	second = `namespace="system", pod="operator-2", instance="10.0.0.2:8443"`
	third  = `namespace="system", pod="operator-3", instance="10.0.0.3:8443"`
)

// standing is there in each scenario: an operator that leads.
var standing = series{
	`githubusertoken_build_info{` + replica + `}`:                       always,
	`githubusertoken_resources{` + replica + `}`:                        "100x200",
	`githubusertoken_resources_unselected{` + replica + `}`:             "0x200",
	`githubusertoken_resources_overdue{` + replica + `}`:                "0x200",
	`githubusertoken_outbox_records{` + replica + `}`:                   "0x200",
	`githubusertoken_outbox_oldest_record_age_seconds{` + replica + `}`: "0x200",
	`githubusertoken_outbox_corrupt_records{` + replica + `}`:           "0x200",
	`githubusertoken_replies_lost_total{` + replica + `}`:               "0x200",
	`githubusertoken_exchange_panics_total{` + replica + `}`:            "0x200",
	`githubusertoken_github_ca_file_stale{` + replica + `}`:             "0x200",
	`githubusertoken_namespace_served{namespace=""}`:                    always,
}

// serverReplica labels what a pod of the token server tells.
const serverReplica = `namespace="system", pod="token-server-1", instance="10.0.0.4:8080"`

func answers(outcome string) string {
	return fmt.Sprintf(`githubusertoken_token_server_answers_total{%s, outcome=%q}`, serverReplica, outcome)
}

func releasedWithin(seconds string) string {
	return fmt.Sprintf(`githubusertoken_token_server_release_duration_seconds_bucket{%s, le=%q}`, serverReplica, seconds)
}

// ten are ten a second.
const ten = "0+600x200"

// serving is there in each scenario as well: a token server that gives out ten tokens a second.
var serving = series{
	`githubusertoken_build_info{component="token-server", ` + serverReplica + `}`: always,
	answers("released"): ten, answers("api_server"): "0x200", answers("busy"): "0x200", answers("internal"): "0x200", answers("too_many_requests"): "0x200", answers("forbidden"): ten,
	releasedWithin("0.1"): ten, releasedWithin("1"): ten, releasedWithin("2.5"): ten, releasedWithin("+Inf"): ten,
}

// with are more series on top of others.
func (s series) with(more series) series {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

var (
	ready    = series{condition("Ready", "True", "TokenValid"): always}
	notReady = series{condition("Ready", "False", "TokenExpired"): always}
	healthy  = ready.with(series{condition("Authorized", "True", "RefreshTokenValid"): always, accessExpires: "100000x200", refreshExpires: "10000000x200", nextRefresh: "100000x200"})
	// aggregated is what an operator without series for each resource tells of one reason.
	aggregated = func(kind, status, reason, value string) series {
		return series{fmt.Sprintf(`githubusertoken_resources_by_condition{%s, type=%q, status=%q, reason=%q}`, replica, kind, status, reason): value}
	}
)

func scenarios() []scenario {
	rejected := series{condition("Authorized", "False", "RefreshTokenRejected"): always, condition("Stalled", "True", "RefreshTokenRejected"): always}
	pending := series{condition("Authorized", "False", "AuthorizationPending"): always, condition("Reconciling", "True", "AuthorizationPending"): always, condition("Ready", "False", "AuthorizationPending"): always}
	of := func(reason string) string { return one + fmt.Sprintf(`, reason=%q`, reason) }
	return []scenario{
		{name: "all is well", series: healthy, moments: []moment{{"0m", nil}, {"3h", nil}}},
		{name: "a login is needed while the token works", series: healthyBut(rejected), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}},
		}},
		{name: "a login is needed and the token has ended", series: notReady.with(rejected).with(series{accessExpires: "1x200"}), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("RefreshTokenRejected"))}},
		}},
		{name: "the token ends while a login is waited for", series: rejected.with(series{
			condition("Ready", "True", "TokenValid"): until(30), condition("Ready", "False", "RefreshTokenRejected"): from(30),
		}), moments: []moment{
			{"29m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}},
			{"33m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}},
			{"34m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}},
			{"35m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected")), alert("GitHubUserTokenHumanNeeded", "critical", of("RefreshTokenRejected"))}},
			{"37m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("RefreshTokenRejected"))}},
			{"45m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("RefreshTokenRejected"))}},
		}},
		{name: "somebody logs in while the token works", series: healthyBut(series{
			condition("Authorized", "False", "RefreshTokenRejected"): until(30), condition("Authorized", "True", "RefreshTokenValid"): from(30),
		}), moments: []moment{
			{"4m", nil}, {"29m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}}, {"31m", nil}, {"33m", nil},
		}},
		{name: "somebody logs in just after the token has ended", series: series{
			condition("Authorized", "False", "RefreshTokenRejected"): until(33), condition("Authorized", "True", "RefreshTokenValid"): from(33),
			condition("Ready", "True", "TokenValid"): "1x29 stale _x2 1x167", condition("Ready", "False", "RefreshTokenRejected"): "_x30 1x2 stale",
		}, moments: []moment{
			{"4m", nil}, {"32m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}}, {"34m", nil}, {"36m", nil},
		}},
		{name: "the token is revoked, and ends at once", series: series{
			condition("Authorized", "True", "RefreshTokenValid"): until(30), condition("Authorized", "False", "Revoked"): from(30),
			condition("Ready", "True", "TokenValid"): until(30), condition("Ready", "False", "Revoked"): from(30), accessExpires: always,
		}, moments: []moment{
			{"34m", nil}, {"35m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("Revoked"))}}, {"38m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("Revoked"))}},
		}},
		{name: "a new resource waits for its first login", series: pending, moments: []moment{
			{"6m", nil}, {"59m", nil}, {"61m", []string{alert("GitHubUserTokenFirstLoginPending", "warning", one)}},
		}},
		{name: "nobody enters the code of a new resource", series: series{
			condition("Authorized", "False", "AuthorizationPending"): "1x50", condition("Authorized", "False", "AuthorizationExpired"): "_x50 1x150",
			condition("Stalled", "True", "AuthorizationExpired"): "_x50 1x150", condition("Ready", "False", "AuthorizationExpired"): always,
		}, moments: []moment{{"58m", nil}, {"65m", []string{alert("GitHubUserTokenFirstLoginPending", "warning", one)}}}},
		{name: "the seed of a new resource is missing", series: series{
			condition("Authorized", "False", "RefreshTokenMissing"): always, condition("Stalled", "True", "RefreshTokenMissing"): always, condition("Ready", "False", "RefreshTokenMissing"): always,
		}, moments: []moment{{"30m", nil}, {"65m", []string{alert("GitHubUserTokenFirstLoginPending", "warning", one)}}}},
		{name: "a code is offered after a revocation", series: pending.with(series{accessExpires: "1x200"}), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("AuthorizationPending"))}},
			{"70m", []string{alert("GitHubUserTokenHumanNeeded", "critical", of("AuthorizationPending"))}},
		}},
		{name: "a code is offered while a token works that does not expire", series: ready.with(series{condition("Authorized", "False", "AuthorizationPending"): always}), moments: []moment{
			{"4m", nil}, {"70m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("AuthorizationPending"))}},
		}},
		{name: "a code is offered while the token works", series: healthyBut(series{
			condition("Authorized", "False", "AuthorizationPending"): always, condition("Reconciling", "True", "AuthorizationPending"): always,
		}), moments: []moment{{"4m", nil}, {"20m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("AuthorizationPending"))}}}},
		{name: "the configuration is wrong while the token works", series: healthy.with(series{condition("Stalled", "True", "ClientSecretMissing"): always}), moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenStalled", "warning", of("ClientSecretMissing"))}},
		}},
		{name: "the configuration is mended while the token works", series: healthy.with(series{condition("Stalled", "True", "ClientSecretMissing"): until(30)}), moments: []moment{
			{"9m", nil}, {"29m", []string{alert("GitHubUserTokenStalled", "warning", of("ClientSecretMissing"))}}, {"31m", nil},
		}},
		{name: "the configuration is wrong when the token ends", series: series{
			condition("Stalled", "True", "ClientSecretMissing"): always, condition("Ready", "True", "TokenValid"): until(30), condition("Ready", "False", "TokenExpired"): from(30),
		}, moments: []moment{
			{"9m", nil}, {"34m", []string{alert("GitHubUserTokenStalled", "warning", of("ClientSecretMissing"))}}, {"37m", []string{alert("GitHubUserTokenStalled", "critical", of("ClientSecretMissing"))}},
		}},
		{name: "the configuration is wrong and there is no token", series: series{
			condition("Ready", "False", "HostNotAllowed"): always, condition("Stalled", "True", "HostNotAllowed"): always, condition("Authorized", "Unknown", "NotYetExchanged"): always,
		}, moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenStalled", "critical", of("HostNotAllowed"))}}, {"30m", []string{alert("GitHubUserTokenStalled", "critical", of("HostNotAllowed"))}},
		}},
		{name: "GitHub cannot be reached while the token works", series: healthy.with(series{
			// What is tried is told of in between.
			condition("Reconciling", "True", "HostUnreachable"): "1 1 1 _ 1 1 1 _ 1 1 1 _ 1 1 1 _ 1 1 1 _ 1 1 1 _ 1 1 1",
			condition("Reconciling", "True", "Exchanging"):      "_ _ _ 1 _ _ _ 1 _ _ _ 1 _ _ _ 1 _ _ _ 1 _ _ _ 1 _ _ _",
		}), moments: []moment{{"14m", nil}, {"16m", []string{alert("GitHubUserTokenRefreshFailing", "warning", one)}}}},
		{name: "GitHub can be reached again", series: healthy.with(series{condition("Reconciling", "True", "HostUnreachable"): until(30)}), moments: []moment{
			{"14m", nil}, {"29m", []string{alert("GitHubUserTokenRefreshFailing", "warning", one)}}, {"31m", nil},
		}},
		{name: "GitHub cannot be reached until the token expires", series: series{
			condition("Reconciling", "True", "HostUnreachable"): always, condition("Ready", "True", "TokenValid"): until(30), condition("Ready", "False", "TokenExpired"): from(30),
		}, moments: []moment{
			{"14m", nil}, {"34m", []string{alert("GitHubUserTokenRefreshFailing", "warning", one)}}, {"37m", []string{alert("GitHubUserTokenRefreshFailing", "critical", one)}},
		}},
		{name: "GitHub cannot be reached and the token has expired", series: notReady.with(series{condition("Reconciling", "True", "HostUnreachable"): always}), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenRefreshFailing", "critical", one)}}, {"30m", []string{alert("GitHubUserTokenRefreshFailing", "critical", one)}},
		}},
		{name: "a refresh takes a few minutes", series: healthy.with(series{condition("Reconciling", "True", "RateLimited"): "1x10 _x190"}), moments: []moment{{"9m", nil}, {"30m", nil}}},
		{name: "an output cannot be written", series: healthy.with(series{condition("Reconciling", "True", "OutputNotWritten"): always}), moments: []moment{
			{"14m", nil}, {"16m", []string{alert("GitHubUserTokenNotHandedOn", "warning", of("OutputNotWritten"))}},
		}},
		{name: "a scoped output gets no token", series: healthy.with(series{condition("Reconciling", "True", "ScopedTokenNotMade"): always}), moments: []moment{
			{"14m", nil}, {"16m", []string{alert("GitHubUserTokenNotHandedOn", "warning", of("ScopedTokenNotMade"))}},
		}},
		{name: "too many scoped tokens are lost", series: healthy.with(series{condition("Reconciling", "True", "ScopedTokenLost"): always}), moments: []moment{
			{"14m", nil}, {"16m", []string{alert("GitHubUserTokenNotHandedOn", "warning", of("ScopedTokenLost"))}},
		}},
		{name: "a scoped token cannot be revoked", series: healthy.with(series{condition("Reconciling", "True", "ScopedTokenNotRevoked"): always}), moments: []moment{
			{"14m", nil}, {"16m", []string{alert("GitHubUserTokenNotHandedOn", "warning", of("ScopedTokenNotRevoked"))}},
		}},
		{name: "GitHub does not grant a scope", series: healthy.with(series{condition("Stalled", "True", "ScopeNotGranted"): always}), moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenStalled", "warning", of("ScopeNotGranted"))}},
		}},
		{name: "the token is overwritten again and again", series: notReady.with(series{condition("Reconciling", "True", "Contested"): always}), moments: []moment{
			{"4m", nil}, {"16m", []string{alert("GitHubUserTokenRefreshFailing", "critical", one), alert("GitHubUserTokenNotHandedOn", "warning", of("Contested"))}},
		}},
		{name: "nothing is done about a due refresh", series: healthyBut(series{nextRefresh: "60x200", accessExpires: "3600x200"}), moments: []moment{
			{"15m", nil}, {"17m", []string{alert("GitHubUserTokenRefreshOverdue", "warning", one)}}, {"64m", []string{alert("GitHubUserTokenRefreshOverdue", "warning", one)}}, {"66m", []string{alert("GitHubUserTokenRefreshOverdue", "critical", one)}},
		}},
		{name: "a refresh that was overdue is made", series: healthyBut(series{nextRefresh: "60x30 100000x170", accessExpires: "3600x30 100000x170"}), moments: []moment{
			{"15m", nil}, {"29m", []string{alert("GitHubUserTokenRefreshOverdue", "warning", one)}}, {"32m", nil},
		}},
		{name: "nothing is done about a refresh, and the token has expired", series: healthyBut(series{nextRefresh: "60x200", accessExpires: "300x200"}), moments: []moment{
			{"15m", nil}, {"17m", []string{alert("GitHubUserTokenRefreshOverdue", "critical", one)}},
		}},
		{name: "a refresh that fails is tried again", series: healthy.with(series{nextRefresh: "60+60x200"}), moments: []moment{{"20m", nil}, {"3h", nil}}},
		{name: "a refresh token is left unused", series: healthy.with(series{refreshExpires: "1216800x200"}), moments: []moment{ // 14 days and 2 hours
			{"2h", nil}, {"2h4m", nil}, {"2h10m", []string{alert("GitHubUserTokenRefreshTokenExpiresSoon", "warning", one)}},
		}},
		{name: "GitHub does not accept the client secret of a ClusterGitHubApp", series: healthy.with(series{
			`githubusertoken_app_condition{kind="ClusterGitHubApp", name="platform", type="CredentialsValid", status="False", reason="IncorrectClientCredentials"}`: always,
			`githubusertoken_app_condition{kind="ClusterGitHubApp", name="platform", type="Ready", status="False", reason="IncorrectClientCredentials"}`:            always,
			`githubusertoken_app_condition{kind="GitHubApp", namespace="a", name="barred", type="Ready", status="False", reason="AppNotUsable"}`:                    always,
			`githubusertoken_app_condition{kind="GitHubApp", namespace="a", name="leaving", type="Ready", status="False", reason="InUse"}`:                          always,
			`githubusertoken_app_condition{kind="GitHubApp", namespace="a", name="new", type="CredentialsValid", status="Unknown", reason="NotYetChecked"}`:         always,
		}), moments: []moment{{"4m", nil}, {"6m", []string{alert("GitHubUserTokenAppNotUsable", "warning", `kind="ClusterGitHubApp", name="platform", reason="IncorrectClientCredentials"`)}}}},
		{name: "a GitHubApp has no client secret any more", series: series{
			`githubusertoken_app_condition{kind="GitHubApp", namespace="a", name="mine", type="Ready", status="False", reason="ClientSecretMissing"}`: always,
		}, moments: []moment{{"4m", nil}, {"6m", []string{alert("GitHubUserTokenAppNotUsable", "warning", `kind="GitHubApp", name="mine", namespace="a", reason="ClientSecretMissing"`)}}}},
		{name: "an account has too many tokens of an App", series: healthy.with(series{
			`githubusertoken_app_accounts_over_token_limit{kind="ClusterGitHubApp", namespace="", name="platform"}`: "1x200",
			`githubusertoken_app_accounts_over_token_limit{kind="GitHubApp", namespace="a", name="mine"}`:           "0x200",
			`githubusertoken_app_accounts_near_token_limit{kind="GitHubApp", namespace="a", name="mine"}`:           "3x200",
		}), moments: []moment{{"14m", nil}, {"16m", []string{alert("GitHubUserTokenAccountOverTokenLimit", "warning", `kind="ClusterGitHubApp", name="platform"`)}}}},
		{name: "without series for each resource: logins are needed", series: aggregated("Authorized", "False", "Revoked", "2x200"), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokensHumanNeeded", "warning", `reason="Revoked"`)}},
		}},
		{name: "without series for each resource: a first login is waited for", series: aggregated("Authorized", "False", "AuthorizationPending", always).with(aggregated("Ready", "False", "AuthorizationPending", always)).with(aggregated("Reconciling", "True", "AuthorizationPending", "50x200")), moments: []moment{{"2h", nil}}},
		{name: "without series for each resource: tokens have ended", series: aggregated("Ready", "False", "TokenExpired", "2x200"), moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokensNotReady", "critical", `reason="TokenExpired"`)}},
		}},
		{name: "without series for each resource: some refreshes fail", series: aggregated("Reconciling", "True", "HostUnreachable", "1x20 2x180"), moments: []moment{
			{"20m", nil}, {"34m", nil}, {"37m", []string{alert("GitHubUserTokensRefreshFailing", "warning", `reason="HostUnreachable"`)}},
		}},
		{name: "without series for each resource: refreshes are overdue", series: series{`githubusertoken_resources_overdue{` + replica + `}`: "3x200"}, moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokensRefreshOverdue", "critical", "")}},
		}},
		{name: "with series for each resource their numbers raise nothing", series: healthyBut(rejected).with(aggregated("Authorized", "False", "RefreshTokenRejected", always)).
			with(aggregated("Ready", "False", "TokenExpired", always)).with(series{`githubusertoken_resources_overdue{` + replica + `}`: "3x200"}).with(aggregated("Reconciling", "True", "HostUnreachable", "50x200")), moments: []moment{
			{"30m", []string{alert("GitHubUserTokenHumanNeeded", "warning", of("RefreshTokenRejected"))}},
		}},
		{name: "no replica can be scraped", without: slices.Collect(maps.Keys(standing)), moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenOperatorDown", "critical", "")}},
		}},
		{name: "no replica of the token server can be scraped", without: slices.Collect(maps.Keys(serving)), moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenServerDown", "critical", `component="token-server"`)}},
		}},
		{name: "the API server does not answer the token server at times", series: series{answers("api_server"): "0+120x30 3600x170"}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokenServerFailing", "warning", `namespace="system"`)}}, {"40m", nil},
		}},
		{name: "the token server has too much to do at times", series: series{answers("busy"): "0+100x200", answers("internal"): "0+20x200"}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokenServerFailing", "warning", `namespace="system"`)}},
		}},
		{name: "the token server fails for very few", series: series{answers("api_server"): "0+50x200"}, moments: []moment{{"12m", nil}, {"2h", nil}}},
		{name: "the API server does not answer the token server", series: series{answers("api_server"): ten, answers("released"): "0x200", answers("forbidden"): "0x200"}, moments: []moment{
			{"4m", nil}, {"7m", []string{alert("GitHubUserTokenServerFailing", "critical", `namespace="system"`)}},
			{"12m", []string{alert("GitHubUserTokenServerFailing", "critical", `namespace="system"`), alert("GitHubUserTokenServerFailing", "warning", `namespace="system"`)}},
		}},
		{name: "the API server answers the token server again", series: series{
			answers("api_server"): "0+600x10 6000x190", answers("released"): "0x10 0+600x190", answers("forbidden"): "0x200",
		}, moments: []moment{
			{"9m", []string{alert("GitHubUserTokenServerFailing", "critical", `namespace="system"`)}},
			{"12m", []string{alert("GitHubUserTokenServerFailing", "warning", `namespace="system"`)}},
			{"30m", nil},
		}},
		{name: "nobody asks the token server", series: series{
			answers("released"): "0x200", answers("forbidden"): "0x200", releasedWithin("0.1"): "0x200", releasedWithin("1"): "0x200", releasedWithin("2.5"): "0x200", releasedWithin("+Inf"): "0x200",
		}, moments: []moment{{"12m", nil}, {"2h", nil}}},
		{name: "the token server is slow", series: series{releasedWithin("0.1"): "0+400x200", releasedWithin("1"): "0+550x200"}, moments: []moment{
			{"14m", nil}, {"17m", []string{alert("GitHubUserTokenServerSlow", "warning", `namespace="system"`)}},
		}},
		{name: "a workload asks the token server again and again", series: series{answers("too_many_requests"): "0+1x60 60x140"}, moments: []moment{
			{"29m", nil}, {"33m", []string{alert("GitHubUserTokenServerRefusing", "warning", `namespace="system"`)}}, {"70m", nil},
		}},
		{name: "no replica leads", without: []string{`githubusertoken_resources{` + replica + `}`, `githubusertoken_resources_unselected{` + replica + `}`, `githubusertoken_resources_overdue{` + replica + `}`}, moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenNoLeader", "critical", "")}},
		}},
		{name: "one of two deployments that share the cluster has no leader for a while", series: series{
			`githubusertoken_resources_unselected{` + replica + `}`: "40x200",
			`githubusertoken_resources{` + second + `}`:             "40x10 _x30 40x160",
			`githubusertoken_resources_unselected{` + second + `}`:  "100x10 _x30 100x160",
			`githubusertoken_build_info{` + second + `}`:            always,
		}, moments: []moment{
			{"9m", nil}, {"35m", []string{alert("GitHubUserTokensNotServed", "critical", `namespace="system"`)}}, {"45m", nil},
		}},
		{name: "a label names no deployment", series: series{
			`githubusertoken_resources_unselected{` + replica + `}`: "1x200",
		}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokensNotServed", "critical", `namespace="system"`)}},
		}},
		{name: "a label names no deployment, and two jobs scrape the leader", series: series{
			`githubusertoken_resources_unselected{` + replica + `}`:              "1x200",
			`githubusertoken_resources{` + replica + `, job="other"}`:            "100x200",
			`githubusertoken_resources_unselected{` + replica + `, job="other"}`: "1x200",
		}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokensNotServed", "critical", `namespace="system"`)}},
		}},
		{name: "a label names no deployment, and there are other installations", series: series{
			`githubusertoken_resources_unselected{` + replica + `}`:                                                "1x200",
			`githubusertoken_resources{namespace="tenant", pod="operator-9", instance="10.0.0.9:8443"}`:            "50x200",
			`githubusertoken_resources_unselected{namespace="tenant", pod="operator-9", instance="10.0.0.9:8443"}`: "0x200",
			`githubusertoken_resources{cluster="next", ` + replica + `}`:                                           "50x200",
			`githubusertoken_resources_unselected{cluster="next", ` + replica + `}`:                                "0x200",
		}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokensNotServed", "critical", `namespace="system"`)}},
		}},
		{name: "what two deployments serve counts twice, and hides what none does", series: series{ // See docs/scaling.md.
			`githubusertoken_resources{` + replica + `}`:            "60x200",
			`githubusertoken_resources_unselected{` + replica + `}`: "40x200",
			`githubusertoken_resources{` + second + `}`:             "30x200",
			`githubusertoken_resources_unselected{` + second + `}`:  "70x200",
			`githubusertoken_resources{` + third + `}`:              "10x200",
			`githubusertoken_resources_unselected{` + third + `}`:   "90x200",
		}, moments: []moment{{"12m", nil}, {"2h", nil}}},
		{name: "a pair cannot be stored", series: series{`githubusertoken_outbox_oldest_record_age_seconds{` + replica + `}`: "0+60x10 0x190"}, moments: []moment{
			{"1m", nil}, {"2m", []string{alert("GitHubUserTokenPairNotStored", "critical", replica)}}, {"20m", nil},
		}},
		{name: "a record cannot be read", series: series{`githubusertoken_outbox_corrupt_records{` + replica + `}`: "0x10 1x190"}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokenOutboxDamaged", "warning", replica)}},
		}},
		{name: "the outbox cannot be written", series: aggregated("Reconciling", "True", "OutboxUnavailable", "5x200").with(series{condition("Ready", "True", "TokenValid"): always}), moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenOutboxUnavailable", "critical", "")}},
		}},
		{name: "a namespace is forbidden", series: series{`githubusertoken_namespace_served{namespace="team-a"}`: "0x200", `githubusertoken_namespace_served{namespace="team-b"}`: always}, without: []string{`githubusertoken_namespace_served{namespace=""}`}, moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenNamespaceNotServed", "warning", `namespace="team-a"`)}},
		}},
		{name: "everything is forbidden", series: series{`githubusertoken_namespace_served{namespace=""}`: "0x200"}, moments: []moment{
			{"9m", nil}, {"11m", []string{alert("GitHubUserTokenNamespaceNotServed", "critical", "")}},
		}},
		{name: "the CA file is broken", series: series{`githubusertoken_github_ca_file_stale{` + replica + `}`: "1x200"}, moments: []moment{
			{"4m", nil}, {"6m", []string{alert("GitHubUserTokenCAFileStale", "warning", replica)}},
		}},
		{name: "an App has more users than its limit allows", series: series{
			`githubusertoken_rate_limit_waiting_requests{` + replica + `, app="github.com/Iv23liX"}`: "3x200",
			`githubusertoken_rate_limit_waiting_requests{` + replica + `, app="other"}`:              "100x200",
		}, moments: []moment{{"59m", nil}, {"61m", []string{alert("GitHubUserTokenRateLimited", "warning", `app="github.com/Iv23liX"`)}}}},
		{name: "a reply is lost", series: series{`githubusertoken_replies_lost_total{` + replica + `}`: "0x10 1x190"}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokenReplyLost", "warning", "")}}, {"2h", nil},
		}},
		{name: "the operator panics", series: series{`githubusertoken_exchange_panics_total{` + replica + `}`: "0x10 1x190"}, moments: []moment{
			{"9m", nil}, {"12m", []string{alert("GitHubUserTokenOperatorPanicked", "warning", "")}}, {"2h", nil},
		}},
	}
}

// healthyBut is a healthy resource with other series of the same names.
func healthyBut(changed series) series {
	kept := maps.Clone(healthy)
	if slices.ContainsFunc(slices.Collect(maps.Keys(changed)), func(name string) bool { return strings.Contains(name, `type="Authorized"`) }) {
		delete(kept, condition("Authorized", "True", "RefreshTokenValid"))
		delete(kept, nextRefresh)
	}
	return kept.with(changed)
}

// sample is what promtool expects of a query.
type sample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

type queryTest struct {
	Expr     string   `json:"expr"`
	EvalTime string   `json:"eval_time"`
	Samples  []sample `json:"exp_samples,omitempty"`
}

type inputSeries struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type ruleTest struct {
	Name     string        `json:"name"`
	Interval string        `json:"interval"`
	Input    []inputSeries `json:"input_series"`
	Queries  []queryTest   `json:"promql_expr_test"`
}

// test is a scenario in promtool's words.
func (s scenario) test() ruleTest {
	all := standing.with(serving).with(s.series)
	for _, name := range s.without {
		delete(all, name)
	}
	test := ruleTest{Name: s.name, Interval: "1m"}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		test.Input = append(test.Input, inputSeries{name, all[name]})
	}
	for _, m := range s.moments {
		query := queryTest{Expr: `ALERTS{alertstate="firing"}`, EvalTime: m.at}
		for _, firing := range m.firing {
			name, rest, _ := strings.Cut(firing, "/")
			severity, labels, _ := strings.Cut(strings.TrimSuffix(rest, "}"), "{")
			if labels != "" {
				labels = ", " + labels
			}
			query.Samples = append(query.Samples, sample{fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing", severity=%q%s}`, name, severity, labels), 1})
		}
		test.Queries = append(test.Queries, query)
	}
	return test
}

func write(t *testing.T, path string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "promtool", arguments...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(arguments[:2], " "), err, out)
	}
}

// Each alert fires when it should, and not a minute before; and whatever happens, no other alert fires beside.
func TestAlertsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	dir := t.TempDir()
	rules := shippedRules(t)
	write(t, filepath.Join(dir, "rules.yaml"), rules)
	promtool(t, "check", "rules", filepath.Join(dir, "rules.yaml"))
	var file struct {
		RuleFiles []string   `json:"rule_files"`
		Interval  string     `json:"evaluation_interval"`
		Tests     []ruleTest `json:"tests"`
	}
	file.RuleFiles, file.Interval = []string{"rules.yaml"}, "1m"
	seen := map[string]bool{}
	for _, s := range scenarios() {
		file.Tests = append(file.Tests, s.test())
		for _, m := range s.moments {
			for _, firing := range m.firing {
				name, _, _ := strings.Cut(firing, "{")
				seen[name] = true
			}
		}
		if len(s.moments[0].firing) > 0 && len(s.moments) == 1 && s.name != "with series for each resource their numbers raise nothing" {
			t.Errorf("%s: there is no moment at which the alert does not fire yet", s.name)
		}
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if name := rule.Alert + "/" + rule.Labels["severity"]; !seen[name] {
				t.Errorf("no scenario makes %s fire", name)
			}
		}
	}
	write(t, filepath.Join(dir, "test.yaml"), file)
	promtool(t, "test", "rules", filepath.Join(dir, "test.yaml"))
}

// What an alert says is whole: no template of it fails, and it names what it is about.
func TestAlertsSayWhatTheyAreAbout(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), shippedRules(t))
	type expected struct {
		Labels      map[string]string `json:"exp_labels"`
		Annotations map[string]string `json:"exp_annotations"`
	}
	type alertTest struct {
		EvalTime string     `json:"eval_time"`
		Alert    string     `json:"alertname"`
		Expected []expected `json:"exp_alerts"`
	}
	type test struct {
		Interval string        `json:"interval"`
		Input    []inputSeries `json:"input_series"`
		Alerts   []alertTest   `json:"alert_rule_test"`
	}
	input := func(all series) (input []inputSeries) {
		for name, values := range all {
			input = append(input, inputSeries{name, values})
		}
		return input
	}
	annotations := func(alert, query, summary, description string) map[string]string {
		return map[string]string{
			"summary": summary, "description": description, "dashboard_url": "/d/github-user-tokens" + query,
			"runbook_url": runbookURL + strings.ToLower(alert),
		}
	}
	const ofOne = "?var-namespace=a&var-name=x"
	file := map[string]any{"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m", "tests": []test{
		{"1m", input(healthyBut(series{condition("Authorized", "False", "RefreshTokenRejected"): always, accessExpires: "3600x200"})), []alertTest{{"10m", "GitHubUserTokenHumanNeeded", []expected{{
			map[string]string{"namespace": "a", "name": "x", "reason": "RefreshTokenRejected", "severity": "warning"},
			annotations("GitHubUserTokenHumanNeeded", ofOne, "Somebody must log in again for a/x (RefreshTokenRejected). Its token still works.",
				"It works until 1970-01-01 01:00:00 +0000 UTC. kubectl -n a describe ghut x says what to do."),
		}}}}},
		{"1m", input(healthy.with(series{condition("Reconciling", "True", "HostUnreachable"): always})), []alertTest{{"16m", "GitHubUserTokenRefreshFailing", []expected{{
			map[string]string{"namespace": "a", "name": "x", "severity": "warning"},
			annotations("GitHubUserTokenRefreshFailing", ofOne, "The token of a/x has not been refreshed for 15 minutes although it is due (HostUnreachable).",
				"The operator goes on trying. The token works until its expiry, so there is time to find the cause. kubectl -n a describe ghut x says what it is."),
		}}}}},
		{"1m", input(series{`githubusertoken_outbox_oldest_record_age_seconds{` + replica + `}`: "90x200"}), []alertTest{{"2m", "GitHubUserTokenPairNotStored", []expected{{
			map[string]string{"namespace": "system", "pod": "operator-1", "instance": "10.0.0.1:8443", "severity": "critical"},
			annotations("GitHubUserTokenPairNotStored", "", "A pair received by operator-1 could not be stored for 1m 30s.",
				"It is kept in the pod's memory-backed volume and is lost with the pod. Do not delete the pod. The resources with the reason Committing say what refuses the write; where no resource says so, see whether the API server takes writes to Secrets."),
		}}}}},
		{"1m", input(serving.with(series{answers("busy"): "0+120x200"})), []alertTest{{"12m", "GitHubUserTokenServerFailing", []expected{{
			map[string]string{"namespace": "system", "severity": "warning"},
			annotations("GitHubUserTokenServerFailing", "", "The token server cannot answer 9.091% of the requests.",
				"The API server does not answer it or refuses it, or it has too much to do. Its log has the reason. Clients try again."),
		}}}}},
	}}
	write(t, filepath.Join(dir, "test.yaml"), file)
	promtool(t, "test", "rules", filepath.Join(dir, "test.yaml"))
}
