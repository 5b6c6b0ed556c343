// Package processmetrics tells of this process in metrics: of its requests to GitHub, its limits, its outbox and the work
// under way. Whatever tenants choose labels none of it but a bounded number of Apps that GitHub knows.
package processmetrics
