// Package fairqueue is a work queue for a controller in which namespaces take turns: one that has ten thousand
// resources looked at again and again keeps nobody else waiting for longer than one of them takes.
//
// It is client-go's work queue, which sees to it that an item is worked on once at a time and is not lost, with
// another order and a limit:
//
//   - Whose turn at a limit has come goes first, for it is kept for seconds only; what is urgent goes before what is not,
//     and what a start or a resync brings goes last. But each has its share of the turns, so that nothing waits for ever.
//   - Among what is equally urgent namespaces take turns, each with what has been due for longest, or has waited longest.
//   - A namespace has only so many of the workers at once that some are left to the others, see package fair.
package fairqueue
