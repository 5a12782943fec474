//! The one clock of a thread: four times a second it looks at everything that may be late.
//!
//! A connection and a request each say in [`Watched::look`] what they wait for and how long is too long. So no request
//! sets, moves or clears a timer; what it costs is a number it notes down. Rejected: a timer of the runtime for each limit,
//! of which a request would need five.

use std::cell::{Cell, RefCell};
use std::rc::Weak;
use std::task::{Context, Waker};
use std::time::Duration;

/// How often it looks.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Looks since the thread began.
pub(super) type Tick = u64;

/// How many looks a time stands for: rounded up, and one more, so that nothing is cut too early.
pub(super) fn ticks(time: Duration) -> Tick {
    time.as_millis().div_ceil(TICK.as_millis()) as Tick + 1
}

/// What may be late.
pub(super) trait Watched {
    /// Called at every tick.
    fn look(&self, now: Tick);

    /// For how many ticks it has been idle, if it is something that could make room for another.
    fn idle_for(&self) -> Option<Tick> {
        None
    }

    /// Makes room.
    fn make_room(&self) {}
}

/// All that is watched on a thread.
#[derive(Default)]
pub(super) struct Watch {
    now: Cell<Tick>,
    seats: RefCell<Vec<Option<Weak<dyn Watched>>>>,
    free: RefCell<Vec<usize>>,
}

impl Watch {
    /// The tick it is now.
    pub(super) fn now(&self) -> Tick {
        self.now.get()
    }

    /// Takes something under watch; [`Watch::leave`] has to be called with the seat when it goes.
    pub(super) fn enter(&self, watched: Weak<dyn Watched>) -> usize {
        let mut seats = self.seats.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(seat) => {
                seats[seat] = Some(watched);
                seat
            }
            None => {
                seats.push(Some(watched));
                seats.len() - 1
            }
        }
    }

    /// Frees a seat.
    pub(super) fn leave(&self, seat: usize) {
        if let Some(place) = self.seats.borrow_mut().get_mut(seat)
            && place.take().is_some()
        {
            self.free.borrow_mut().push(seat);
        }
    }

    /// Has whoever has been idle longest make room; false if nobody is idle.
    pub(super) fn make_room(&self) -> bool {
        let seated: Vec<_> = self.seats.borrow().iter().flatten().filter_map(Weak::upgrade).collect();
        let idle = seated.iter().filter_map(|watched| Some((watched.idle_for()?, watched)));
        let longest = idle.max_by_key(|(ticks, _)| *ticks);
        longest.map(|(_, watched)| watched.make_room()).is_some()
    }

    /// Looks at everything once. What is looked at may come and go meanwhile.
    pub(super) fn tick(&self) {
        let now = self.now.get() + 1;
        self.now.set(now);
        let mut seat = 0;
        while let Some(watched) = self.seats.borrow().get(seat).map(|place| place.as_ref().and_then(Weak::upgrade)) {
            if let Some(watched) = watched {
                watched.look(now);
            }
            seat += 1;
        }
    }
}

/// Wakes whoever waited last.
#[derive(Default)]
pub(super) struct Bell(Cell<Option<Waker>>);

impl Bell {
    /// Remembers who waits.
    pub(super) fn wait(&self, context: &Context<'_>) {
        let waker = match self.0.take() {
            Some(waker) if waker.will_wake(context.waker()) => waker,
            _ => context.waker().clone(),
        };
        self.0.set(Some(waker));
    }

    /// Wakes.
    pub(super) fn ring(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    struct Looked(Cell<Tick>);

    impl Watched for Looked {
        fn look(&self, now: Tick) {
            self.0.set(now);
        }
    }

    #[test]
    fn what_is_watched_is_looked_at_until_it_leaves() {
        let watch = Watch::default();
        let watched: Vec<_> = (0..3).map(|_| Rc::new(Looked(Cell::default()))).collect();
        let weak = |at: usize| -> Weak<dyn Watched> { Rc::downgrade(&(Rc::clone(&watched[at]) as Rc<dyn Watched>)) };
        let seats: Vec<_> = (0..3).map(|at| watch.enter(weak(at))).collect();
        watch.tick();
        watch.leave(seats[1]);
        watch.leave(seats[1]);
        watch.tick();
        let seen: Vec<_> = watched.iter().map(|looked| looked.0.get()).collect();
        assert_eq!(seen, [2, 1, 2]);
        assert_eq!(watch.enter(weak(1)), seats[1]);
        assert_eq!(watch.enter(weak(1)), 3);
    }

    #[test]
    fn a_limit_is_never_cut_short() {
        assert_eq!((ticks(TICK), ticks(Duration::from_millis(1)), ticks(Duration::from_millis(251))), (2, 2, 3));
    }
}
