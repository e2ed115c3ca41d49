//! The reservation's core under every order of threads: `scripts/test model`.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use sabir_core::chat::ChatRequest;
use sabir_core::{Call, Request};
use sabir_store::{Memory, Store};

use super::hold::Hold;
use super::purse::{Fund, Purse};
use super::{Budget, Usd, Window};

const NOW: Duration = Duration::from_secs(1_000);
const MOST: u64 = 100;

fn purse(window: Window) -> Arc<Purse> {
    let fund = Fund::new(Budget::per(window, Usd(MOST)), 0, "");
    let (call, request) = (Call::to("p"), Request::Chat(ChatRequest::new("m")));
    fund.purse(&call, &request, NOW).expect("room").expect("a purse")
}

/// Nothing in memory waits.
fn take(hold: &mut Hold, amounts: &[u64]) -> bool {
    let mut taking = std::pin::pin!(hold.take(|at| amounts[at], NOW));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match taking.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(taken) => taken.expect("room").is_ok(),
        std::task::Poll::Pending => unreachable!("it is in memory"),
    }
}

fn used(store: &Arc<dyn Store>, purse: &Purse) -> u64 {
    store.used(&purse.level, NOW).now().expect("here").expect("a number")
}

/// Three calls of two purses, of which one is settled, one is dropped and one is topped up: at no time is more taken than
/// there is, what is spent never looks like more than it is, and in the end nothing is held.
fn walk(window: fn() -> Window) {
    loom::model(move || {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let purses = [purse(window()), purse(Window::month())];
        let call = |end: fn(&mut Hold) -> u64| {
            let (store, purses) = (store.clone(), purses.clone());
            thread::spawn(move || {
                let mut hold = Hold::new(store.clone(), purses.to_vec().into());
                if !take(&mut hold, &[60, 60]) {
                    return 0;
                }
                assert!(used(&store, &purses[0]) <= MOST);
                let spent = end(&mut hold);
                drop(hold);
                spent
            })
        };
        let settled = call(|hold| {
            hold.settle(|_| 30, NOW);
            30
        });
        let dropped = call(|_| 60);
        let (level, seen) = (store.clone(), purses[0].clone());
        let watched = thread::spawn(move || {
            // In this order: what is given back meanwhile is no longer used when it is no longer reserved.
            let used = used(&level, &seen);
            let spent = used.saturating_sub(seen.reserved());
            assert!(used <= MOST && spent <= 90, "{used} used, {spent} spent");
        });
        watched.join().expect("a thread");
        let spent = settled.join().expect("a thread") + dropped.join().expect("a thread");
        for purse in &purses {
            assert_eq!((used(&store, purse), purse.reserved()), (spent, 0));
        }
        // What is left can be had, and no more.
        let mut last = Hold::new(store.clone(), purses.to_vec().into());
        assert!(!take(&mut last, &[MOST - spent + 1, 1]));
        assert!(take(&mut last, &[MOST - spent, 1]));
        last.settle(|_| 0, NOW);
        assert_eq!(purses[0].reserved(), 0);
    });
}

#[test]
fn a_calendars_window_holds_in_every_order() {
    walk(Window::day);
}

#[test]
fn a_sliding_window_holds_in_every_order() {
    walk(|| Window::rolling(Duration::from_secs(60)));
}

/// A hold that is topped up while another one takes.
#[test]
fn a_top_up_is_a_take_like_any_other() {
    loom::model(|| {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let purses: Arc<[_]> = [purse(Window::day())].into();
        let (here, there) = (store.clone(), purses.clone());
        let other = thread::spawn(move || {
            let mut hold = Hold::new(here, there);
            let taken = take(&mut hold, &[70]);
            hold.settle(|_| 0, NOW);
            taken
        });
        let mut hold = Hold::new(store.clone(), purses.clone());
        let first = take(&mut hold, &[30]);
        let mut more = Hold::new(store.clone(), purses.clone());
        let topped = take(&mut more, &[40]);
        assert!(used(&store, &purses[0]) <= MOST);
        if topped {
            hold.absorb(more);
        } else {
            drop(more);
        }
        let spent = 25 * u64::from(first);
        hold.settle(|_| spent, NOW);
        other.join().expect("a thread");
        assert!(first, "there was always room for it");
        assert_eq!((used(&store, &purses[0]), purses[0].reserved()), (25, 0));
    });
}
