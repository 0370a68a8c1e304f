//! When keys are fetched, and how long they are believed.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use kalamdb_store::ManualClock;

use super::*;
use crate::outside::fixtures::{GivenKeys, NOW, Pair};

struct Fixture {
    source: Arc<GivenKeys>,
    cache: KeyCache,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        let source = Arc::new(GivenKeys::of(&[Pair::P256.published("one")]));
        let options = KeyOptions { min_refresh_secs: 30, max_stale_secs: 3_600 };
        let cache = KeyCache::new(Arc::new(Arc::clone(&source)), options);
        Fixture { source, cache, clock: Arc::new(ManualClock::new(NOW)) }
    }

    fn knows(&self, name: &str) -> bool {
        self.cache.keys(self.clock.now_micros()).find(Some(name), Algorithm::ES256).is_some()
    }

    fn as_clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    async fn look_again(&self) {
        self.cache.look_again(&self.as_clock()).await;
    }

    async fn upkeep_after(&self, secs: i64) {
        self.clock.advance_secs(secs);
        self.cache.upkeep(&self.as_clock()).await;
    }
}

#[tokio::test]
async fn keys_are_fetched_at_first_and_then_once_per_interval() {
    let fixture = Fixture::new();
    assert!(!fixture.knows("one"));
    for _ in 0..3 {
        fixture.upkeep_after(0).await;
    }
    assert!(fixture.knows("one"));
    assert_eq!(fixture.source.times_asked(), 1);
    fixture.upkeep_after(299).await;
    assert_eq!(fixture.source.times_asked(), 1);
    fixture.upkeep_after(1).await;
    assert_eq!(fixture.source.times_asked(), 2);
}

#[tokio::test]
async fn s06_an_unknown_key_is_looked_for_at_most_every_so_often() {
    let fixture = Fixture::new();
    fixture.upkeep_after(0).await;
    fixture.source.give(&[Pair::P256.published("one"), Pair::P256.published("two")]);
    for _ in 0..100 {
        fixture.look_again().await;
    }
    assert_eq!(fixture.source.times_asked(), 1, "it was asked just now");
    fixture.clock.advance_secs(30);
    for _ in 0..100 {
        fixture.look_again().await;
    }
    assert_eq!(fixture.source.times_asked(), 2);
    assert!(fixture.knows("one") && fixture.knows("two"));
}

#[tokio::test]
async fn s06_a_key_that_was_taken_out_of_the_set_is_believed_no_more() {
    let fixture = Fixture::new();
    fixture.upkeep_after(0).await;
    fixture.source.give(&[Pair::P256.published("two")]);
    fixture.upkeep_after(300).await;
    assert!(!fixture.knows("one") && fixture.knows("two"));
    fixture.source.give(&[]);
    fixture.upkeep_after(300).await;
    assert!(!fixture.knows("two"), "an empty set says that there are none");
}

#[tokio::test]
async fn s06_while_the_source_gives_none_the_keys_stay_but_not_for_ever() {
    let fixture = Fixture::new();
    fixture.upkeep_after(0).await;
    let huge = vec![b' '; KEY_SET_BYTES_MAX + 1];
    for garbage in [None, Some(b"<html>".to_vec()), Some(Vec::new()), Some(huge)] {
        match garbage {
            None => fixture.source.take_away(),
            Some(bytes) => fixture.source.give_bytes(bytes),
        }
        fixture.upkeep_after(300).await;
        assert!(fixture.knows("one"));
    }
    fixture.upkeep_after(3_600 - 4 * 300).await;
    assert!(fixture.knows("one"));
    fixture.upkeep_after(1).await;
    assert!(!fixture.knows("one"));
    fixture.source.give(&[Pair::P256.published("one")]);
    fixture.upkeep_after(300).await;
    assert!(fixture.knows("one"));
}

#[tokio::test]
async fn an_outage_is_asked_through_now_and_then() {
    let fixture = Fixture::new();
    fixture.source.take_away();
    for _ in 0..10 {
        fixture.look_again().await;
        fixture.upkeep_after(1).await;
    }
    assert_eq!(fixture.source.times_asked(), 1);
    fixture.source.give(&[Pair::P256.published("one")]);
    fixture.upkeep_after(20).await;
    assert!(fixture.knows("one"), "sooner than the next fetch was due");
}

/// A source that answers when it is told to.
#[derive(Debug, Default)]
struct SlowKeys {
    begun: tokio::sync::Notify,
    answer: tokio::sync::Notify,
}

impl KeySource for Arc<SlowKeys> {
    fn fetch(&self) -> crate::outside::KeyFetch<'_> {
        Box::pin(async {
            self.begun.notify_one();
            self.answer.notified().await;
            Ok(serde_json::json!({ "keys": [Pair::P256.published("one")] }).to_string().into_bytes())
        })
    }

    fn refresh_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(300)
    }
}

#[tokio::test]
async fn s06_a_fetch_goes_on_when_the_client_that_caused_it_goes_away() {
    let slow = Arc::new(SlowKeys::default());
    let cache = Arc::new(KeyCache::new(Arc::new(Arc::clone(&slow)), KeyOptions::default()));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let client = tokio::spawn({
        let (cache, clock) = (Arc::clone(&cache), Arc::clone(&clock));
        async move { cache.look_again(&clock).await }
    });
    slow.begun.notified().await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    let waiting = tokio::spawn({
        let (cache, clock) = (Arc::clone(&cache), Arc::clone(&clock));
        async move { cache.look_again(&clock).await }
    });
    slow.answer.notify_one();
    waiting.await.unwrap();
    assert!(cache.keys(NOW).find(Some("one"), Algorithm::ES256).is_some());
    assert_eq!(cache.0.waiting.load(Ordering::SeqCst), 0);
}
