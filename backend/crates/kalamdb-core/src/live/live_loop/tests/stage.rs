//! A stage for the loop: its queue, its jobs and its clients, moved by the test step by step.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use kalamdb_commons::protocol::SubscribeOptions;
use kalamdb_commons::{SeqId, SubscriptionId};
use serde_json::Value as Json;

use super::client::Copy;
use super::world::World;
use crate::live::fixtures;
use crate::live::job::Job;
use crate::live::live_loop::{Effect, Input, LiveLoop, NewSubscription, TableNow};
use crate::live::options::LiveOptions;
use crate::live::outbox::OutgoingItem;
use crate::live::peer::Peer;
use crate::live::plan::LivePlan;

/// Everything around a loop.
#[derive(Debug)]
pub struct Stage {
    pub world: World,
    pub state: LiveLoop,
    pub options: LiveOptions,
    /// What comes, in order.
    pub queue: VecDeque<Input>,
    /// Results of jobs that have not come back yet.
    pub results: Vec<Input>,
    /// Records of subscriptions that were deleted.
    pub forgotten: Vec<String>,
    connections: u128,
}

/// A client with one connection.
#[derive(Debug)]
pub struct Client {
    pub peer: Arc<Peer>,
    pub copies: BTreeMap<String, Copy>,
    /// Answers to `unsubscribe`, and errors about what is not subscribed.
    pub answers: Vec<Json>,
    pub progress: u64,
    /// Pages to be asked for, and where a client that has read so far can come back.
    pub asks: Vec<(String, Option<u64>)>,
}

impl Stage {
    pub fn new(options: LiveOptions) -> Self {
        let world = World::new();
        let state = LiveLoop::new(world.last(), options.clone());
        Stage {
            world,
            state,
            options,
            queue: VecDeque::new(),
            results: Vec::new(),
            forgotten: Vec::new(),
            connections: 0,
        }
    }

    pub fn client(&mut self) -> Client {
        self.connections += 1;
        let peer = fixtures::peer(self.connections, &self.options);
        Client { peer, copies: BTreeMap::new(), answers: Vec::new(), progress: 0, asks: Vec::new() }
    }

    /// Commits; the loop has yet to hear of it.
    pub fn commit(&mut self, writes: &[(i32, Option<i32>)]) -> SeqId {
        self.commit_with(writes, Vec::new())
    }

    pub fn commit_with(&mut self, writes: &[(i32, Option<i32>)], tables: Vec<TableNow>) -> SeqId {
        let commit = self.world.commit(writes);
        let last = commit.last;
        self.queue.push_back(Input::Commit { commit, tables });
        last
    }

    pub fn subscribe(&mut self, client: &mut Client, id: &str, plan: LivePlan, options: SubscribeOptions) {
        self.subscribe_with(client, id, plan, options, Vec::new());
    }

    pub fn subscribe_with(
        &mut self,
        client: &mut Client,
        id: &str,
        plan: LivePlan,
        options: SubscribeOptions,
        tables: Vec<TableNow>,
    ) {
        let facts = fixtures::facts(client.peer.id, id);
        let name = SubscriptionId::new(id).unwrap();
        let mut session = client.peer.session.lock();
        session.reserve(&name, 0).unwrap();
        session.activate(&name, facts.clone());
        drop(session);
        let plan = Arc::new(plan);
        if !client.copies.contains_key(id) || options.from.is_none() {
            let mut copy = Copy::new(plan.clone());
            copy.exact = !options.without_initial && options.last_rows.is_none();
            client.copies.insert(id.to_owned(), copy);
        }
        let new = NewSubscription { peer: client.peer.clone(), facts, plan, options, tables };
        self.queue.push_back(Input::Subscribe(Box::new(new)));
    }

    /// Lets the loop take the next input, if there is one.
    pub fn step(&mut self) -> bool {
        let Some(input) = self.queue.pop_front() else { return false };
        self.input(input);
        true
    }

    pub fn input(&mut self, input: Input) {
        for effect in self.state.input(input) {
            match effect {
                Effect::Start(Job::Read(job)) => {
                    let (slot, readers) = (job.slot.clone(), job.readers());
                    let found = self.world.read(job, &self.options);
                    assert_eq!(found.len(), readers.len(), "each reader is told something");
                    let found = found.into_iter().map(|(token, found)| (token, Ok(found))).collect();
                    self.results.push(Input::Found { slot: Some(slot), at_micros: 1, found });
                }
                Effect::Start(Job::Run(job)) => {
                    let ran = Ok(self.world.run(&job, &self.options));
                    self.results.push(Input::Ran { view: job.view, at_micros: 1, ran });
                }
                Effect::End(ended) => {
                    ended.peer.outbox.discard(ended.token);
                    self.forgotten.push(ended.facts.id().to_string());
                    ended.peer.session.lock().release(ended.facts.id());
                    if let Some(last) = ended.last {
                        ended.peer.outbox.send(&last);
                    }
                    if let Some(done) = ended.done {
                        let _ = done.send(true);
                    }
                }
                Effect::Closed { ended, done } => {
                    self.forgotten.extend(ended.iter().map(|facts| facts.id().to_string()));
                    if let Some(done) = done {
                        let _ = done.send(true);
                    }
                }
                Effect::Done(done, found) => {
                    let _ = done.send(found);
                }
                Effect::Later(input) => self.queue.push_back(input),
            }
        }
    }

    /// Lets everything that is queued or running come to its end; ticks, but nobody reads.
    pub fn settle(&mut self) {
        loop {
            while self.step() {}
            if let Some(result) = self.results.pop() {
                self.input(result);
            } else if self.state.wants_tick() {
                self.input(Input::Tick);
            } else {
                return;
            }
        }
    }

    /// The client reads one frame and applies it.
    pub fn read_one(&mut self, client: &mut Client) -> bool {
        let taken = client.peer.outbox.take();
        if taken.drained {
            self.queue.push_back(Input::Drained(client.peer.id));
        }
        let Some(OutgoingItem::Frame(text)) = taken.item else { return taken.drained };
        let frame: Json = serde_json::from_slice(&text).unwrap();
        let id = frame["subscription_id"].as_str().unwrap_or_default().to_owned();
        match (frame["type"].as_str().unwrap(), client.copies.get_mut(&id)) {
            ("progress", _) => {
                let seq = frame["seq"].as_u64().unwrap();
                assert!(seq >= client.progress, "progress only grows");
                client.progress = seq;
                // What is not acknowledged yet was subscribed after this was said.
                for copy in client.copies.values_mut().filter(|copy| copy.error.is_none() && copy.acks > 0) {
                    copy.progress(seq, &self.world);
                }
            }
            ("unsubscribe_ack", _) | (_, None) => client.answers.push(frame),
            (_, Some(copy)) => {
                if copy.apply(&frame, &self.world) {
                    client.asks.push((id, Copy::resume_point(&frame)));
                } else {
                    client.asks.retain(|(of, _)| *of != id);
                }
            }
        }
        true
    }

    /// The client asks for a page that it knows of.
    pub fn ask(&mut self, client: &mut Client) -> bool {
        let Some((subscription_id, _)) = client.asks.pop() else { return false };
        self.queue.push_back(Input::NextBatch { peer: client.peer.clone(), subscription_id });
        true
    }

    /// Reads and asks until there is nothing to read, ask or do.
    pub fn read_all(&mut self, client: &mut Client) {
        loop {
            self.settle();
            let read = self.read_one(client);
            if !read && !self.ask(client) && self.queue.is_empty() {
                return;
            }
        }
    }

    /// Asks how far the client has been told everything.
    pub fn ask_progress(&mut self, client: &Client) {
        self.queue.push_back(Input::Progress(client.peer.clone()));
    }
}
