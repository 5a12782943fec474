//! Which connections of a thread are waiting, for what, and since when.
//!
//! For each thing to wait for there is one time limit, so a queue in order of arrival is in order of expiry too: who
//! has waited too long stands at the head. Every step costs the same however many connections there are.
//!
//! A seat holds the connection itself, or what ends the task that has it: whoever keeps seats decides.
//!
//! Rejected: a timer for each connection, which costs more than a query to set; a walk over all of them.

use tokio::task::AbortHandle;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The next query: it is idle.
    Query,
    /// The rest of a query, or the first one.
    Message,
    /// The client, which does not read its replies.
    Reader,
}

const KINDS: usize = 3;
/// No seat: the end of a queue.
const NONE: u32 = u32::MAX;

/// The waiting connections of one thread. Times are in microseconds.
pub(super) struct Seats<C> {
    seats: Vec<Seat<C>>,
    free: Vec<u32>,
    queues: [Queue; KINDS],
    held: usize,
}

struct Seat<C> {
    connection: Option<C>,
    since: u64,
    waiting: Option<Waiting>,
    before: u32,
    behind: u32,
    /// Octets that the connection keeps in memory.
    held: usize,
}

struct Queue {
    head: u32,
    tail: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl<C> Default for Seats<C> {
    fn default() -> Self {
        Self { seats: Vec::new(), free: Vec::new(), queues: Default::default(), held: 0 }
    }
}

impl<C> Seats<C> {
    /// A seat for a connection that waits for its first query.
    pub(super) fn take(&mut self, now: u64) -> u32 {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat { connection: None, since: 0, waiting: None, before: NONE, behind: NONE, held: 0 });
            (self.seats.len() - 1) as u32
        });
        self.wait(seat, Waiting::Message, now, true);
        seat
    }

    /// Says whose seat it is.
    pub(super) fn occupy(&mut self, seat: u32, connection: C) {
        self.seats[seat as usize].connection = Some(connection);
    }

    /// Whose seat it is, if it is taken.
    #[inline]
    pub(super) fn connection(&mut self, seat: u32) -> Option<&mut C> {
        self.seats.get_mut(seat as usize)?.connection.as_mut()
    }

    /// The connection is over, and its seat is free.
    pub(super) fn leave(&mut self, seat: u32) -> Option<C> {
        self.unlink(seat);
        self.hold(seat, 0);
        self.free.push(seat);
        self.seats[seat as usize].connection.take()
    }

    /// The connection waits for something: since now if that is something else or something new, and as before if not.
    pub(super) fn wait(&mut self, seat: u32, waiting: Waiting, now: u64, anew: bool) {
        if !anew && self.seats[seat as usize].waiting == Some(waiting) {
            return;
        }
        self.unlink(seat);
        let queue = &mut self.queues[waiting as usize];
        let before = std::mem::replace(&mut queue.tail, seat);
        if before == NONE {
            queue.head = seat;
        } else {
            self.seats[before as usize].behind = seat;
        }
        let seat = &mut self.seats[seat as usize];
        (seat.since, seat.waiting, seat.before, seat.behind) = (now, Some(waiting), before, NONE);
    }

    /// The connection keeps this many octets in memory while it waits.
    pub(super) fn hold(&mut self, seat: u32, octets: usize) {
        let held = std::mem::replace(&mut self.seats[seat as usize].held, octets);
        self.held = self.held - held + octets;
    }

    /// Octets that all connections keep in memory.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The connection that has waited longest for one of these things.
    pub(super) fn longest(&self, kinds: &[Waiting]) -> Option<u32> {
        let heads = kinds.iter().map(|kind| self.queues[*kind as usize].head).filter(|head| *head != NONE);
        heads.min_by_key(|head| self.seats[*head as usize].since)
    }

    /// The one that has waited longest for something, if it has since before this moment.
    pub(super) fn overdue(&self, waiting: Waiting, moment: u64) -> Option<u32> {
        self.longest(&[waiting]).filter(|seat| self.seats[*seat as usize].since < moment)
    }

    /// Whether there is no connection at all.
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.seats.len()
    }

    fn unlink(&mut self, seat: u32) {
        let Some(waiting) = self.seats[seat as usize].waiting.take() else { return };
        let Seat { before, behind, .. } = self.seats[seat as usize];
        if before == NONE {
            self.queues[waiting as usize].head = behind;
        } else {
            self.seats[before as usize].behind = behind;
        }
        if behind == NONE {
            self.queues[waiting as usize].tail = before;
        } else {
            self.seats[behind as usize].before = before;
        }
    }
}

impl Seats<AbortHandle> {
    /// Ends the connection that has waited longest for one of these things; false if none is waiting.
    pub(super) fn end_longest(&mut self, kinds: &[Waiting]) -> bool {
        let longest = self.longest(kinds);
        longest.into_iter().for_each(|seat| self.end(seat));
        longest.is_some()
    }

    /// Ends the connections that have waited for something since before this moment; how many.
    pub(super) fn end_before(&mut self, waiting: Waiting, moment: u64) -> u64 {
        let mut ended = 0;
        while let Some(seat) = self.overdue(waiting, moment) {
            self.end(seat);
            ended += 1;
        }
        ended
    }

    /// The connection stands in no queue from now on, and its seat is free when its task has ended.
    fn end(&mut self, seat: u32) {
        self.unlink(seat);
        self.hold(seat, 0);
        if let Some(task) = self.connection(seat) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(seats: &Seats<AbortHandle>, waiting: Waiting) -> Vec<u32> {
        let queue = &seats.queues[waiting as usize];
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        let mut at = queue.head;
        while at != NONE {
            forward.push(at);
            at = seats.seats[at as usize].behind;
        }
        at = queue.tail;
        while at != NONE {
            backward.push(at);
            at = seats.seats[at as usize].before;
        }
        backward.reverse();
        assert_eq!(forward, backward);
        forward
    }

    #[test]
    fn queues_are_in_order_of_arrival() {
        let mut seats = Seats::default();
        let all: Vec<u32> = (0..4).map(|now| seats.take(now)).collect();
        assert_eq!(queue(&seats, Waiting::Message), all);
        seats.wait(1, Waiting::Message, 10, false);
        assert_eq!(queue(&seats, Waiting::Message), [0, 1, 2, 3], "more of the same message changes nothing");
        seats.wait(1, Waiting::Message, 10, true);
        assert_eq!(queue(&seats, Waiting::Message), [0, 2, 3, 1], "a new message does");
        seats.wait(2, Waiting::Query, 11, true);
        seats.wait(0, Waiting::Query, 12, true);
        seats.wait(2, Waiting::Query, 13, true);
        assert_eq!((queue(&seats, Waiting::Message), queue(&seats, Waiting::Query)), (vec![3, 1], vec![0, 2]));
        seats.leave(3);
        seats.leave(2);
        assert_eq!((queue(&seats, Waiting::Message), queue(&seats, Waiting::Query)), (vec![1], vec![0]));
        assert_eq!((seats.take(20), seats.take(20), seats.take(20)), (2, 3, 4), "seats are used again");
        (0..5).for_each(|seat| _ = seats.leave(seat));
        assert!(seats.is_empty());
    }

    #[test]
    fn whoever_waited_longest_goes_first() {
        let mut seats = Seats::default();
        (0..6).for_each(|now| _ = seats.take(now));
        seats.wait(4, Waiting::Query, 10, true);
        seats.wait(0, Waiting::Query, 11, true);
        seats.wait(5, Waiting::Reader, 12, true);
        assert_eq!(seats.end_before(Waiting::Message, 2), 1);
        assert_eq!(queue(&seats, Waiting::Message), [2, 3]);
        assert!(seats.end_longest(&[Waiting::Query, Waiting::Message]));
        assert_eq!(queue(&seats, Waiting::Message), [3]);
        assert!(seats.end_longest(&[Waiting::Query, Waiting::Reader]));
        assert_eq!(queue(&seats, Waiting::Query), [0]);
        assert_eq!(seats.end_before(Waiting::Query, 12) + seats.end_before(Waiting::Message, 99), 2);
        assert!(!seats.end_longest(&[Waiting::Query, Waiting::Message]));
        assert!(!seats.is_empty(), "a seat is free when its connection is really over");
    }

    #[test]
    fn held_octets_are_counted_once() {
        let mut seats = Seats::default();
        (0..3).for_each(|now| _ = seats.take(now));
        (0..3).for_each(|seat| seats.hold(seat, 100));
        seats.hold(1, 50);
        assert_eq!(seats.held(), 250);
        assert!(seats.end_longest(&[Waiting::Message]));
        assert_eq!(seats.held(), 150);
        (0..3).for_each(|seat| _ = seats.leave(seat));
        assert_eq!(seats.held(), 0);
    }
}
