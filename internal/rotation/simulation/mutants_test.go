package simulation

// mutant is a deliberate break of the product's own code: a text of one of its files is replaced. The new text asks
// broken(name), so that one build holds them all. A file without a folder is one of the protocol's.
type mutant struct {
	name, file, find, replace string
}

// rare are the faults that it takes to see a break which hardly ever shows when everything goes wrong at once.
var rare = map[string]Faults{
	"ambiguous treated as untouched":                Of(GitHubReplyLost, GitHubFailedAfter),
	"newer backup overwritten":                      Of(SecretDeleted, SecretImmutable, LabelEdit, APISlow, APIReplyLost, WatchHeld),
	"doubt forgotten when a later try sent nothing": Of(GitHubReplyLost, GitHubFailedBefore, GitHubRequestLost, GitHubRateLimited, GitHubMisconfigured),
	"login judged like a refresh":                   Of(NewSeed, APIPartition, RefreshRequested),
	"older copy taken for a newer login":            Of(BackupRestored, APISlow, APIAppliedLate, NewSeed),
	"edit of somebody else's Secret taken up":       Of(SecretReplaced, HandEdit, LabelEdit, WatchHeld, APISlow),
	"no look for a backup before a first exchange":  Of(SecretDeleted, SecretImmutable, APISlow, APIAppliedLate, WatchHeld),

	"place kept by what cannot be stored":                          Of(APIRefused),
	"verdict tried without end":                                    Of(APIRefused, Revoked, APISlow),
	"refused token sent again while its verdict cannot be written": Of(APIRefused, Revoked, APISlow),
	"answer to a write believed without a look":                    Of(SecretImmutable, APINotFound, APISlow),
	"pair not retained on the word of the API server":              Of(ResourceRetained, SecretDeleted, APINotFound, APISlow),
	"exchange beside a pair that waits":                            Of(APIRefused, RefreshRequested),

	"expiry by a clock that was set back not capped":                        Of(ClockJump, Kill),
	"expiry by a clock that was ahead not shortened":                        Of(ClockAhead, Kill),
	"refused token presented again without end":                             Of(GitHubMistaken, Revoked, RefreshRequested),
	"refused token presented again after its answer was lost":               Of(GitHubMistaken, GitHubReplyLost, GitHubFailedAfter, RefreshRequested),
	"rejection believed without a live look":                                Of(LeaseLost, WatchHeld, APISlow, GitHubHang, Stop),
	"clocks compared":                                                       Of(ClockJump, LeaseLost, APISlow, GitHubHang, WatchHeld),
	"no pause after a failure":                                              Of(GitHubFailedBefore, GitHubRequestLost, GitHubMisconfigured),
	"Secret of somebody else remembered as the pair":                        Of(SecretReplaced, NewSeed, APISlow, WatchHeld),
	"Secrets of former resources left alone":                                Of(ResourceDeleted, NamespaceDeleted, SecretImmutable, APIAppliedLate),
	"moved pair not looked for before a first exchange":                     Of(Renamed, APISlow, WatchHeld, ResourceDeleted, Stop),
	"pair that was stored late not revoked":                                 Of(ResourceRevoked, APISlow, WatchHeld, LeaseLost, GitHubHang, Stop),
	"request honoured again after its state was garbled":                    Of(RefreshRequested, StateGarbled),
	"deleted Secret of a former name not put back":                          Of(Renamed, ResourceRetained, SecretDeleted, APISlow),
	"finalizer taken off before the Secrets":                                Of(ResourceRevoked, ResourceRetained, APISlow, WatchHeld),
	"second panic leaves the outbox":                                        Of(Panic, APIReplyLost, APISlow),
	"two Secrets of one pair not made one first":                            Of(Renamed, APISlow, APIReplyLost, APIAppliedLate, LeaseLost),
	"logins forgotten that a garbled state knew":                            Of(RefreshRequested, StateGarbled),
	"outbox not replayed after a panic":                                     Of(Panic, APIReplyLost, APISlow),
	"format of a newer version ignored":                                     Of(FormatNewer),
	"garbled state used as it is":                                           Of(StateGarbled, NewSeed),
	"pair never moved":                                                      Of(Renamed),
	"earlier tries not counted":                                             Of(GitHubReplyLost, GitHubFailedAfter, GitHubHang, Kill),
	"token sent to another App than its own":                                Of(AppChanged),
	"code redeemed without asking the outbox":                               Of(OutboxFull),
	"refused login not remembered":                                          Of(WrongUserSeed, NewSeed, AppChanged),
	"outbox emptied before the commit":                                      Of(Kill, APIOutage, APISlow),
	"unproven pair retained as if it were proven":                           Of(ResourceRetained, BackupRestored, APISlow),
	"token of another chain not looked for before it is sent":               Of(TokenCopied, WatchHeld),
	"chain not exchanged while the seed holds another's token":              Of(TokenCopied),
	"what admission has stored not looked at":                               Of(WebhookAlters),
	"pair that admission has altered taken for another's":                   Of(WebhookAlters, APIReplyLost),
	"refresh token that admission has dropped taken for one that never was": Of(WebhookAlters, APIReplyLost, WatchHeld, LeaseLost),
	"altered pair of a later login overwritten":                             Of(WebhookAlters, NewSeed, APIReplyLost, APIAppliedLate, Kill),
	"retained pair taken up beside the one in the backup":                   Of(Renamed, ResourceRetained, SecretDeleted, APIReplyLost, SeedDeleted),
	"answer to an exchange taken for one to a poll":                         Of(HandEdit, Revoked),
	"retained pair not committed to":                                        Of(ResourceRetained, APISlow, Stop),
	"own work for a former resource not waited for":                         Of(ResourceRetained, APISlow, GitHubHang),
	"token sent that the seed holds by now":                                 Of(SeedReverted, NewSeed, WatchHeld),
	"token copied beside the one that is taken out no login":                Of(HandEdit, Revoked),
	"login never given up":                                                  Of(SeedDeleted, SeedReverted, GitHubReplyLost, GitHubFailedAfter),
	"login that was given up forgotten":                                     Of(SeedDeleted, SeedReverted, GitHubReplyLost, GitHubFailedAfter),
	"leftovers taken out without a new pair":                                Of(HandEdit, NewSeed, Revoked),
	"copy of a retained Secret trusted":                                     Of(ResourceRetained, BackupRestored, RefreshRequested),
	"pair that was just moved not looked for before it is retained":         Of(ResourceRetained, Renamed, SecretImmutable, APISlow, WatchHeld),
	"pair let go of without a look at what is stored":                       Of(WebhookAlters, ResourceRetained, APISlow),
	"pair let go of before it was tried":                                    Of(WebhookAlters, ResourceRetained, APISlow, Kill),
	"Secret that was let go of left with its finalizer":                     Of(ResourceRetained, Kill, APIReplyLost),
	string(BreakCreatedForNobody):                                           Of(ResourceDeleted, APISlow),
	"older state that was put back trusted":                                 Of(BackupRestored, RefreshRequested, APISlow),
	"code sent again after its outcome was unknown":                         Of(GitHubReplyLost, GitHubFailedAfter, Kill),
	"code of an earlier login sent":                                         Of(NewSeed, RefreshRequested),
	"code of an attempt that is over sent":                                  Of(NewSeed, APISlow),
	loginFirst:                                                              Of(NewSeed),
	"attempt left open when its pair is stored":                             Of(APISlow),
	"another Secret used for a resource that is gone":                       Of(BackupRestored, APISlow, WatchHeld, ResourceDeleted),
	revocationLost: Of(RevocationAsked, APISlow),
	"request for a revocation kept for the login that is pasted": Of(RevocationAsked, RefreshRequested, LabelEdit),
	"revocation asked for in the name of another account":        Of(RevocationAsked),
	"revocation whose answer was lost taken for done":            Of(RevocationAsked, GitHubRequestLost, GitHubFailedBefore),
	"pair of the login that is stored late left alive":           Of(RevocationAsked, APISlow, APIPartition, APIOutage, GitHubHang, LeaseLost, Stop, WatchHeld),
	"request for a revocation forgotten by a late commit":        Of(RevocationAsked, APISlow, APIPartition, APIOutage, GitHubHang, LeaseLost, Stop, WatchHeld),
	"GitHub asked before a request is taken down":                Of(RevocationAsked),
	"request that is not taken down yet forgotten by a deletion": Of(RevocationAsked, ResourceDeleted, APISlow),
	"login that is to end replaced by a new one":                 Of(RevocationAsked, NewSeed, GitHubRequestLost, GitHubFailedBefore, APISlow),
	"end of a login written down for another one":                Of(RevocationAsked, NewSeed, APISlow, WatchHeld),
	"pair that is stored meanwhile said to have ended":           Of(RevocationAsked, APISlow, APIPartition, APIOutage, GitHubHang, LeaseLost, Stop, WatchHeld),
	"login that is to end pasted over in silence":                Of(RevocationAsked, GitHubRequestLost, GitHubFailedBefore, APISlow),
	"resource released before the login that is to end":          Of(RevocationAsked, ResourceDeleted, GitHubRequestLost, GitHubFailedBefore, APISlow),
	"retained pair taken up beside the resource's own":           Of(Renamed, ResourceRetained, SecretDeleted, SecretImmutable, APISlow, WatchHeld),
}

// leaderless are the breaks that show only where several processes are active at once all the time, although needLeader tells
// what goes wrong there, once in some hundred worlds.
var leaderless = []string{"another Secret used for a resource that is gone", "retained pair taken up beside the resource's own", "own work for a former resource not waited for", string(BreakCreatedForNobody)}

// loginFirst is the break that shows where no login can be begun.
const loginFirst = "login that cannot be begun goes before the chain"

// revocationLost is the break by which what was taken down is not looked at.
const revocationLost = "pair exchanged while its login is to end"

// mutants are the rules of the protocol that can only be broken inside its code.
var mutants = []mutant{
	{
		"conflict taken as failure", "commit.go",
		"		if errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) {\n",
		"		if broken(`conflict taken as failure`) && errors.Is(err, ErrConflict) {\n			return Result{Outcome: Unknown, Err: err}\n		}\n		if errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) {\n",
	},
	{
		"commit gives up after some tries", "commit.go",
		"		_ = r.Clock.Sleep(ctx, retryBackoff(err).After(failures))",
		"		if broken(`commit gives up after some tries`) && failures > 6 {\n			return Result{Outcome: Unknown, Err: err}\n		}\n		_ = r.Clock.Sleep(ctx, retryBackoff(err).After(failures))",
	},
	{
		"commit repeated blindly after an unknown outcome", "commit.go",
		"		live = nil\n",
		"		if !broken(`commit repeated blindly after an unknown outcome`) {\n			live = nil\n		}\n",
	},
	{
		"commit over a newer login", "commit.go",
		"	switch refresh := live.RefreshToken.Fingerprint(); {\n",
		"	switch refresh := live.RefreshToken.Fingerprint(); {\n	case broken(`commit over a newer login`):\n		return false\n",
	},
	{
		"foreign Secret taken for a newer login", "commit.go",
		"	case isSomebodyElses(live, record):",
		"	case isSomebodyElses(live, record) && !broken(`foreign Secret taken for a newer login`):",
	},
	{
		"retained pair not committed to", "commit.go",
		"	return live.Orphan && (",
		"	return !broken(`retained pair not committed to`) && live.Orphan && (",
	},
	{
		"login judged like a refresh", "commit.go",
		"	case record.Login:",
		"	case record.Login && !broken(`login judged like a refresh`):",
	},
	{
		"imported seed left pending", "commit.go",
		"	next.endLogin(record.Spent)\n",
		"	if !broken(`imported seed left pending`) {\n		next.endLogin(record.Spent)\n	}\n",
	},
	{
		"success does not clear the verdict", "commit.go",
		"	state.Verdict = nil\n",
		"	if !broken(`success does not clear the verdict`) {\n		state.Verdict = nil\n	}\n",
	},
	{
		"intent ignored", "internal/rotation/rules/exchange.go",
		"	if in.Pair == nil || in.Pair.Intent == nil {",
		"	if in.Pair == nil || in.Pair.Intent == nil || broken(`intent ignored`) {",
	},
	{
		"foreign intent not waited for", "internal/rotation/rules/input.go",
		"	return in.Pair.Intent.Standing(in.Me) == rotation.StandingForeign && ",
		"	return !broken(`foreign intent not waited for`) && in.Pair.Intent.Standing(in.Me) == rotation.StandingForeign && ",
	},
	{
		"intent resolved with another App", "internal/rotation/rules/exchange.go",
		"	if intent.Spends == state.RefreshToken && (",
		"	if !broken(`intent resolved with another App`) && intent.Spends == state.RefreshToken && (",
	},
	// Each of these two makes up for the other, so that both are broken at once.
	{
		"chain not exchanged while the seed holds another's token", "controllers/lifecycle/act.go",
		"	beside := rules.BesideSeed(s.Input)\n",
		"	beside := rules.BesideSeed(s.Input)\n	if broken(`chain not exchanged while the seed holds another's token`) {\n		beside.Action = rotation.ActionNone\n	}\n",
	},
	{
		"own work for a former resource not waited for", "internal/rotation/rules/input.go",
		" || in.IntentAtWork\n",
		" || in.IntentAtWork && !broken(`own work for a former resource not waited for`) && !broken(`exchange beside a pair that waits`)\n",
	},
	{
		"own work for a former resource not waited for", "controllers/lifecycle/exchange.go",
		"	if e.rotator.IsSpending(decision.Spends) {",
		"	if e.rotator.IsSpending(decision.Spends) && !broken(`own work for a former resource not waited for`) && !broken(`exchange beside a pair that waits`) {",
	},
	{
		"seed imported again when it was seen", "internal/rotation/rules/exchange.go",
		"(in.Pair != nil && in.Pair.State.KnowsSeed(in.Seed, in.App)) {",
		"(in.Pair != nil && !broken(`seed imported again when it was seen`) && in.Pair.State.KnowsSeed(in.Seed, in.App)) {",
	},
	{
		"request for a refresh honoured again", "commit.go",
		"	if record.RefreshRequestedAt != \"\" {",
		"	if record.RefreshRequestedAt != \"\" && !broken(`request for a refresh honoured again`) {",
	},
	{
		"refresh without being due", "internal/rotation/rules/exchange.go",
		"	if in.Now.Before(at) {",
		"	if in.Now.Before(at) && !broken(`refresh without being due`) {",
	},
	{
		"pair got again for each access token that has ended", "internal/rotation/rules/exchange.go",
		"	if again := renewed.Add(renewEvery); state.AccessTokenEnded",
		"	if again := renewed.Add(map[bool]time.Duration{false: renewEvery}[broken(`pair got again for each access token that has ended`)]); state.AccessTokenEnded",
	},
	{
		"jitter drawn anew", "schedule.go",
		"	due := s.ExpiresAt.Add(",
		"	if broken(`jitter drawn anew`) {\n		return s.ExpiresAt.Add(-before - time.Duration(float64(spread)*drawn()))\n	}\n	due := s.ExpiresAt.Add(",
	},
	{
		"unconfirmed fence trusted", "fence.go",
		"		if err != nil || fenced.StateLost || !jsonfields.Same(fenced.Intent, intent) {",
		"		if broken(`unconfirmed fence trusted`) && err == nil && fenced.Holds(intent.Spends) {\n			fenced.Intent = intent\n		} else if err != nil || fenced.StateLost || !jsonfields.Same(fenced.Intent, intent) {",
	},
	{
		"token copied beside the one that is taken out no login", "fence.go",
		"	next.State.PendingSeed = next.login() // A copy",
		"	if next.State.PendingSeed = login; !broken(`token copied beside the one that is taken out no login`) {\n		next.State.PendingSeed = next.login()\n	} // A copy",
	},
	{
		"no look for a backup before a first exchange", "fence.go",
		"	if !fenced.hasTokens() || intent.Unresolved > 0 {",
		"	if (!fenced.hasTokens() || intent.Unresolved > 0) && !broken(`no look for a backup before a first exchange`) {",
	},
	{
		"earlier tries not counted", "fence.go",
		"		intent.Unresolved++\n",
		"		if !broken(`earlier tries not counted`) {\n			intent.Unresolved++\n		}\n",
	},
	{
		"deadline counted from the sending", "rotator.go",
		"token, IntentTimeout-(r.Clock.Monotonic()-began))",
		"token, map[bool]time.Duration{true: IntentTimeout, false: IntentTimeout - (r.Clock.Monotonic() - began)}[broken(`deadline counted from the sending`)])",
	},
	{
		"outbox not asked before an exchange", "rotator.go",
		"	if err := r.Outbox.Reserve(job.Owner); err != nil {",
		"	if err := r.Outbox.Reserve(job.Owner); err != nil && !broken(`outbox not asked before an exchange`) {",
	},
	{
		"reply kept only when it can be read", "rotator.go",
		"	keepErr := r.Outbox.Keep(record)\n",
		"	var keepErr error\n	if _, err := record.Reply.Tokens(); err == nil || !broken(`reply kept only when it can be read`) {\n		keepErr = r.Outbox.Keep(record)\n	}\n",
	},
	{
		"outbox emptied before the commit", "rotator.go",
		"	var result Result\n	switch tokens, err",
		"	var result Result\n	if broken(`outbox emptied before the commit`) {\n		_ = r.Outbox.Remove(record.ID)\n	}\n	switch tokens, err",
	},
	{
		"replay commits unconditionally", "replay.go",
		"		result = r.store(",
		"		if broken(`replay commits unconditionally`) {\n		if live, err := r.Store.Get(ctx, record.Ref); err == nil && !live.RefreshToken.IsZero() {\n			record.Spent, record.Login = live.RefreshToken.Fingerprint(), false\n		}\n	}\n		result = r.store(",
	},
	{
		"ambiguous treated as untouched", "settle.go",
		"	case github.Ambiguous:\n",
		"	case github.Ambiguous:\n		if broken(`ambiguous treated as untouched`) {\n			r.markUntouched(job.Owner, fenced.Intent)\n			return Result{Outcome: Untouched, Pair: r.clearIntent(ctx, job, fenced), Err: failure}\n		}\n",
	},
	{
		"ambiguous treated as rejected", "settle.go",
		"	case github.Ambiguous:\n",
		"	case github.Ambiguous:\n		if broken(`ambiguous treated as rejected`) {\n			return r.record(ctx, job.Owner, fenced.Ref, refusal{finding: finding{spent: fenced.Intent.Spends, app: job.App.Key(), intentID: fenced.Intent.ID}, cause: failure, pair: fenced})\n		}\n",
	},
	{
		"untouched treated as rejected", "settle.go",
		"		r.markUntouched(job.Owner, fenced.Intent)\n		return Result{Outcome: Untouched",
		"		if broken(`untouched treated as rejected`) {\n			return r.record(ctx, job.Owner, fenced.Ref, refusal{finding: finding{spent: fenced.Intent.Spends, app: job.App.Key(), intentID: fenced.Intent.ID}, cause: failure, pair: fenced})\n		}\n		r.markUntouched(job.Owner, fenced.Intent)\n		return Result{Outcome: Untouched",
	},
	{
		"rejection believed without a live look", "settle.go",
		"	case !live.holdsForVerdict(v):",
		"	case broken(`rejection believed without a live look`) && live.Intent == nil:\n		live.Intent = &Intent{ID: v.intentID}\n	case broken(`rejection believed without a live look`):\n	case !live.holdsForVerdict(v):",
	},
	{
		"refused login not remembered", "settle.go",
		"	state.recordSeed(record)\n",
		"	if !broken(`refused login not remembered`) {\n		state.recordSeed(record)\n	}\n",
	},
	{
		"retained pair taken up beside the one in the backup", "restore.go",
		"		if backup.hasTokens() && orphan.State.Owner != owner.UID {",
		"		if backup.hasTokens() && orphan.State.Owner != owner.UID && !broken(`retained pair taken up beside the one in the backup`) {",
	},
	{
		"restore without a backup", "restore.go",
		"	backup, err := r.keepBackup(ctx, pair)\n	if err != nil {\n		return nil, fmt.Errorf(\"back up the pair before its Secret is replaced: %w\", err)\n	}\n",
		"	if broken(`restore without a backup`) {\n		if err := r.Store.Remove(ctx, old); err != nil {\n			return nil, err\n		}\n		return r.Store.Create(ctx, copyTo(pair, old.Ref))\n	}\n	backup, err := r.keepBackup(ctx, pair)\n	if err != nil {\n		return nil, fmt.Errorf(\"back up the pair before its Secret is replaced: %w\", err)\n	}\n",
	},
	{
		"backup removed before the replacement is there", "restore.go",
		"	placed, err := r.Store.Create(ctx, copyTo(backup, old.Ref))\n",
		"	if broken(`backup removed before the replacement is there`) {\n		_ = r.Store.Remove(ctx, backup)\n	}\n	placed, err := r.Store.Create(ctx, copyTo(backup, old.Ref))\n",
	},
	{
		"backup removed on the strength of a read", "restore.go",
		"		restored, err = r.Store.Update(ctx, live, claimed(live, content))\n",
		"		if restored = live; content != live || !broken(`backup removed on the strength of a read`) {\n			restored, err = r.Store.Update(ctx, live, claimed(live, content))\n		}\n",
	},
	{
		"newer backup overwritten", "restore.go",
		"	return r.Store.Update(ctx, backup, claimed(backup, newer(pair, backup)))\n",
		"	if broken(`newer backup overwritten`) {\n		return r.Store.Update(ctx, backup, claimed(backup, pair))\n	}\n	return r.Store.Update(ctx, backup, claimed(backup, newer(pair, backup)))\n",
	},
	{
		"exchange sent again when no answer came", "rotator.go",
		"\treply, err := r.send(sending, job, token)\n",
		"\treply, err := r.send(sending, job, token)\n\tif err != nil && broken(`exchange sent again when no answer came`) {\n\t\treply, err = r.send(sending, job, token)\n\t}\n",
	},
	{
		"committed exchange left as an intent", "commit.go",
		"\tif next.Intent != nil && next.Intent.Spends == record.Spent {",
		"\tif next.Intent != nil && next.Intent.Spends == record.Spent && !broken(`committed exchange left as an intent`) {",
	},
	{
		"committed reply left in the outbox", "rotator.go",
		"\tresult.OutboxErr = errors.Join(keepErr, r.Outbox.Remove(record.ID))\n",
		"\tif broken(`committed reply left in the outbox`) {\n\t\treturn result\n\t}\n\tresult.OutboxErr = errors.Join(keepErr, r.Outbox.Remove(record.ID))\n",
	},
	{
		"first fence written over another's", "fence.go",
		"\t\tfenced, err = r.Store.Create(writing, r.firstPair(job, intent))\n",
		"\t\tfenced, err = r.Store.Create(writing, r.firstPair(job, intent))\n\t\tif errors.Is(err, ErrExists) && broken(`first fence written over another's`) {\n\t\t\tif live, failed := r.Store.Get(writing, job.Ref); failed == nil {\n\t\t\t\tjob.Pair = live\n\t\t\t\tfenced, err = r.Store.Update(writing, live, withFence(job, intent))\n\t\t\t}\n\t\t}\n",
	},
	{
		"edited token not noticed at the fence", "fence.go",
		"\tif _, held := job.token(fenced); !held {",
		"\tif _, held := job.token(fenced); !held && !broken(`edited token not noticed at the fence`) {",
	},
	{
		"edit of somebody else's Secret taken up", "fence.go",
		"\tif !live.belongsTo(owner) {",
		"\tif !live.belongsTo(owner) && !broken(`edit of somebody else's Secret taken up`) {",
	},
	{
		"older copy taken for a newer login", "commit.go",
		"\tcase isOlderCopy(live, record):",
		"\tcase isOlderCopy(live, record) && !broken(`older copy taken for a newer login`):",
	},
	{
		"half a reply ends the chain before it", "rotator.go",
		"\treturn r.Base.RefreshToken == r.Spent || ",
		"\treturn broken(`half a reply ends the chain before it`) || r.Base.RefreshToken == r.Spent || ",
	},
	{
		"pair of another account stored", "rotator.go",
		"\tif record.Login && record.User != nil && r.Admit != nil {",
		"\tif record.Login && record.User != nil && r.Admit != nil && !broken(`pair of another account stored`) {",
	},
	{
		"doubt forgotten when a later try sent nothing", "settle.go",
		"\tif fenced.Intent.Unresolved > 0 {",
		"\tif fenced.Intent.Unresolved > 0 && !broken(`doubt forgotten when a later try sent nothing`) {",
	},
	{
		"token sent to another App than its own", "internal/rotation/rules/exchange.go",
		"\tif in.Pair == nil || in.Pair.State.App == in.App {",
		"\tif in.Pair == nil || in.Pair.State.App == in.App || broken(`token sent to another App than its own`) {",
	},
	{
		"condemned token tried again", "internal/rotation/rules/exchange.go",
		"\tif in.Pair == nil || in.Pair.State.Verdict == nil {",
		"\tif in.Pair == nil || in.Pair.State.Verdict == nil || broken(`condemned token tried again`) {",
	},
	{
		"deleted Secret not put back", "internal/rotation/rules/secret.go",
		"\tcase in.Backup:\n",
		"\tcase broken(`deleted Secret not put back`):\n\t\treturn rotation.Decision{}, false\n\tcase in.Backup:\n",
	},
	{
		"somebody else's Secret used", "internal/rotation/rules/secret.go",
		"func foreignSecret(in Input) (rotation.Decision, bool) {\n\tif in.Pair == nil || in.Pair.Controlled {",
		"func foreignSecret(in Input) (rotation.Decision, bool) {\n\tif in.Pair == nil || in.Pair.Controlled || broken(`somebody else's Secret used`) {",
	},
	{
		"restored pair used without a proof", "internal/rotation/rules/exchange.go",
		"\tcase in.Vouched || in.Proof == ProofAlive:",
		"\tcase in.Vouched || in.Proof == ProofAlive || broken(`restored pair used without a proof`):",
	},
	{
		"older state that was put back trusted", "internal/rotation/rules/secret.go",
		"\tif in.Pair == nil || !in.Pair.Controlled || !in.RolledBack {",
		"\tif in.Pair == nil || !in.Pair.Controlled || !in.RolledBack || broken(`older state that was put back trusted`) {",
	},
	{
		"copy of a retained Secret trusted", "pair.go",
		"return p.State.Retained && p.State.RetainedAs == p.UID",
		"return p.State.Retained && (p.State.RetainedAs == p.UID || broken(`copy of a retained Secret trusted`))",
	},
	{
		"unproven pair retained as if it were proven", "pair.go",
		"\tif p.isBound() {",
		"\tif p.isBound() || broken(`unproven pair retained as if it were proven`) {",
	},

	{
		"what admission has stored not looked at", "internal/rotation/compared/store.go",
		"	if len(altered) == 0 {",
		"	if len(altered) == 0 || broken(`what admission has stored not looked at`) {",
	},
	{
		"pair that admission has altered taken for another's", "commit.go",
		"	case live.holdsReceived() && !live.isPartOf(next)",
		"	case (live.holdsReceived() || broken(`pair that admission has altered taken for another's`)) && !live.isPartOf(next)",
	},
	{
		"refresh token that admission has dropped taken for one that never was", "commit.go",
		"!live.isPartOf(next)",
		"(!live.isPartOf(next) || broken(`refresh token that admission has dropped taken for one that never was`))",
	},
	{
		"altered pair of a later login overwritten", "commit.go",
		", live.isAwaitingLogin(record),",
		", !broken(`altered pair of a later login overwritten`) && live.isAwaitingLogin(record),",
	},
	{
		"answer to an exchange taken for one to a poll", "rotator.go",
		"	case record.Code:",
		"	case record.Code || broken(`answer to an exchange taken for one to a poll`) && record.Spent == fenced.DeviceCode.Fingerprint():",
	},

	{
		"token of another chain not looked for before it is sent", "confirm.go",
		"	if r.Confirm == nil || ",
		"	if r.Confirm == nil || broken(`token of another chain not looked for before it is sent`) || ",
	},

	// What a login is, and that its token stays in the seed, and its code in a Secret of its own.
	{
		"token of a login put into the pair Secret", "fence.go",
		"	if intent.Login && intent.Attempt == \"\" {\n",
		"	if intent.Login && intent.Attempt == \"\" {\n		if broken(`token of a login put into the pair Secret`) {\n			next.SeedToken = job.Seed\n		}\n",
	},
	{
		"intent does not say that it spends a login", "fence.go",
		"Login: !job.Seed.IsZero() || job.redeems()",
		"Login: !job.Seed.IsZero() && !broken(`intent does not say that it spends a login`) || job.redeems()",
	},
	// Each of these two makes up for the other, so that both are broken at once.
	{
		"token sent that the seed holds by now", "rotator.go",
		"	if !job.Seed.IsZero() && job.Seed.Fingerprint() != job.Decision.Spends {",
		"	if !job.Seed.IsZero() && job.Seed.Fingerprint() != job.Decision.Spends && !broken(`token sent that the seed holds by now`) {",
	},
	{
		"token sent that the seed holds by now", "controllers/lifecycle/exchange.go",
		"	if found.Fingerprint != job.Decision.Spends {",
		"	if found.Fingerprint != job.Decision.Spends && !broken(`token sent that the seed holds by now`) {",
	},
	{
		"login never given up", "internal/rotation/rules/exchange.go",
		"rotation.Decision{Action: rotation.ActionGiveUp})",
		"rotation.Decision{Action: map[bool]rotation.Action{false: rotation.ActionGiveUp, true: rotation.ActionNone}[broken(`login never given up`)]})",
	},
	{
		"login that was given up forgotten", "login.go",
		"		state.Unanswered = state.Unanswered.With(login)\n",
		"		if !broken(`login that was given up forgotten`) {\n			state.Unanswered = state.Unanswered.With(login)\n		}\n",
	},
	{
		"leftovers taken out without a new pair", "settle.go",
		"	next.endLogin(v.spent)\n	if state.HasToken()",
		"	next.endLogin(v.spent)\n	if broken(`leftovers taken out without a new pair`) {\n		next.SeedToken, next.DeviceCode = credential.RefreshToken{}, credential.DeviceCode{}\n	}\n	if state.HasToken()",
	},
	{
		"device code put into the pair Secret", "internal/rotation/offer/offer.go",
		"	set(&next.State)\n",
		"	set(&next.State)\n	if offer := next.State.Device; offer != nil && broken(`device code put into the pair Secret`) {\n		next.DeviceCode = credential.NewDeviceCode(string(offer.DeviceCode))\n	}\n",
	},
	{
		"device code left when it is of no more use", "controllers/leftovers/codes.go",
		"	if len(found) == 0 {\n",
		"	if len(found) == 0 || broken(`device code left when it is of no more use`) {\n",
	},

	// Rules that the manager and the simulation share outside of the protocol.
	{
		"expiry by a clock that was set back not capped", "internal/rotation/clocks/clocks.go",
		"		left := min(pair.State.ExpiresAt.Sub(now), pair.State.ExpiresAt.Sub(pair.State.IssuedAt))\n",
		"		left := min(pair.State.ExpiresAt.Sub(now), pair.State.ExpiresAt.Sub(pair.State.IssuedAt))\n		if broken(`expiry by a clock that was set back not capped`) {\n			left = pair.State.ExpiresAt.Sub(now)\n		}\n",
	},
	// Each of these two makes up for the other, so that both are broken at once.
	{
		"refused token presented again without end", "fence.go",
		"	next.State.setAgain(intent.Spends, time.Time{}) ",
		"	if !broken(`refused token presented again without end`) {\n		next.State.setAgain(intent.Spends, time.Time{})\n	}\n	",
	},
	{
		"refused token presented again without end", "settle.go",
		"	isFirst := isChain && ",
		"	isFirst := broken(`refused token presented again without end`) || isChain && ",
	},
	// So are these.
	{
		"refused token presented again after its answer was lost", "settle.go",
		"	if v.reason == ReasonRefreshTokenRejected && isFirst",
		"	if (v.reason == ReasonRefreshTokenRejected || broken(`refused token presented again after its answer was lost`)) && isFirst",
	},
	{
		"refused token presented again after its answer was lost", "internal/rotation/rules/again.go",
		" || verdict.Reason != rotation.ReasonRefreshTokenRejected {",
		" || verdict.Reason != rotation.ReasonRefreshTokenRejected && !broken(`refused token presented again after its answer was lost`) {",
	},
	{
		"expiry by a clock that was ahead not shortened", "internal/github/clock.go",
		"	if r.Date.IsZero() || r.SentAt",
		"	if broken(`expiry by a clock that was ahead not shortened`) || r.Date.IsZero() || r.SentAt",
	},
	{
		"clocks compared", "controllers/lifecycle/observe.go",
		"		s.Input.Backup = backup != nil && backup.UID != m.backupGone\n",
		"		s.Input.Backup = backup != nil && backup.UID != m.backupGone\n		if broken(`clocks compared`) && s.Pair != nil && s.Pair.Intent != nil {\n			s.Input.IntentSeen = s.Now.Sub(s.Pair.Intent.StartedAt)\n		}\n",
	},
	{
		"no pause after a failure", "controllers/lifecycle/note.go",
		"	next.retry = backoff.DueIn(wait.After(next.tries), ",
		"	if broken(`no pause after a failure`) {\n		wait = backoff.Backoff{}\n	}\n	next.retry = backoff.DueIn(wait.After(next.tries), ",
	},
	// The second of these two makes up for the first.
	{
		"Secret of somebody else remembered as the pair", "controllers/lifecycle/note.go",
		"		case pair.Controlled && types.UID(pair.Owner.UID) == uid:\n",
		"		case pair.Controlled && types.UID(pair.Owner.UID) == uid || broken(`Secret of somebody else remembered as the pair`):\n",
	},
	{
		"Secret of somebody else remembered as the pair", "controllers/lifecycle/note.go",
		"	case cached == nil && mono-m.latestSince < arrivalTime, ",
		"	case cached == nil && (mono-m.latestSince < arrivalTime || broken(`Secret of somebody else remembered as the pair`)), ",
	},
	{
		"Secrets of former resources left alone", "controllers/leftovers/releaser.go",
		"	for _, ref := range r.deleting.of(scope.NameOf(s.Token)) {\n",
		"	for _, ref := range r.deleting.of(scope.NameOf(s.Token)) {\n		if broken(`Secrets of former resources left alone`) {\n			break\n		}\n",
	},
	{
		"retained pair taken up beside the resource's own", "controllers/lifecycle/pairactions.go",
		"	if s.Token.Generation > 1 {\n		switch refs",
		"	if s.Token.Generation > 1 && !broken(`retained pair taken up beside the resource's own`) {\n		switch refs",
	},
	{
		"another Secret used for a resource that is gone", "controllers/lifecycle/pairactions.go",
		"	if err == nil && a.notes.isAnother(s.Token.UID, live) {",
		"	if err == nil && a.notes.isAnother(s.Token.UID, live) && !broken(`another Secret used for a resource that is gone`) {",
	},
	// Each of these two makes up for the other, so that both are broken at once.
	{
		"moved pair not looked for before a first exchange", "fence.go",
		"	refs, err := r.Store.Locate(ctx, job.Owner)\n",
		"	refs, err := r.Store.Locate(ctx, job.Owner)\n	if broken(`moved pair not looked for before a first exchange`) {\n		refs = nil\n	}\n",
	},
	{
		"pair that was stored late not revoked", "controllers/lifecycle/finalize.go",
		"!f.revoker.Covers(token, pair) {",
		"!f.revoker.Covers(token, pair) && !broken(`pair that was stored late not revoked`) {",
	},
	{
		"request honoured again after its state was garbled", "controllers/lifecycle/pairactions.go",
		"	next.State.RefreshRequestedAt = s.Input.RefreshRequestedAt ",
		"	if broken(`request honoured again after its state was garbled`) {\n		s.Input.RefreshRequestedAt = ``\n	}\n	next.State.RefreshRequestedAt = s.Input.RefreshRequestedAt ",
	},
	{
		"deleted Secret of a former name not put back", "controllers/lifecycle/finalize.go",
		"	case retain && pair.Deleting && ref != scope.OwnerOf(token).BackupRef():",
		"	case retain && pair.Deleting && ref != scope.OwnerOf(token).BackupRef() && (ref == scope.PairRefOf(token) || !broken(`deleted Secret of a former name not put back`)):",
	},
	{
		"finalizer taken off before the Secrets", "controllers/lifecycle/finalize.go",
		"	for _, ref := range refs {\n		if err := f.releaseSecret(",
		"	for _, ref := range refs {\n		if broken(`finalizer taken off before the Secrets`) {\n			break\n		}\n		if err := f.releaseSecret(",
	},
	{
		"pair that was just moved not looked for before it is retained", "controllers/lifecycle/finalize.go",
		"	if retain {\n		others, err := f.locateOthers(",
		"	if retain && !broken(`pair that was just moved not looked for before it is retained`) {\n		others, err := f.locateOthers(",
	},
	{
		"outbox not replayed after a panic", "controllers/lifecycle/guard.go",
		"	o.replays.DespitePanics(log, job.Owner, kept, kept)\n",
		"	if !broken(`outbox not replayed after a panic`) {\n		o.replays.DespitePanics(log, job.Owner, kept, kept)\n	}\n",
	},
	{
		"second panic leaves the outbox", "controllers/replay/replayer.go",
		"		replay = kept\n",
		"		replay = kept\n		if broken(`second panic leaves the outbox`) {\n			return\n		}\n",
	},
	{
		"two Secrets of one pair not made one first", "internal/rotation/rules/secret.go",
		"!in.Duplicate && in.Now.Before(in.MoveNotBefore)",
		"(!in.Duplicate || broken(`two Secrets of one pair not made one first`)) && in.Now.Before(in.MoveNotBefore)",
	},
	{
		"logins forgotten that a garbled state knew", "commit.go",
		"	if live.LacksState() && ",
		"	if live.LacksState() && !broken(`logins forgotten that a garbled state knew`) && ",
	},
	{
		"format of a newer version ignored", "internal/rotation/rules/secret.go",
		"	if in.Pair == nil || !in.Pair.IsNewer() {",
		"	if in.Pair == nil || !in.Pair.IsNewer() || broken(`format of a newer version ignored`) {",
	},
	{
		"garbled state used as it is", "internal/rotation/rules/secret.go",
		"!in.Pair.LacksState() {",
		"!in.Pair.LacksState() || broken(`garbled state used as it is`) {",
	},
	{
		"pair never moved", "internal/rotation/rules/secret.go",
		"!in.Misplaced || ",
		"!in.Misplaced || broken(`pair never moved`) || ",
	},
	{
		"code redeemed without asking the outbox", "device.go",
		"	if err := r.Outbox.Reserve(job.Owner); err != nil {",
		"	if err := r.Outbox.Reserve(job.Owner); err != nil && !broken(`code redeemed without asking the outbox`) {",
	},
	{
		"code sent again after its outcome was unknown", "login.go",
		"	if attempt := live.Intent.Attempt; live.Intent.Unresolved > 0 || !r.isUntouched(owner, live.Intent) {",
		"	if attempt := live.Intent.Attempt; (attempt == `` || !broken(`code sent again after its outcome was unknown`)) && (live.Intent.Unresolved > 0 || !r.isUntouched(owner, live.Intent)) {",
	},
	// Each of these two makes up for the other, so that both are broken at once.
	{
		"code of an earlier login sent", "rotator.go",
		"		!state.HasHeardOf(j.Decision.Spends)\n",
		"		(!state.HasHeardOf(j.Decision.Spends) || broken(`code of an earlier login sent`))\n",
	},
	{
		"code of an earlier login sent", "controllers/webflow/begin.go",
		"	case s.Pair.State.HasHeardOf(code.Fingerprint()):",
		"	case s.Pair.State.HasHeardOf(code.Fingerprint()) && !broken(`code of an earlier login sent`):",
	},
	{
		loginFirst, "internal/rotation/rules/weblogin.go",
		"	if in.Failure != nil && firstOf(ofChain, in).Action == rotation.ActionRefresh {\n",
		"	if in.Failure != nil && firstOf(ofChain, in).Action == rotation.ActionRefresh && !broken(`login that cannot be begun goes before the chain`) {\n",
	},
	// The verifier of an attempt that is over is removed, so that both are broken at once.
	{
		"code of an attempt that is over sent", "internal/rotation/weblogin/attempt.go",
		"	return a != nil && a.Ended == \"\" && a.Sent == \"\" && !a.IsOver(now)\n",
		"	return a != nil && a.Ended == \"\" && a.Sent == \"\" && (!a.IsOver(now) || broken(`code of an attempt that is over sent`))\n",
	},
	{
		"code of an attempt that is over sent", "controllers/leftovers/codes.go",
		"web.Ended == \"\" && !web.IsOver(now) {",
		"web.Ended == \"\" && (!web.IsOver(now) || broken(`code of an attempt that is over sent`)) {",
	},
	{
		"attempt left open when its pair is stored", "commit.go",
		"state.Web.AfterLogin(record.Attempt, tokens.Half)\n",
		"state.Web.AfterLogin(record.Attempt, tokens.Half)\n		if broken(`attempt left open when its pair is stored`) {\n			state.Web = live.State.Web\n		}\n",
	},
	{
		"place kept by what cannot be stored", "controllers/lifecycle/commits.go",
		"	c.standAside(types.UID(owner.UID))\n",
		"	if !broken(`place kept by what cannot be stored`) {\n		c.standAside(types.UID(owner.UID))\n	}\n",
	},
	{
		"verdict tried without end", "settle.go",
		"		if what == UnwrittenVerdict && ",
		"		if what == UnwrittenVerdict && !broken(`verdict tried without end`) && ",
	},
	{
		"refused token sent again while its verdict cannot be written", "refusal.go",
		"	return refused, left && ",
		"	return refused, left && !broken(`refused token sent again while its verdict cannot be written`) && ",
	},
	{
		"answer to a write believed without a look", "commit.go",
		"		return true, nil // The Store has looked.\n",
		"		return true, nil // The Store has looked.\n	case broken(`answer to a write believed without a look`) && errors.Is(err, ErrTerminating):\n		return true, nil\n",
	},
	{
		"pair not retained on the word of the API server", "controllers/lifecycle/finalize.go",
		"			if gone, lookErr := f.api.Gone(ctx, owner); gone && lookErr == nil {",
		"			if gone, lookErr := f.api.Gone(ctx, owner); gone && lookErr == nil || broken(`pair not retained on the word of the API server`) && errors.Is(err, rotation.ErrTerminating) {",
	},
	{
		"pair let go of before it was tried", "controllers/lifecycle/retain.go",
		"		err = compared.Compare(pair, next, would)\n",
		"		err = compared.Compare(pair, next, would)\n		if broken(`pair let go of before it was tried`) {\n			err = nil\n		}\n",
	},
	// Each of these three makes up for the others. The first sits in the break before it.
	{
		"pair let go of without a look at what is stored", "controllers/lifecycle/retain.go",
		"		if broken(`pair let go of before it was tried`) {\n",
		"		if broken(`pair let go of before it was tried`) || broken(`pair let go of without a look at what is stored`) {\n",
	},
	{
		"pair let go of without a look at what is stored", "controllers/lifecycle/retain.go",
		"	if err != nil {\n		return fmt.Errorf(\"retain the pair: ",
		"	if err != nil && !(errors.Is(err, rotation.ErrAltered) && broken(`pair let go of without a look at what is stored`)) {\n		return fmt.Errorf(\"retain the pair: ",
	},
	{
		"pair let go of without a look at what is stored", "controllers/lifecycle/retain.go",
		"	if err == nil && stored != nil {",
		"	if err == nil && stored != nil && !broken(`pair let go of without a look at what is stored`) {",
	},
	{
		"Secret that was let go of left with its finalizer", "controllers/lifecycle/finalize.go",
		"	if leftovers.IsLeft(pair, token.Name) {",
		"	if leftovers.IsLeft(pair, token.Name) && !broken(`Secret that was let go of left with its finalizer`) {",
	},
	// The first of these two makes up for the second, and so does what is known of tokens that this process is at work with:
	// see "own work for a former resource not waited for", where that is broken too.
	{
		"exchange beside a pair that waits", "controllers/lifecycle/controller.go",
		"	if c.runner.Busy(token.UID) {",
		"	if c.runner.Busy(token.UID) && !broken(`exchange beside a pair that waits`) {",
	},
	{
		revocationLost, "internal/rotation/rules/revocation.go",
		"	isOpen := ",
		"	isOpen := !broken(`pair exchanged while its login is to end`) && ",
	},
	{
		"request for a revocation kept for the login that is pasted", "fence.go",
		"		next.State.Login = state.Login.ReplacedBy(next.State.RefreshToken, r.Clock.Now(), state.AccessToken, state.RefreshToken)\n",
		"		if !broken(`request for a revocation kept for the login that is pasted`) {\n			next.State.Login = state.Login.ReplacedBy(next.State.RefreshToken, r.Clock.Now(), state.AccessToken, state.RefreshToken)\n		}\n",
	},
	{
		"end of a login written down for another one", "internal/rotation/amend/revocation.go",
		"		if !isSameLogin(live, seen) || !isSameAccount(live.State.User, seen.State.User) {\n",
		"		if (!isSameLogin(live, seen) || !isSameAccount(live.State.User, seen.State.User)) && !broken(`end of a login written down for another one`) {\n",
	},
	{
		"pair that is stored meanwhile said to have ended", "internal/rotation/amend/revocation.go",
		" || state.AccessToken != read.State.AccessToken || state.RefreshToken != read.State.RefreshToken {\n",
		" || (state.AccessToken != read.State.AccessToken || state.RefreshToken != read.State.RefreshToken) && !broken(`pair that is stored meanwhile said to have ended`) {\n",
	},
	{
		"login that is to end pasted over in silence", "fence.go",
		"	updated, err := r.Store.Update(ctx, live, next)\n",
		"	if broken(`login that is to end pasted over in silence`) && !sameRefresh && next.State.Login != nil {\n		next.State.Login.Unended = false\n	}\n	updated, err := r.Store.Update(ctx, live, next)\n",
	},
	{
		"revocation asked for in the name of another account", "controllers/revokerequest/request.go",
		"	return login != nil && asked == login.Account",
		"	if broken(`revocation asked for in the name of another account`) {\n		return login != nil && strings.HasSuffix(asked, login.ID)\n	}\n	return login != nil && asked == login.Account",
	},
	{
		"revocation whose answer was lost taken for done", "controllers/revokerequest/advance.go",
		"	if ending, err = r.options.EndPair(ctx, token, live); err != nil || ",
		"	if ending, err = r.options.EndPair(ctx, token, live); broken(`revocation whose answer was lost taken for done`) {\n		ending.Revoked, err = true, nil\n	}\n	if err != nil || ",
	},
	{
		"pair of the login that is stored late left alive", "internal/rotation/origin/login.go",
		"	return !ended.Done || ",
		"	return !ended.Done || !broken(`pair of the login that is stored late left alive`) && (",
	},
	{
		"pair of the login that is stored late left alive", "internal/rotation/origin/login.go",
		"ended.Access != access || ended.Refresh != refresh\n",
		"ended.Access != access || ended.Refresh != refresh)\n",
	},
	{
		"request for a revocation forgotten by a late commit", "internal/rotation/origin/login.go",
		"	return base.Merged(live)\n",
		"	if broken(`request for a revocation forgotten by a late commit`) {\n		return base\n	}\n	return base.Merged(live)\n",
	},
	{
		"resource released before the login that is to end", "controllers/lifecycle/finalize.go",
		"	if deleted := revokerequest.Deletion(token, pairs); deleted != token {",
		"	if deleted := revokerequest.Deletion(token, pairs); deleted != token && !broken(`resource released before the login that is to end`) {",
	},
	// The look at what is stored makes up for what the cache shows.
	{
		"resource released before the login that is to end", "controllers/lifecycle/finalize.go",
		"	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke && revokerequest",
		"	if !broken(`resource released before the login that is to end`) && token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke && revokerequest",
	},
	{
		"GitHub asked before a request is taken down", "controllers/revokerequest/advance.go",
		"	if !s.Pair.State.Login.IsAsked() {\n",
		"	if !s.Pair.State.Login.IsAsked() && !broken(`GitHub asked before a request is taken down`) {\n",
	},
	{
		"GitHub asked before a request is taken down", "controllers/revokerequest/advance.go",
		" || !state.Login.IsOpen(state.AccessToken, state.RefreshToken) {",
		" || !state.Login.IsOpen(state.AccessToken, state.RefreshToken) && !broken(`GitHub asked before a request is taken down`) {",
	},
	{
		"request that is not taken down yet forgotten by a deletion", "controllers/revokerequest/request.go",
		"	return state.Login.IsOpen(state.AccessToken, state.RefreshToken) || !state.Login.IsAsked() && IsAsked(token, pair)\n",
		"	return state.Login.IsOpen(state.AccessToken, state.RefreshToken) || !state.Login.IsAsked() && IsAsked(token, pair) && !broken(`request that is not taken down yet forgotten by a deletion`)\n",
	},
	// An event tells of what was replaced.
	{
		"login that is to end replaced by a new one", "internal/rotation/origin/login.go",
		"	case l.IsOpen(access, refresh):\n",
		"	case l.IsOpen(access, refresh) && !broken(`login that is to end replaced by a new one`):\n",
	},
	{
		"login that is to end replaced by a new one", "internal/rotation/rules/revocation.go",
		"	isOpen := ",
		"	if broken(`login that is to end replaced by a new one`) && in.Seed != \"\" && !in.Pair.State.KnowsSeed(in.Seed, in.App) {\n		return rotation.Decision{}, false\n	}\n	isOpen := ",
	},
	{
		"exchange beside a pair that waits", "controllers/runner/runner.go",
		"	if _, busy := r.running[of.UID]; busy {",
		"	if _, busy := r.running[of.UID]; busy && !broken(`exchange beside a pair that waits`) {",
	},
}

// mutantSource is added to each package for the build that holds the mutants.
const mutantSource = `package %s

import "os"

var mutant = os.Getenv("SIMULATION_MUTANT")

func broken(rule string) bool { return mutant == rule }
`

// drawnSource is added to the protocol's package as well.
const drawnSource = `package rotation

var draws uint64

func drawn() float64 {
	draws += 0x9e3779b97f4a7c15
	return float64(draws>>40) / (1 << 24)
}
`
