// Package handoff notifies workloads of new tokens, for the resources whose spec.handoff asks for it. Pods that
// mount the pair or an output get an annotation, whose change makes the kubelet refresh their volumes at once.
// Workloads that read the token as an environment variable are restarted by an annotation of their pod
// template. A newcomer who wants another kind of workload restarted begins in kinds.go.
//
// HandOver follows the outputs of a rotation, in the same work. Sync, at the end of every reconcile, completes
// what a crash, a lack of permission or a passing failure has left undone.
//
// The contract:
//   - The value of both annotations is an announcement: it names the token, and the outputs that do not hold it
//     yet. To announce the same thing twice changes nothing, so a crash needs no memory to be made up for.
//   - A workload that reads an output which was late is notified again when that output is written at last.
//   - The first token of a resource restarts nothing, and neither does a handoff that was just asked for.
//   - Nothing here holds up an exchange. Each handoff ends after ten seconds; what was not done by then is tried
//     again, later each time. All problems are Aside.
//   - A lack of permission shows when a handoff is asked for, not hours later when a workload needs it.
//   - An error's text never holds a token, whatever an admission policy quotes.
//   - What is remembered of a resource is in one memory.Slot. Nothing in it is needed for safety.
//
// A Handoff is made only when the operator was started with --enable-handoff, as it needs a cache of pods and
// permissions of its own. A nil *Handoff reports HandoffDisabled where a handoff is asked for. The package uses
// controller-runtime, so the simulation does not run it.
package handoff
